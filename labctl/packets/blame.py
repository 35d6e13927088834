"""Which sent packet a fault's verdict speaks of."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from labctl.packets.crossings import Side, Verdict
from labctl.packets.model import Packet

_Key = tuple[str, str, int | None, str, int | None]
_FAR = 10_000_000_000  # ns: a verdict this far from a packet's sending isn't about that packet


def blamed(sides: Sequence[Side], verdicts: Iterable[Verdict]) -> tuple[dict[int, list[Verdict]], list[Verdict]]:
    """The verdicts of each packet, by the packet's `id()`; and those that no sent packet was found for.

    Among packets that look alike the one sent nearest in time to the verdict is meant. One rule does one thing once to
    a packet, but for a delay: it holds one for a time, and again for another to overtake it, in vain.
    """
    sent: dict[_Key, list[Packet]] = {}
    for side in sides:
        for packet in side.sent:
            sent.setdefault((packet.protocol, *packet.source, *packet.target), []).append(packet)
            if packet.fragment_offset and packet.sport is not None:  # a fault sees no ports in a later fragment
                sent.setdefault((packet.protocol, packet.src, None, packet.dst, None), []).append(packet)
    finder = {key: _Finder(found) for key, found in sent.items()}
    out: dict[int, list[Verdict]] = {}
    rest: list[Verdict] = []
    done: set[tuple[int, str, str]] = set()
    for verdict in verdicts:
        key = (verdict.proto, verdict.src, verdict.sport, verdict.dst, verdict.dport)
        found = finder[key].nearest(verdict, done) if key in finder else None
        if found is None:
            rest.append(verdict)
        else:
            done.add((id(found), verdict.rule, verdict.action))
            out.setdefault(id(found), []).append(verdict)
    return out, rest


class _Finder:
    """The packets between two ends, by what a verdict may know of them."""

    def __init__(self, packets: list[Packet]) -> None:
        self._by: dict[tuple[int | None, int | None, int | None], list[Packet]] = {}
        self._packets = packets
        self._known: set[tuple[bool, bool, bool]] = set()

    def nearest(self, verdict: Verdict, done: set[tuple[int, str, str]]) -> Packet | None:
        """The fitting packet whose sending is nearest to the verdict in time; a done one where there is no other."""
        self._index((verdict.seq is not None, verdict.length is not None, verdict.ip_id is not None))
        fitting = self._by.get((verdict.seq, verdict.length, verdict.ip_id), [])
        middle = bisect_left(fitting, verdict.ts_ns, key=lambda packet: packet.ts_ns)
        again: Packet | None = None
        low, high = middle - 1, middle
        while low >= 0 or high < len(fitting):
            before = verdict.ts_ns - fitting[low].ts_ns if low >= 0 else None
            after = fitting[high].ts_ns - verdict.ts_ns if high < len(fitting) else None
            if before is not None and (after is None or before <= after):
                place, off, low = low, before, low - 1
            else:
                assert after is not None
                place, off, high = high, after, high + 1
            if off > _FAR:
                break
            if (id(fitting[place]), verdict.rule, verdict.action) not in done:
                return fitting[place]
            again = again or fitting[place]
        return again if verdict.action == "delay" else None

    def _index(self, known: tuple[bool, bool, bool]) -> None:
        if known in self._known:
            return
        self._known.add(known)
        for packet in sorted(self._packets, key=lambda packet: packet.ts_ns):
            seq = packet.tcp.seq if packet.tcp else None
            values = (seq, packet.total_length, packet.ip_id)
            key = tuple(value if use else None for value, use in zip(values, known, strict=True))
            self._by.setdefault(key, []).append(packet)  # type: ignore[arg-type]
