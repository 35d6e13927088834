"""Which packets come before which because one caused the other; all others may stand in either order.

Of one sender, packets come in the order of its sending. Of two ends of a TCP connection, a packet comes after what it
acknowledges: its own number says what its sender had got by then (RFC 9293, section 3.4), and no clock is asked. All
else comes after what had arrived at its sender, by the two packets' times.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from labctl.packets.pattern.seen import Seen
from labctl.packets.protocols import table


@dataclass(frozen=True, slots=True)
class Chain:
    """What one node sent, in order. `needs[i]`: of each chain, how many of its packets come before the i-th of here."""

    sender: str
    packets: tuple[Seen, ...]
    needs: tuple[tuple[int, ...], ...]


def chains(packets: Sequence[Seen]) -> tuple[Chain, ...]:
    """The packets by their senders, with what comes before each."""
    by: dict[str, list[Seen]] = {}
    for one in packets:
        by.setdefault(one.sender, []).append(one)
    senders = list(by)
    for found in by.values():
        found.sort(key=lambda one: (one.sent_ns, one.at_ns))
    arrivals = {(a, b): _Arrivals(by[a], b) for a in senders for b in senders if a != b}
    out = []
    for own in senders:
        needs = [
            tuple(0 if other == own else arrivals[other, own].before(packet) for other in senders) for packet in by[own]
        ]
        out.append(Chain(own, tuple(by[own]), tuple(needs)))
    return tuple(out)


class _Arrivals:
    """What arrived of one sender at one node: how many of the sender's packets may have caused one of the node's."""

    def __init__(self, sent: Sequence[Seen], receiver: str) -> None:
        others: dict[str, list[tuple[int, int]]] = {}  # of each conversation, when what arrived
        ends: dict[str, list[tuple[int, int]]] = {}  # of each TCP conversation, up to which number what goes
        taken: dict[str, int] = {}
        for place, one in enumerate(sent, 1):
            if one.receiver != receiver or one.arrived_ns is None:
                continue
            others.setdefault(one.flow, []).append((one.arrived_ns, place))
            if one.protocol in table().streams and one.first is not None and one.takes_sequence:
                end = one.first + one.takes_sequence
                if end > taken.get(one.flow, -1):  # what came again was not what was waited for
                    taken[one.flow] = end
                    ends.setdefault(one.flow, []).append((end, place))
        self._times = {flow: _Highest(found) for flow, found in others.items()}
        self._ends = {flow: _Highest(found) for flow, found in ends.items()}
        self._all = _Highest([one for found in others.values() for one in found])

    def before(self, packet: Seen) -> int:
        """How many of the sender's packets come before one of the receiver's."""
        if packet.protocol not in table().streams or packet.flow not in self._times:
            return self._all.up_to(packet.sent_ns - 1)
        found = self._ends.get(packet.flow)
        own = found.up_to(packet.ack) if found is not None and packet.ack is not None else 0
        rest = [one.up_to(packet.sent_ns - 1) for flow, one in self._times.items() if flow != packet.flow]
        return max([own, *rest])


class _Highest:
    """Of pairs, the highest second among those whose first is at most something."""

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        pairs.sort()
        self._keys = [key for key, _ in pairs]
        self._highest: list[int] = []
        for _, value in pairs:
            self._highest.append(max(value, self._highest[-1]) if self._highest else value)

    def up_to(self, key: int) -> int:
        place = bisect_right(self._keys, key)
        return self._highest[place - 1] if place else 0
