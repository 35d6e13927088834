"""Two ends on one clock: each sent packet to its arrival, or to none.

Captures of routers are no sides here: between two ends a router's rewriting shows by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from labctl.packets.crossings import Crossing, Rules, Side, Verdict
from labctl.packets.matching import identity
from labctl.packets.matching.blame import Outcomes, blamed
from labctl.packets.matching.damage import Sent, damaged
from labctl.packets.matching.identity import Ends, ends_of
from labctl.packets.matching.judge import judged
from labctl.packets.matching.pairing import Sending, paired
from labctl.packets.model import Packet
from labctl.packets.protocols import table

_Group = tuple[list[Packet], list[Packet]]  # what was sent and what arrived, and looks alike
_Groups = list[tuple[int, int, list[_Group]]]  # with the sender's and the receiver's position among the sides
_Way = tuple[Ends, int | None]  # the ends of packets, and how far they may still go


@dataclass(frozen=True, slots=True)
class Matched:
    """`unblamed`: the verdicts that no sent packet was found for."""

    crossings: list[Crossing]
    unblamed: list[Verdict]


def match(sides: Sequence[Side], verdicts: Iterable[Verdict] = (), rules: Rules | None = None) -> list[Crossing]:
    """All crossings between the sides in the order of their sending (or, if that wasn't seen, arrival).

    Near linear in the number of packets. Each sent packet and each arrival is in exactly one crossing, but for one
    that is sent to many (multicast), which has a crossing for each receiver it arrived at.
    """
    return matched(sides, verdicts, rules).crossings


def matched(sides: Sequence[Side], verdicts: Iterable[Verdict] = (), rules: Rules | None = None) -> Matched:
    """The same, and what the verdicts are about that were left over."""
    matcher = _Matcher(sides, list(verdicts), rules or Rules())
    matcher.exact()
    matcher.translated()
    matcher.damaged()
    found = judged(matcher.sides, matcher.pairs, matcher.faults, matcher.unblamed, matcher.ends, matcher.rules)
    return Matched(found, matcher.unblamed)


class _Matcher:
    """The pairs found so far, and what is left over on either side."""

    def __init__(self, sides: Sequence[Side], verdicts: list[Verdict], rules: Rules) -> None:
        self.sides, self.rules = sides, rules
        # (sender's and receiver's position among the sides, the packet sent, its arrivals)
        self.pairs: list[tuple[int, int, Packet, list[Packet]]] = []
        self.ends: dict[Ends, Ends] = {}  # as a router translates them, learned on the way
        self._found: set[int] = set()  # ids of arrivals
        self._gone: set[int] = set()  # ids of what was sent
        self._latency = 0
        self._alike = _alike(sides)
        # What can be told from bytes alone comes first: of packets that look alike to a fault, it shows which it hit.
        self.faults, self.unblamed = blamed(sides, verdicts, self._outcomes() if verdicts else None, rules)

    def exact(self) -> None:
        """Packets that are the same in all that stays on the way."""
        for sender, receiver, groups in self._alike:
            self._settle(sender, receiver, groups)

    def translated(self) -> None:
        """Packets whose addresses and ports a router rewrote, with a hop less to live."""
        for sender, receiver, groups in _rewritten(self.sides, self._gone, self._found):
            for one, found in self._settle(sender, receiver, groups):
                self.ends[ends_of(one)] = ends_of(found[0])

    def damaged(self) -> None:
        """Packets that arrived with other contents than they were sent with."""
        place = {(receiver, id(packet)): found for _, receiver, packet, found in self.pairs}
        for key_of in (identity.damaged, identity.by_number):
            came: dict[identity.Key, dict[int, list[Packet]]] = {}
            for receiver, side in enumerate(self.sides):
                for packet in side.arrived:
                    if id(packet) not in self._found and packet.protocol not in table().arrives_only:
                        key = key_of(packet, ends_of(packet))
                        if key is not None:
                            came.setdefault(key, {}).setdefault(receiver, []).append(packet)
            sent: dict[identity.Key, list[Sent]] = {}
            for sender, side in enumerate(self.sides if came else ()):
                for packet in side.sent:
                    key = key_of(packet, self.ends.get(ends_of(packet), ends_of(packet)))
                    if key in came:
                        sent.setdefault(key, []).append(self._as_sent(sender, packet))
            for key, mine in sent.items():
                for receiver, arrivals in came[key].items():
                    self._add_damaged(receiver, mine, arrivals, place)

    def _add_damaged(
        self, receiver: int, sent: list[Sent], arrivals: list[Packet], place: dict[tuple[int, int], list[Packet]]
    ) -> None:
        able = [
            one
            for one in sent
            if one.sender != receiver and (id(one.packet) not in self._gone or (receiver, id(one.packet)) in place)
        ]
        arrived = {id(one.packet) for one in able if (receiver, id(one.packet)) in place}
        for one, packet in damaged(able, arrivals, arrived, self.rules):
            self._found.add(id(packet))
            if (receiver, id(one.packet)) in place:
                place[receiver, id(one.packet)].append(packet)
            else:
                found = place[receiver, id(one.packet)] = [packet]
                self.pairs.append((one.sender, receiver, one.packet, found))
                self._gone.add(id(one.packet))

    def _as_sent(self, sender: int, packet: Packet) -> Sent:
        faults = self.faults.get(id(packet), ())
        actions = {verdict.action for verdict in faults}
        due = packet.ts_ns + self._latency + sum(verdict.held_ns for verdict in faults)
        return Sent(sender, packet, due, "corrupt" in actions, bool(actions & {"drop", "reset"}))

    def _outcomes(self) -> Outcomes:
        out = Outcomes()
        sent = {id(packet) for _, _, groups in self._alike for group in groups for packet in group[0]}
        met = {id(packet) for _, _, groups in self._alike for group in groups for packet in group[1]}
        for _, _, groups in self._alike + _rewritten(self.sides, sent, met):
            for group in groups:
                self._tell(out, *group)
        for side in self.sides:
            out.overtaken |= _overtaken(side.sent, out.first_ns)
        return out

    def _tell(self, out: Outcomes, sent: list[Packet], arrivals: list[Packet]) -> None:
        one, slack, flight = sent[0], self.rules.slack, self.rules.flight
        times = [packet.ts_ns for packet in arrivals if packet.ts_ns >= one.ts_ns - slack]
        if len(sent) > 1 or (times and times[0] - one.ts_ns > flight):
            out.doubtful.update(map(id, sent))
        elif times:
            key, copies = id(one), sum(at - times[0] <= flight for at in times) - 1
            out.first_ns[key] = min(times[0], out.first_ns.get(key, times[0]))
            out.copies[key] = max(copies, out.copies.get(key, 0))

    def _settle(self, sender: int, receiver: int, groups: list[_Group]) -> list[tuple[Packet, list[Packet]]]:
        """Pairs the packets of each group, the unmistakable ones first: their latency tells of the others'."""
        new: list[tuple[Packet, list[Packet]]] = []
        taken: set[int] = set()
        certain = [group for group in groups if len(group[0]) == 1]
        doubtful = [group for group in groups if len(group[0]) > 1]
        for chosen in (certain, doubtful):
            for sent, arrivals in chosen:
                left = [packet for packet in sent if id(packet) not in taken]
                fresh = self._pair(sender, receiver, left, arrivals)
                taken.update(id(packet) for packet, _ in fresh)
                new += fresh
            took = [found[0].ts_ns - one.ts_ns for one, found in new]
            self._latency = max(0, int(median(took))) if took else self._latency
        return new

    def _pair(
        self, sender: int, receiver: int, sent: list[Packet], arrivals: list[Packet]
    ) -> list[tuple[Packet, list[Packet]]]:
        times = [packet.ts_ns for packet in arrivals]
        places: list[list[int]]
        if len(sent) == len(arrivals) == 1:  # as most are: it is that one, whatever a fault did to it, or none
            places = [[0] if times[0] >= sent[0].ts_ns - self.rules.slack else []]
        else:
            sendings = [self._sending(packet) for packet in sent]
            places = paired(sendings, times, self._latency, self.rules.slack, self.rules.flight)
        new = []
        for packet, mine in zip(sent, places, strict=True):
            if mine:
                found = [arrivals[place] for place in mine]
                self.pairs.append((sender, receiver, packet, found))
                self._found.update(map(id, found))
                self._gone.add(id(packet))
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


def _overtaken(sent: Sequence[Packet], first_ns: dict[int, int]) -> set[int]:
    """The ids of those that arrived after something that was sent later in their direction."""
    out: set[int] = set()
    earliest: dict[Ends, int] = {}
    for packet in reversed(sent):
        at = first_ns.get(id(packet))
        if at is not None:
            least = earliest.get(ends_of(packet), at)
            if least < at:
                out.add(id(packet))
            earliest[ends_of(packet)] = min(least, at)
    return out


def _alike(sides: Sequence[Side]) -> _Groups:
    """What was sent at one side and arrived at another the same."""
    came: dict[identity.Key, dict[int, list[Packet]]] = {}
    for receiver, side in enumerate(sides):
        for packet in side.arrived:
            came.setdefault(identity.exact(packet), {}).setdefault(receiver, []).append(packet)
    sent: dict[tuple[int, int], dict[identity.Key, list[Packet]]] = {}
    for sender, side in enumerate(sides):
        for packet in side.sent:
            key = identity.exact(packet)
            for receiver in came.get(key, ()):
                if receiver != sender:
                    sent.setdefault((receiver, sender), {}).setdefault(key, []).append(packet)
    out: _Groups = []
    for (receiver, sender), groups in sorted(sent.items(), key=lambda item: item[0]):
        made = [(found, _unharmed(found, came[key][receiver])) for key, found in groups.items()]
        out.append((sender, receiver, [group for group in made if group[1]]))
    return out


def _unharmed(sent: list[Packet], arrivals: list[Packet]) -> list[Packet]:
    """Without those that are damaged: damage may have made them the same as another."""
    if all(packet.checksum != "bad" for packet in arrivals) or any(packet.checksum != "ok" for packet in sent):
        return arrivals
    return [packet for packet in arrivals if packet.checksum != "bad"]


def _rewritten(sides: Sequence[Side], gone: set[int], found: set[int]) -> _Groups:
    """What was sent at one side and may have arrived at another with other ends, but for what is gone and found."""
    came: dict[identity.Key, dict[int, list[Packet]]] = {}
    for receiver, side in enumerate(sides):
        for packet in side.arrived:
            if id(packet) not in found and identity.is_telling(packet):
                came.setdefault(identity.translated(packet), {}).setdefault(receiver, []).append(packet)
    out: _Groups = []
    for sender, side in enumerate(sides if came else ()):
        sent: dict[identity.Key, list[Packet]] = {}
        for packet in side.sent:
            if id(packet) not in gone and identity.is_telling(packet) and (key := identity.translated(packet)) in came:
                sent.setdefault(key, []).append(packet)
        groups: dict[int, list[_Group]] = {}
        for key, mine in sent.items():
            for receiver, arrivals in came[key].items():
                if receiver != sender:
                    groups.setdefault(receiver, []).extend(_by_way(mine, arrivals))
        out += [(sender, receiver, made) for receiver, made in groups.items() if made]
    return out


def _by_way(sent: list[Packet], arrivals: list[Packet]) -> list[_Group]:
    """Each arrival with the sendings that a router may have made it of."""
    ways: dict[_Way, list[Packet]] = {}
    for packet in sent:
        ways.setdefault((ends_of(packet), packet.ttl), []).append(packet)
    came: dict[_Way, list[Packet]] = {}
    for packet in arrivals:
        came.setdefault((ends_of(packet), packet.ttl), []).append(packet)
    pools: dict[tuple[_Way, ...], list[Packet]] = {}
    for new, found in came.items():
        able = [old for old in ways if _is_rewritten(old, new)]
        # A router mostly rewrites one of the two ends: what was for somebody else was hardly it.
        one_end = [old for old in able if old[0][0] == new[0][0] or old[0][2] == new[0][2]]
        if able:
            pools.setdefault(tuple(one_end or able), []).extend(found)
    return [
        (
            sorted((packet for way in chosen for packet in ways[way]), key=_moment),
            sorted(found, key=_moment),
        )
        for chosen, found in pools.items()
    ]


def _moment(packet: Packet) -> tuple[int, int]:
    return packet.ts_ns, packet.index


def _is_rewritten(sent: _Way, arrived: _Way) -> bool:
    """Other ends, and fewer hops left: a router was between."""
    if sent[0] == arrived[0]:
        return False
    return sent[1] is not None and arrived[1] is not None and arrived[1] < sent[1]
