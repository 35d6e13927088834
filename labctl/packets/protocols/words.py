"""Times and the ends of a packet, as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

from labctl.packets.model import Packet

# Seconds since the epoch of the years 1 and 10000: RFC 3339 has no others, but a capture file can.
_FIRST, _BEYOND = -62_135_596_800, 253_402_300_800


def moment(nanoseconds: int) -> str:
    """A time since the epoch as RFC 3339 with nanoseconds; as `12345.678901234 s since 1970` where that has no word."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    if _FIRST <= seconds < _BEYOND:
        return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()}.{rest:09d}Z"
    seconds, rest = divmod(abs(nanoseconds), 1_000_000_000)
    return f"{'-' if nanoseconds < 0 else ''}{seconds}.{rest:09d} s since 1970"


def ends(packet: Packet) -> str:
    """10.0.0.1:4000 > 10.0.0.2:80"""
    return f"{end(packet.src, packet.sport)} > {end(packet.dst, packet.dport)}"


def end(host: str, port: int | None) -> str:
    """An address, with its port where it has one (RFC 3986, section 3.2.2 on brackets)."""
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
