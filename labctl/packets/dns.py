"""DNS answers taken apart (RFC 1035, section 4): every record, also those of a kind that isn't known here. No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from labctl.packets.application import RCODES, TYPES, type_name

NUMBERS = {name: number for number, name in TYPES.items()}
NO_SUCH_NAME = 3
_MNEMONICS = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_LONGEST = 255  # bytes of a name (RFC 1035, section 3.1)
_NAMES = frozenset({"NS", "CNAME", "PTR"})


class Malformed(ValueError):
    """Bytes that are no DNS message; its text is one sentence."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource record; `ttl` in seconds, `value` as zone files have it (RFC 1035, section 5.1; RFC 3597)."""

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True, slots=True)
class Message:
    """`questions` are (name, type); `authority` says, of a name without records, where that was found out."""

    ident: int
    rcode: int
    authoritative: bool
    truncated: bool
    questions: tuple[tuple[str, str], ...]
    answers: tuple[Entry, ...]
    authority: tuple[Entry, ...] = ()

    @property
    def mnemonic(self) -> str:
        return _MNEMONICS.get(self.rcode, f"RCODE{self.rcode}")

    @property
    def words(self) -> str:
        """What went wrong; empty: nothing."""
        return RCODES.get(self.rcode, f"error {self.rcode}")


def decode(data: bytes) -> Message:
    """Raises Malformed."""
    try:
        ident, flags, questions, answers, authority, _ = struct.unpack_from("!6H", data)
        at, asked = 12, []
        for _ in range(questions):
            name, at = _name(data, at)
            (kind,) = struct.unpack_from("!H2x", data, at)
            asked.append((name, type_name(kind)))
            at += 4
        found, at = _entries(data, at, answers)
        above, at = _entries(data, at, authority)
    except (struct.error, IndexError):
        raise Malformed(f"the DNS message ends early, after {len(data)} bytes") from None
    return Message(ident, flags & 0x0F, bool(flags & 0x0400), bool(flags & 0x0200), tuple(asked), found, above)


def _entries(data: bytes, at: int, count: int) -> tuple[tuple[Entry, ...], int]:
    out = []
    for _ in range(count):
        name, at = _name(data, at)
        kind, _, ttl, length = struct.unpack_from("!HHIH", data, at)
        at += 10
        if at + length > len(data):
            raise Malformed(f"a record says that it has {length} bytes, and {len(data) - at} are there")
        # The highest bit of a TTL means nothing (RFC 2181, section 8).
        out.append(Entry(name, type_name(kind), ttl if ttl < 1 << 31 else 0, _value(data, type_name(kind), at, length)))
        at += length
    return tuple(out), at


def _value(data: bytes, kind: str, at: int, length: int) -> str:
    end, raw = at + length, data[at : at + length]
    if kind == "A" and length == 4:
        return str(IPv4Address(raw))
    if kind == "AAAA" and length == 16:
        return str(IPv6Address(raw))
    if kind in _NAMES:
        return _last_name(data, at, end)
    if kind == "MX" and length > 2:
        return f"{int.from_bytes(raw[:2])} {_last_name(data, at + 2, end)}"
    if kind == "SRV" and length > 6:
        priority, weight, port = struct.unpack_from("!3H", raw)
        return f"{priority} {weight} {port} {_last_name(data, at + 6, end)}"
    if kind == "SOA" and length > 20:
        primary, after = _name(data, at)
        mailbox, after = _name(data, after)
        if after + 20 != end:
            raise Malformed("a SOA record has not its five numbers")
        return " ".join([primary, mailbox, *map(str, struct.unpack_from("!5I", data, after))])
    if kind == "TXT":
        return _texts(raw)
    return f"\\# {length} {raw.hex()}".rstrip()


def _last_name(data: bytes, at: int, end: int) -> str:
    name, after = _name(data, at)
    if after != end:
        raise Malformed("a record has another length than the name in it")
    return name


def _texts(raw: bytes) -> str:
    out, at = [], 0
    while at < len(raw):
        size = raw[at]
        piece = raw[at + 1 : at + 1 + size]
        if len(piece) < size:
            raise Malformed("a text is longer than its record")
        out.append('"' + _escaped(piece, b'"\\') + '"')
        at += 1 + size
    return " ".join(out)


def _name(data: bytes, at: int) -> tuple[str, int]:
    """A name with its dots, `.` for the root, and where what follows it begins.

    A pointer leads backwards, further with each one: so there are no loops, however the message was made.
    """
    labels: list[str] = []
    after, lowest, size = -1, at, 1
    while length := data[at]:
        if length & 0xC0 == 0xC0:
            place = int.from_bytes(data[at : at + 2]) & 0x3FFF
            if at + 2 > len(data):
                raise IndexError
            if place >= lowest:
                raise Malformed("a name points at itself, or forwards")
            after = at + 2 if after < 0 else after
            at = lowest = place
            continue
        if length & 0xC0:
            raise Malformed(f"a label of the unknown kind {length >> 6}")
        label = data[at + 1 : at + 1 + length]
        if len(label) < length:
            raise IndexError
        size += 1 + length
        if size > _LONGEST:
            raise Malformed(f"a name has over {_LONGEST} bytes")
        labels.append(_escaped(label, b".\\"))
        at += 1 + length
    return ".".join(labels) or ".", at + 1 if after < 0 else after


def _escaped(raw: bytes, special: bytes) -> str:
    """Printable ASCII as it is, all else as zone files write it (RFC 1035, section 5.1)."""
    return "".join(
        f"\\{chr(byte)}" if byte in special else chr(byte) if 32 <= byte < 127 else f"\\{byte:03d}" for byte in raw
    )
