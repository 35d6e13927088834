"""The kinds of DNS records, and what stands in one as zone files have it (RFC 1035, section 5.1; RFC 3597)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address

TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB"}
TYPES |= {21: "RT", 24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT"}
TYPES |= {39: "DNAME", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC"}
TYPES |= {48: "DNSKEY", 49: "DHCID", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS"}
TYPES |= {60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF"}
TYPES |= {108: "EUI48", 109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 256: "URI"}
TYPES |= {257: "CAA", 32768: "TA", 32769: "DLV"}
CLASSES = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
_LONGEST = 255  # bytes of a name (RFC 1035, section 3.1)
_POINTERS = 127  # in one name, which has no more labels than that
_SERVICE_KEYS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp")


class Malformed(ValueError):
    """Bytes that are no DNS message; its text is one sentence."""


def type_name(number: int) -> str:
    return TYPES.get(number, f"type {number}")


def name(data: bytes, at: int) -> tuple[str, int]:
    """A name with its dots, `.` for the root, and where what follows it begins.

    A pointer leads backwards, further with each one: so there are no loops, however the message was made.
    """
    labels: list[str] = []
    after, lowest, size, pointers = -1, at, 1, 0
    while length := data[at]:
        if length & 0xC0 == 0xC0:
            place = int.from_bytes(data[at : at + 2], "big") & 0x3FFF
            if at + 2 > len(data):
                raise IndexError
            if place >= lowest:
                raise Malformed("a name points at itself, or forwards")
            pointers += 1
            if pointers > _POINTERS:
                raise Malformed(f"a name has over {_POINTERS} pointers")
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
        labels.append(escaped(label, b".\\"))
        at += 1 + length
    return ".".join(labels) or ".", at + 1 if after < 0 else after


def escaped(raw: bytes, special: bytes) -> str:
    """Printable ASCII as it is, all else as zone files write it (RFC 1035, section 5.1)."""
    return "".join(
        f"\\{chr(byte)}" if byte in special else chr(byte) if 32 <= byte < 127 else f"\\{byte:03d}" for byte in raw
    )


def value(data: bytes, kind: str, at: int, length: int) -> str:
    """What a record of a kind has in so many bytes of a message. Raises Malformed, IndexError, struct.error."""
    reader = _READERS.get(kind)
    # A dynamic update names what is to be deleted by records without data (RFC 2136, section 2.5).
    if reader is None or (not length and kind != "OPT"):
        return unknown(data[at : at + length])
    found = reader(data, at, at + length)
    return unknown(data[at : at + length]) if found is None else found


def unknown(raw: bytes) -> str:
    """RFC 3597, section 5."""
    return f"\\# {len(raw)} {raw.hex()}".rstrip()


def texts(raw: bytes) -> str:
    out, at = [], 0
    while at < len(raw):
        size = raw[at]
        piece = raw[at + 1 : at + 1 + size]
        if len(piece) < size:
            raise Malformed("a text is longer than its record")
        out.append('"' + escaped(piece, b'"\\') + '"')
        at += 1 + size
    return " ".join(out)


def _last_name(data: bytes, at: int, end: int) -> str:
    found, after = name(data, at)
    if after != end:
        raise Malformed("a record has another length than the name in it")
    return found


def _a(data: bytes, at: int, end: int) -> str | None:
    return str(IPv4Address(data[at:end])) if end - at == 4 else None


def _aaaa(data: bytes, at: int, end: int) -> str | None:
    return str(IPv6Address(data[at:end])) if end - at == 16 else None


def _numbered(layout: str) -> Callable[[bytes, int, int], str | None]:
    """Some numbers, then a name."""
    size = struct.calcsize(layout)

    def read(data: bytes, at: int, end: int) -> str | None:
        if end - at <= size:
            return None
        return " ".join([*map(str, struct.unpack_from(layout, data, at)), _last_name(data, at + size, end)])

    return read


def _soa(data: bytes, at: int, end: int) -> str | None:
    if end - at <= 20:
        return None
    primary, after = name(data, at)
    mailbox, after = name(data, after)
    if after + 20 != end:
        raise Malformed("a SOA record has not its five numbers")
    return " ".join([primary, mailbox, *map(str, struct.unpack_from("!5I", data, after))])


def _two_names(data: bytes, at: int, end: int) -> str | None:
    first, after = name(data, at)
    return f"{first} {_last_name(data, after, end)}"


def _texts(data: bytes, at: int, end: int) -> str:
    return texts(data[at:end])


def _digest(layout: str) -> Callable[[bytes, int, int], str | None]:
    """Some numbers, then bytes in hexadecimal."""
    size = struct.calcsize(layout)

    def read(data: bytes, at: int, end: int) -> str | None:
        if end - at < size:
            return None
        return " ".join([*map(str, struct.unpack_from(layout, data, at)), data[at + size : end].hex().upper()])

    return read


def _key(data: bytes, at: int, end: int) -> str | None:
    if end - at < 4:
        return None
    flags, protocol, algorithm = struct.unpack_from("!HBB", data, at)
    return f"{flags} {protocol} {algorithm} {_base64(data[at + 4 : end])}"


def _signature(data: bytes, at: int, end: int) -> str | None:
    """RFC 4034, section 3."""
    if end - at < 19:
        return None
    kind, algorithm, labels, ttl, until, since, tag = struct.unpack_from("!HBBIIIH", data, at)
    signer, after = name(data, at + 18)
    if after > end:
        raise Malformed("a signature has a longer name than its record")
    times = f"{_time(until)} {_time(since)}"
    return f"{type_name(kind)} {algorithm} {labels} {ttl} {times} {tag} {signer} {_base64(data[after:end])}"


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}"


def _nsec(data: bytes, at: int, end: int) -> str:
    following, after = name(data, at)
    if after > end:
        raise Malformed("a record has a longer name than its length")
    return " ".join([following, *_bitmap(data[after:end])])


def _nsec3(data: bytes, at: int, end: int) -> str:
    head, after = _hashing(data, at, end)
    size = data[after]
    following = base64.b32hexencode(data[after + 1 : after + 1 + size]).decode().rstrip("=")
    return " ".join([head, following, *_bitmap(data[after + 1 + size : end])])


def _nsec3param(data: bytes, at: int, end: int) -> str:
    return _hashing(data, at, end)[0]


def _hashing(data: bytes, at: int, end: int) -> tuple[str, int]:
    algorithm, flags, rounds, size = struct.unpack_from("!BBHB", data, at)
    if at + 5 + size > end:
        raise Malformed("a salt is longer than its record")
    salt = data[at + 5 : at + 5 + size].hex().upper() or "-"
    return f"{algorithm} {flags} {rounds} {salt}", at + 5 + size


def _bitmap(raw: bytes) -> list[str]:
    """RFC 4034, section 4.1.2."""
    out, at = [], 0
    while at + 2 <= len(raw):
        window, size = raw[at], raw[at + 1]
        for place, byte in enumerate(raw[at + 2 : at + 2 + size]):
            out += [
                TYPES.get(number, f"TYPE{number}")
                for bit in range(8)
                if byte & 0x80 >> bit
                for number in [window * 256 + place * 8 + bit]
            ]
        at += 2 + size
    return out


def _caa(data: bytes, at: int, end: int) -> str | None:
    """RFC 8659, section 4."""
    if end - at < 2 or at + 2 + data[at + 1] > end:
        return None
    after = at + 2 + data[at + 1]
    tag, said = escaped(data[at + 2 : after], b" "), escaped(data[after:end], b'"\\')
    return f'{data[at]} {tag} "{said}"'


def _service(data: bytes, at: int, end: int) -> str | None:
    """RFC 9460, section 2.1."""
    if end - at < 3:
        return None
    target, place = name(data, at + 2)
    out = [str(struct.unpack_from("!H", data, at)[0]), target]
    while place + 4 <= end:
        key, size = struct.unpack_from("!HH", data, place)
        raw = data[place + 4 : place + 4 + size]
        place += 4 + size
        if place > end:
            raise Malformed("a service's parameter is longer than its record")
        word = _SERVICE_KEYS[key] if key < len(_SERVICE_KEYS) else f"key{key}"
        shown = _parameter(word, raw)
        out.append(f"{word}={shown}" if shown else word)
    return " ".join(out)


def _parameter(word: str, raw: bytes) -> str:
    if word == "alpn":
        return ",".join(texts(raw).replace('"', "").split(" "))
    if word == "port" and len(raw) == 2:
        return str(int.from_bytes(raw, "big"))
    if word == "ipv4hint":
        return ",".join(str(IPv4Address(raw[n : n + 4])) for n in range(0, len(raw) - 3, 4))
    if word == "ipv6hint":
        return ",".join(str(IPv6Address(raw[n : n + 16])) for n in range(0, len(raw) - 15, 16))
    if word == "mandatory":
        numbers = [int.from_bytes(raw[n : n + 2], "big") for n in range(0, len(raw) - 1, 2)]
        return ",".join(_SERVICE_KEYS[n] if n < len(_SERVICE_KEYS) else f"key{n}" for n in numbers)
    return _base64(raw) if word == "ech" else escaped(raw, b'"\\')


def _naptr(data: bytes, at: int, end: int) -> str | None:
    """RFC 3403, section 4.1."""
    order, preference = struct.unpack_from("!HH", data, at)
    place, strings = at + 4, []
    for _ in range(3):
        size = data[place]
        strings.append(texts(data[place : place + 1 + size]))
        place += 1 + size
    return " ".join([str(order), str(preference), *strings, _last_name(data, place, end)])


def _options(data: bytes, at: int, end: int) -> str:
    """EDNS (RFC 6891, section 6.1.2): its options, by number and length."""
    names = {3: "NSID", 8: "client subnet", 10: "cookie", 11: "TCP keepalive", 12: "padding", 15: "extended error"}
    out = []
    while at + 4 <= end:
        code, size = struct.unpack_from("!HH", data, at)
        out.append(f"{names.get(code, f'option {code}')} {data[at + 4 : at + 4 + size].hex()}".rstrip())
        at += 4 + size
    return ", ".join(out) or "no options"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_READERS: dict[str, Callable[[bytes, int, int], str | None]] = {
    "A": _a,
    "AAAA": _aaaa,
    "SOA": _soa,
    "TXT": _texts,
    "SPF": _texts,
    "HINFO": _texts,
    "RP": _two_names,
    "MX": _numbered("!H"),
    "AFSDB": _numbered("!H"),
    "RT": _numbered("!H"),
    "KX": _numbered("!H"),
    "SRV": _numbered("!3H"),
    "NAPTR": _naptr,
    "DS": _digest("!HBB"),
    "CDS": _digest("!HBB"),
    "DLV": _digest("!HBB"),
    "TLSA": _digest("!BBB"),
    "SMIMEA": _digest("!BBB"),
    "SSHFP": _digest("!BB"),
    "DNSKEY": _key,
    "CDNSKEY": _key,
    "KEY": _key,
    "RRSIG": _signature,
    "SIG": _signature,
    "NSEC": _nsec,
    "NSEC3": _nsec3,
    "NSEC3PARAM": _nsec3param,
    "CAA": _caa,
    "SVCB": _service,
    "HTTPS": _service,
    "OPT": _options,
}
_READERS |= dict.fromkeys(("NS", "CNAME", "PTR", "DNAME"), _last_name)
