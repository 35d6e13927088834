"""What became of each packet: fate, latency, delay, order, damage and whose doing it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median_low

from labctl.packets.crossings import Crossing, Rewriting, Rules, Side, Verdict
from labctl.packets.matching.identity import is_corrupted
from labctl.packets.model import RST, Packet
from labctl.packets.protocols import table

_Ends = tuple[str, int | None, str, int | None]
_Pair = tuple[int, int, Packet, list[Packet]]


def judged(
    sides: Sequence[Side],
    pairs: Sequence[_Pair],
    faults: dict[int, list[Verdict]],
    unblamed: list[Verdict],
    ends: dict[_Ends, _Ends],
    rules: Rules,
) -> list[Crossing]:
    """All crossings, in order: of the pairs, of what was sent and never arrived, of what arrived unsent."""
    place = _Places(sides, ends)
    out = [_delivered(sides, pair, faults) for pair in pairs]
    told = (*unblamed, *(one for found in faults.values() for one in found))
    resets = [one for one in told if one.kind.arrives == "replaced"]
    gone = {id(pair[2]) for pair in pairs}
    found = {id(packet) for pair in pairs for packet in pair[3]}
    for side in sides:
        out += [_unarrived(side, p, place, faults, rules) for p in side.sent if id(p) not in gone]
        strays = [packet for packet in side.arrived if id(packet) not in found]
        out += [_unsent(side, packet, place, resets, rules) for packet in strays]
    out = _with_order(_with_delays(out, rules))
    return sorted(out, key=lambda one: (one.packet.ts_ns, one.sent is None, one.sender, one.packet.index))


class _Places:
    """Which side an address is at."""

    def __init__(self, sides: Sequence[Side], ends: dict[_Ends, _Ends]) -> None:
        self._of: dict[str, Side] = {}
        for side in sides:
            for address in side.addresses or tuple({packet.src for packet in side.sent}):
                self._of.setdefault(address, side)
        # Behind a router that translates, the way back ends at an address of the router's: this says whose it is.
        self._back = {(new[2], new[3], new[0], new[1]): (old[2], old[3], old[0], old[1]) for old, new in ends.items()}

    def of(self, address: str) -> Side | None:
        return self._of.get(address)

    def target(self, packet: Packet) -> Side | None:
        """The side that a packet is for."""
        known = self._of.get(packet.dst)
        if known is None:
            back = self._back.get((packet.src, packet.sport, packet.dst, packet.dport))
            known = self._of.get(back[2]) if back else None
        return known


def _delivered(sides: Sequence[Side], pair: _Pair, faults: dict[int, list[Verdict]]) -> Crossing:
    sender, receiver, sent, arrivals = pair
    first, *copies = sorted(arrivals, key=lambda packet: (packet.ts_ns, packet.index))
    rewritten = None
    if _has_other_ends(sent, first) and not is_corrupted(sent, first):
        rewritten = Rewriting(sent.source, sent.target, first.source, first.target)
    return Crossing(
        sides[sender].node,
        sides[receiver].node,
        sent,
        first,
        "delivered",
        tuple(copies),
        latency_ns=max(0, first.ts_ns - sent.ts_ns),
        corrupted=any(is_corrupted(sent, packet) for packet in arrivals),
        rewritten=rewritten,
        faults=tuple(faults.get(id(sent), ())),
    )


def _has_other_ends(sent: Packet, arrived: Packet) -> bool:
    """A fragment whose first one is missing has no ports, and is the same for all that."""
    if sent.is_fragment and None in (sent.sport, arrived.sport):
        return (sent.src, sent.dst) != (arrived.src, arrived.dst)
    return (sent.source, sent.target) != (arrived.source, arrived.target)


def _unarrived(side: Side, packet: Packet, place: _Places, faults: dict[int, list[Verdict]], rules: Rules) -> Crossing:
    mine = tuple(faults.get(id(packet), ()))
    target = place.target(packet)
    receiver = target.node if target else packet.dst
    lost = Crossing(side.node, receiver, packet, None, "lost", faults=mine)
    if any(verdict.kind.arrives in ("never", "replaced") for verdict in mine):
        return lost
    if target is None:
        return replace(lost, fate="unknown", why=f"there is no capture at {packet.dst}")
    if target.kernel_drops:
        return replace(lost, fate="unknown", why=_missed(target))
    held = sum(verdict.held_ns for verdict in mine)
    if target.until_ns is not None and packet.ts_ns + held + rules.flight > target.until_ns:
        end = "it was held back when the capture ended" if held else "the capture had ended"
        return replace(lost, fate="unknown", why=f"{end} at {target.node}", open=True)
    if target.since_ns is not None and packet.ts_ns < target.since_ns:
        return replace(lost, fate="unknown", why=f"the capture at {target.node} had not begun")
    return lost


def _unsent(side: Side, packet: Packet, place: _Places, resets: list[Verdict], rules: Rules) -> Crossing:
    source = place.of(packet.src)
    sender = source.node if source is not None and source is not side else packet.src
    stray = Crossing(sender, side.node, None, packet, "elsewhere")
    if packet.protocol in table().arrives_only:
        return replace(stray, fate="unknown", why="ARP is captured only where it arrives")
    if packet.tcp is not None and packet.tcp.has(RST):
        mine = [verdict for verdict in resets if _is_between(verdict, packet)]
        if mine:
            return replace(stray, faults=(min(mine, key=lambda verdict: abs(verdict.ts_ns - packet.ts_ns)),))
    if source is None or source is side:
        return stray
    if source.kernel_drops:
        return replace(stray, fate="unknown", why=f"its sending: {_missed(source)}")
    if source.since_ns is not None and packet.ts_ns < source.since_ns + rules.flight:
        return replace(stray, fate="unknown", why=f"the capture at {source.node} had not begun when it was sent")
    if source.until_ns is not None and packet.ts_ns + rules.slack > source.until_ns:
        why = f"the capture at {source.node} had ended when it was sent"
        return replace(stray, fate="unknown", why=why, open=True)
    return stray


def _missed(side: Side) -> str:
    count = side.kernel_drops
    return f"the kernel dropped {count} packet{'' if count == 1 else 's'} of the capture at {side.node}"


def _is_between(verdict: Verdict, packet: Packet) -> bool:
    ends = {(verdict.src, verdict.sport), (verdict.dst, verdict.dport)}
    return ends == {packet.source, packet.target}


def _direction(one: Crossing) -> tuple[object, ...]:
    packet = one.packet
    return one.sender, one.receiver, packet.protocol, packet.source, packet.target


def _with_delays(crossings: list[Crossing], rules: Rules) -> list[Crossing]:
    usual: dict[tuple[object, ...], list[int]] = {}
    held: dict[tuple[object, ...], list[int]] = {}
    directions = [None if one.latency_ns is None else _direction(one) for one in crossings]
    for one, direction in zip(crossings, directions, strict=True):
        if one.latency_ns is not None and direction is not None:
            slowed = bool(one.faults) and any(verdict.kind.late for verdict in one.faults)
            (held if slowed else usual).setdefault(direction, []).append(one.latency_ns)
    middle = {key: median_low(found) for key, found in (held | usual).items()}
    out = []
    for one, direction in zip(crossings, directions, strict=True):
        if one.latency_ns is not None and direction is not None:
            told = bool(one.faults) and any(verdict.kind.seen_as == "delayed" for verdict in one.faults)
            normal = middle[direction]
            over = one.latency_ns - normal
            if told:  # where all are delayed, the median is no measure of it
                over = over if direction in usual else one.latency_ns
            if told or (over >= rules.delay_floor and one.latency_ns >= 2 * normal):
                one = replace(one, late_ns=max(0, over))
        out.append(one)
    return out


def _with_order(crossings: list[Crossing]) -> list[Crossing]:
    """Marks what arrived after something that was sent later in the same direction."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, one in enumerate(crossings):
        if one.sent is not None and one.arrived is not None:
            groups.setdefault(_direction(one), []).append(place)
    out = list(crossings)
    for places in groups.values():
        places.sort(key=lambda place: _stamp(crossings[place].sent))
        earliest: tuple[int, int] | None = None
        for place in reversed(places):
            moment = _stamp(crossings[place].arrived)
            if earliest is not None and earliest < moment:
                out[place] = replace(crossings[place], reordered=True)
            earliest = moment if earliest is None else min(earliest, moment)
    return out


def _stamp(packet: Packet | None) -> tuple[int, int]:
    assert packet is not None
    return packet.ts_ns, packet.index
