"""Which sent packet a damaged arrival was."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labctl.packets.crossings import Rules
from labctl.packets.matching.blame import FAR
from labctl.packets.matching.identity import FEW, differing_bits, has_other_sum, is_corrupted, may_be_damaged
from labctl.packets.model import Packet

_STEPS = 64  # sendings that are looked at for one arrival


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that side number `sender` sent, when it was due, and what faults say that they did to it."""

    sender: int
    packet: Packet
    due_ns: int
    corrupted: bool
    dropped: bool


def damaged(
    sent: Sequence[Sent], arrivals: Sequence[Packet], arrived: set[int], rules: Rules
) -> Iterator[tuple[Sent, Packet]]:
    """The arrivals that are damaged ones of what was sent; all of them have what damage leaves alone in common.

    A packet that has arrived already (`arrived`: ids) can have had a damaged copy; any other arrives once.
    """
    told = any(one.corrupted for one in sent)
    waiting = sorted(sent, key=lambda one: one.due_ns)
    dues = [one.due_ns for one in waiting]
    there = set(arrived)
    for packet in arrivals:
        whole = packet.checksum in ("ok", "partial") and packet.ip_checksum != "bad"
        if whole and not packet.ip_id and not told:
            continue
        limit = FAR if packet.ip_id else rules.flight
        best: tuple[tuple[object, ...], Sent] | None = None
        for place in _near(dues, packet.ts_ns, limit):
            one = waiting[place]
            if one.dropped or one.packet.ts_ns > packet.ts_ns + rules.slack:
                continue
            score = _score(one, packet, id(one.packet) in there)
            if score is not None and (best is None or score < best[0]):
                best = score, one
        if best is not None:
            there.add(id(best[1].packet))
            yield best[1], packet


def _near(dues: list[int], at: int, limit: int) -> Iterator[int]:
    """The places of what was due within the limit, the nearest first."""
    high = bisect_left(dues, at)
    low = high - 1
    for _ in range(_STEPS):
        before = at - dues[low] if low >= 0 else limit + 1
        after = dues[high] - at if high < len(dues) else limit + 1
        if min(before, after) > limit:
            return
        if before <= after:
            yield low
            low -= 1
        else:
            yield high
            high += 1


def _score(one: Sent, packet: Packet, is_copy: bool) -> tuple[object, ...] | None:
    """How well the arrival is the packet with damage, the less the better; None: it is not."""
    if not may_be_damaged(one.packet, packet, one.corrupted):
        return None
    bits = differing_bits(one.packet, packet)
    if is_copy and not (is_corrupted(one.packet, packet) and (packet.ip_id or bits <= FEW)):
        return None
    return (
        bits > FEW,
        not one.corrupted,
        has_other_sum(one.packet, packet),
        bits,
        is_copy,
        abs(packet.ts_ns - one.due_ns),
    )
