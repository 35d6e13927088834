"""Two ends on one clock: each sent packet to its arrival, or to none.

Captures of routers are no sides here: between two ends a router's rewriting shows by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from labctl.packets import identity
from labctl.packets.blame import blamed
from labctl.packets.crossings import Crossing, Rules, Side, Verdict
from labctl.packets.judge import judged
from labctl.packets.model import Packet
from labctl.packets.pairing import Sending, paired

_Ends = tuple[str, int | None, str, int | None]


def match(sides: Sequence[Side], verdicts: Iterable[Verdict] = (), rules: Rules | None = None) -> list[Crossing]:
    """All crossings between the sides in the order of their sending (or, if that wasn't seen, arrival).

    Near linear in the number of packets. Each sent packet and each arrival is in exactly one crossing, but for one
    that is sent to many (multicast), which has a crossing for each receiver it arrived at.
    """
    matcher = _Matcher(sides, list(verdicts), rules or Rules())
    matcher.exact()
    matcher.translated()
    matcher.damaged()
    return judged(matcher.sides, matcher.pairs, matcher.faults, matcher.unblamed, matcher.ends, matcher.rules)


def ends_of(packet: Packet) -> _Ends:
    return packet.src, packet.sport, packet.dst, packet.dport


class _Matcher:
    """The pairs found so far, and what is left over on either side."""

    def __init__(self, sides: Sequence[Side], verdicts: list[Verdict], rules: Rules) -> None:
        self.sides, self.rules = sides, rules
        self.faults, self.unblamed = blamed(sides, verdicts)
        # (sender's and receiver's position among the sides, the packet sent, its arrivals)
        self.pairs: list[tuple[int, int, Packet, list[Packet]]] = []
        self.ends: dict[_Ends, _Ends] = {}  # as a router translates them, learned on the way
        self._found: dict[int, set[int]] = {n: set() for n in range(len(sides))}  # receiver -> ids of its arrivals
        self._gone: dict[int, set[int]] = {n: set() for n in range(len(sides))}  # sender -> ids of what it sent
        self._latency = 0

    def exact(self) -> None:
        """Packets that are the same in all that stays on the way."""
        for receiver, side in enumerate(self.sides):
            arrivals = _grouped(side.arrived, identity.exact)
            for sender, other in enumerate(self.sides):
                if sender == receiver:
                    continue
                sent = [(key, p) for p in other.sent if (key := identity.exact(p)) in arrivals]
                groups: dict[identity.Key, list[Packet]] = {}
                for key, packet in sent:
                    groups.setdefault(key, []).append(packet)
                self._settle(sender, receiver, groups, arrivals)

    def translated(self) -> None:
        """Packets whose addresses and ports a router rewrote, with a hop less to live."""
        for sender, receiver in self._both_ways():
            sent = _grouped(self._left_sent(sender), identity.translated)
            arrivals = _grouped(self._left_arrived(receiver), identity.translated)
            fitting = {
                key: [a for a in found if any(_is_rewritten(s, a) for s in sent[key])]
                for key, found in arrivals.items()
                if key in sent
            }
            groups = {key: sent[key] for key, found in fitting.items() if found}
            for one, found in self._settle(sender, receiver, groups, fitting):
                self.ends[ends_of(one)] = ends_of(found[0])

    def damaged(self) -> None:
        """Packets that arrived with other contents than they were sent with."""
        for sender, receiver in self._both_ways():
            for loose in (True, False):
                arrivals: dict[identity.Key, list[Packet]] = {}
                for packet in self._left_arrived(receiver):
                    key = _damage(packet, ends_of(packet), loose)
                    if key is not None and packet.protocol != "arp":
                        arrivals.setdefault(key, []).append(packet)
                self._settle(sender, receiver, self._damageable(sender, arrivals, loose, again=False), arrivals)
                left = {id(packet) for packet in self._left_arrived(receiver)}
                rest = {key: [p for p in found if id(p) in left] for key, found in arrivals.items()}
                self._add_copies(sender, receiver, {key: found for key, found in rest.items() if found}, loose)

    def _damageable(
        self, sender: int, arrivals: dict[identity.Key, list[Packet]], loose: bool, *, again: bool
    ) -> dict[identity.Key, list[Packet]]:
        packets = self.sides[sender].sent if again else self._left_sent(sender)
        out: dict[identity.Key, list[Packet]] = {}
        for packet in packets:
            key = _damage(packet, self.ends.get(ends_of(packet), ends_of(packet)), loose)
            if key is not None and key in arrivals:
                out.setdefault(key, []).append(packet)
        return out

    def _add_copies(self, sender: int, receiver: int, rest: dict[identity.Key, list[Packet]], loose: bool) -> None:
        """A corrupted arrival of a packet that has arrived once already is its copy."""
        if not rest:
            return
        mine = self._damageable(sender, rest, loose, again=True)
        place = {id(pair[2]): pair for pair in self.pairs if pair[:2] == (sender, receiver)}
        for key, sent in mine.items():
            for packet in rest[key]:
                able = [p for p in sent if id(p) in place and p.ts_ns <= packet.ts_ns + self.rules.slack]
                if able and identity.is_corrupted(able[-1], packet):
                    place[id(able[-1])][3].append(packet)
                    self._found[receiver].add(id(packet))

    def _settle(
        self,
        sender: int,
        receiver: int,
        sent: dict[identity.Key, list[Packet]],
        arrivals: dict[identity.Key, list[Packet]],
    ) -> list[tuple[Packet, list[Packet]]]:
        """Pairs the packets of each key, the unmistakable ones first: their latency tells of the others'."""
        new: list[tuple[Packet, list[Packet]]] = []
        certain = [key for key, found in sent.items() if len(found) == 1]
        doubtful = [key for key, found in sent.items() if len(found) > 1]
        for keys in (certain, doubtful):
            for key in keys:
                new += self._pair(sender, receiver, sent[key], arrivals[key])
            took = [found[0].ts_ns - one.ts_ns for one, found in new]
            self._latency = max(0, int(median(took))) if took else self._latency
        return new

    def _pair(
        self, sender: int, receiver: int, sent: list[Packet], arrivals: list[Packet]
    ) -> list[tuple[Packet, list[Packet]]]:
        times = [packet.ts_ns for packet in arrivals]
        places = paired([self._sending(packet) for packet in sent], times, self._latency, self.rules.slack)
        new = []
        for packet, mine in zip(sent, places, strict=True):
            if mine:
                found = [arrivals[place] for place in mine]
                self.pairs.append((sender, receiver, packet, found))
                self._found[receiver].update(map(id, found))
                self._gone[sender].add(id(packet))
                new.append((packet, found))
        return new

    def _sending(self, packet: Packet) -> Sending:
        actions = {verdict.action for verdict in self.faults.get(id(packet), ())}
        return Sending(
            packet.ts_ns,
            dropped=bool(actions & {"drop", "reset"}),
            delayed=bool(actions & {"delay", "limit"}),
            reordered="reorder" in actions,
            duplicated="duplicate" in actions,
        )

    def _both_ways(self) -> Iterable[tuple[int, int]]:
        count = len(self.sides)
        return [(one, other) for one in range(count) for other in range(count) if one != other]

    def _left_sent(self, sender: int) -> list[Packet]:
        return [packet for packet in self.sides[sender].sent if id(packet) not in self._gone[sender]]

    def _left_arrived(self, receiver: int) -> list[Packet]:
        return [packet for packet in self.sides[receiver].arrived if id(packet) not in self._found[receiver]]


def _damage(packet: Packet, ends: _Ends, loose: bool) -> identity.Key | None:
    return identity.damaged(packet, ends) if loose else identity.by_number(packet, ends[0], ends[2])


def _grouped(packets: Sequence[Packet], key: object) -> dict[identity.Key, list[Packet]]:
    out: dict[identity.Key, list[Packet]] = {}
    for packet in packets:
        out.setdefault(key(packet), []).append(packet)  # type: ignore[operator]
    return out


def _is_rewritten(sent: Packet, arrived: Packet) -> bool:
    """Other ends, and fewer hops left: a router was between."""
    if ends_of(sent) == ends_of(arrived) or not identity.is_telling(sent):
        return False
    return sent.ttl is not None and arrived.ttl is not None and arrived.ttl < sent.ttl
