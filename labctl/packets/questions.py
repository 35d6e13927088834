"""ARP questions that nobody answered (RFC 826): what was for that address could not be sent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from labctl.packets.crossings import Side

_REQUEST, _REPLY = 1, 2
PATIENCE = 1_000_000_000  # ns: Linux asks again after that (arp(7), retrans_time_ms)


def unanswered(sides: Iterable[Side]) -> set[int]:
    """The `id()`s of the questions that a side sent and had no answer to in time, as far as its capture tells."""
    out: set[int] = set()
    for side in sides:
        replies: dict[str, list[int]] = {}
        for packet in side.arrived:
            if packet.arp is not None and packet.arp.operation == _REPLY:
                replies.setdefault(packet.src, []).append(packet.ts_ns)
        for packet in side.sent:
            if packet.arp is None or packet.arp.operation != _REQUEST or packet.src == packet.dst or side.kernel_drops:
                continue
            if side.until_ns is not None and packet.ts_ns + PATIENCE > side.until_ns:
                continue
            times = sorted(replies.get(packet.dst, ()))
            after = bisect_right(times, packet.ts_ns)
            if after == len(times) or times[after] > packet.ts_ns + PATIENCE:
                out.add(id(packet))
    return out
