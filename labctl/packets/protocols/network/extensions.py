"""IPv6's extension headers (RFC 8200, section 4), and IPv4's one (AH): what they lead to."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, NOTHING, DESTINATION = 0, 43, 44, 51, 59, 60
EXTENSIONS = (HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION)
WORDS = {HOP_BY_HOP: "hop-by-hop options", ROUTING: "routing header", FRAGMENT: "fragment"}
WORDS |= {DESTINATION: "destination options"}
_HOME_ADDRESS = 201  # an option (RFC 6275, section 6.3)
_SOURCE_ROUTE, _MOBILE, _SEGMENTS = 0, 2, 4  # kinds of routing headers: RFC 2460, RFC 6275, RFC 8754


@dataclass(slots=True)
class Chain:
    """Where the headers end and what comes then: `number` as in IP's own header. `offset` and the rest of a fragment
    are those of the first such header. `src` and `dst` are what a checksum is made of (RFC 8200, section 8.1); `sums`
    False: that can't be told. `early`: the byte up to which a header would go on that isn't whole."""

    number: int
    place: int
    src: bytes
    dst: bytes
    sums: bool = True
    offset: int = 0
    more: bool = False
    ident: int | None = None
    early: int | None = None


def chain(data: bytes, at: int, number: int, src: bytes, dst: bytes, end: int) -> Chain:
    """Follows the headers from the byte `at` on; they are within `end`, the packet's own."""
    found = Chain(number, at, src, dst)
    while found.number in EXTENSIONS and not found.offset:
        place, this = found.place, found.number
        if place + 8 > min(end, len(data)):
            found.early = place + 8
            return found
        length = length_of(data, place, this)
        if this == FRAGMENT:
            _fragment(data, place, found)
        elif place + length > min(end, len(data)):
            found.early = place + length
            return found
        elif this == ROUTING:
            _routing(data[place : place + length], found)
        elif this == DESTINATION:
            _home(data[place : place + length], found)
        found.number, found.place = data[place], place + length
    return found


def length_of(data: bytes, place: int, number: int) -> int:
    """Bytes of the header that begins there."""
    if number == FRAGMENT:
        return 8
    return (data[place + 1] + 2) * 4 if number == AUTHENTICATION else (data[place + 1] + 1) * 8


def _fragment(data: bytes, place: int, found: Chain) -> None:
    _, _, bits, number = struct.unpack_from(">BBHI", data, place)
    if found.ident is not None:  # a fragment of a fragment: all that is known of it is that it is one
        found.sums = False
        found.offset = found.offset or bits & 0xFFF8
        return
    found.offset, found.more, found.ident = bits & 0xFFF8, bool(bits & 1), number


def _routing(header: bytes, found: Chain) -> None:
    """The target that counts is the last one of the route."""
    kind, left = header[2], header[3]
    if not left:
        return
    last = {_SOURCE_ROUTE: header[-16:], _MOBILE: header[8:24], _SEGMENTS: header[8:24]}.get(kind, b"")
    if len(header) < 24 or not last:
        found.sums = False
    else:
        found.dst = last


def _home(header: bytes, found: Chain) -> None:
    """The source that counts is a mobile node's home address."""
    at = 2
    while at + 2 <= len(header):
        kind, length = header[at], header[at + 1]
        if kind == 0:
            at += 1
            continue
        if kind == _HOME_ADDRESS and length == 16 and at + 18 <= len(header):
            found.src = header[at + 2 : at + 18]
        at += 2 + length
