"""Questions for a neighbour's hardware address: those that nobody answered, and those that only check an old answer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from labctl.packets.crossings import Side
from labctl.packets.model import Packet
from labctl.packets.protocols import link, table
from labctl.packets.protocols.kind import Neighbour

_TABLE = table()
PATIENCE = 1_000_000_000  # ns: Linux asks again after that (arp(7), retrans_time_ms)


def unanswered(sides: Iterable[Side]) -> set[int]:
    """The `id()`s of the questions (RFC 826; RFC 4861) that a side sent and had no answer to in time, as far as its
    capture tells: what was for that address could not be sent."""
    out: set[int] = set()
    for side in sides:
        if side.kernel_drops:
            continue
        replies: dict[str, list[int]] = {}
        for packet in side.arrived:
            if (address := _answered(packet)) is not None:
                replies.setdefault(address, []).append(packet.ts_ns)
        for times in replies.values():
            times.sort()
        for packet in side.sent:
            address = asked(packet)
            if address is None or (side.until_ns is not None and packet.ts_ns + PATIENCE > side.until_ns):
                continue
            times = replies.get(address, [])
            after = bisect_right(times, packet.ts_ns)
            if after == len(times) or times[after] > packet.ts_ns + PATIENCE:
                out.add(id(packet))
    return out


def asked(packet: Packet) -> str | None:
    """The address whose hardware address a packet asks for; None: it asks nothing, or for nobody to answer.

    Who has no address yet asks whether anybody has the one that it is about to take (RFC 5227, section 2.1.1; RFC 4862,
    section 5.4), and who has taken one tells so by asking for it.
    """
    address = about(packet)
    return None if packet.src in ("0.0.0.0", "::") or packet.src == address else address


def about(packet: Packet) -> str | None:
    """The address that a question is about, whoever asks; None: it is none."""
    found = _neighbour(packet)
    return found.address if found is not None and found.asks else None


def _answered(packet: Packet) -> str | None:
    """The address that a packet tells the hardware address of."""
    found = _neighbour(packet)
    return found.address if found is not None and not found.asks else None


def is_upkeep(packet: Packet) -> bool:
    """It asks the one neighbour whether its known address still holds (RFC 1122, section 2.3.2.1; RFC 4861, section
    7.3.1), or may answer that: a kernel does this by itself, seconds after the packets that it was used for."""
    found = _neighbour(packet)
    return found is not None and (not found.asks or link.is_to_one(packet.record))


def _neighbour(packet: Packet) -> Neighbour | None:
    row = _TABLE.named.get(packet.protocol)
    return row.neighbour(packet) if row is not None and row.neighbour is not None else None
