"""Multicast groups, as the messages about who listens to them hold them (IGMP, and MLD in ICMPv6)."""

from __future__ import annotations

import struct
from socket import AF_INET, AF_INET6, inet_ntop

_SHOWN = 3  # groups that are named in a label


def records(data: bytes, size: int) -> tuple[str, ...]:
    """The groups of a report's records, as far as they are there (RFC 3376, section 4.2; RFC 3810, section 5.2)."""
    if len(data) < 8:
        return ()
    (count,) = struct.unpack_from(">H", data, 6)
    at = 8
    out: list[str] = []
    while len(out) < count and at + 4 + size <= len(data):
        extra, sources = struct.unpack_from(">xBH", data, at)
        out.append(inet_ntop(AF_INET if size == 4 else AF_INET6, data[at + 4 : at + 4 + size]))
        at += 4 + size + sources * size + extra * 4
    return tuple(out)


def shown(found: tuple[str, ...]) -> str:
    """The groups for a label: the first ones, and how many more there are."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{', '.join(found[:_SHOWN])}{more}"
