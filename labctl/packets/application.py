"""What an application says in a packet: DNS by dpkt, HTTP by its start line, all else as text if it is any."""

from __future__ import annotations

import re
import struct
from unicodedata import category

from labctl.packets.model import Packet

DNS_PORTS = (53, 5353, 5355)
TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 41: "OPT"}
TYPES |= {64: "SVCB", 65: "HTTPS", 255: "ANY"}
RCODES = {0: "", 1: "format error", 2: "server failure", 3: "no such name", 4: "not implemented", 5: "refused"}
_START_LINE = re.compile(rb"(HTTP/\d\.\d \d{3}[^\r\n]*|[A-Z]{3,16} \S+ HTTP/\d\.\d)\r?\n")


def text_of(data: bytes) -> str | None:
    """The bytes as text if they are UTF-8 and mostly no control characters; a character cut at the end is left out."""
    if not data:
        return None
    for cut in range(min(4, len(data))):
        try:
            text = data[: len(data) - cut].decode()
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            return text
        # Control characters and those that aren't assigned; not those that join an emoji's parts.
        odd = sum(category(character) in ("Cc", "Cn", "Co") and character not in "\r\n\t" for character in text)
        return text if odd * 10 <= len(text) else None
    return None


def is_dns(packet: Packet) -> bool:
    return packet.protocol == "udp" and (packet.sport in DNS_PORTS or packet.dport in DNS_PORTS)


def start_line(data: bytes) -> str | None:
    """The first line of an HTTP message (RFC 9112, section 2.1), if the bytes begin with one."""
    found = _START_LINE.match(data)
    return found[1].decode("latin-1") if found else None


def http_head(data: bytes) -> tuple[str, list[tuple[str, str, int, int]], int] | None:
    """Start line, headers (name, value, offset, length) and where the body begins; None: this is no HTTP."""
    first = start_line(data)
    if first is None:
        return None
    at = data.index(b"\n") + 1
    headers: list[tuple[str, str, int, int]] = []
    while at < len(data):
        end = data.find(b"\n", at)
        line = data[at : end if end >= 0 else len(data)]
        after = at + len(line) + (end >= 0)
        if not line.strip(b"\r"):
            return first, headers, after
        name, _, value = _decoded(line).rstrip("\r").partition(":")
        headers.append((name, value.strip(), at, len(line)))
        at = after
    return first, headers, at


def _decoded(line: bytes) -> str:
    # What isn't ASCII in a header means nothing by itself (RFC 9110, section 5.5); mostly it is UTF-8.
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def dns_summary(data: bytes) -> str | None:
    """`A alice.lab?`, or `A alice.lab = 10.0.0.5`; None: this is no DNS message (RFC 1035, section 4)."""
    found = dns(data)
    if found is None:
        return None
    questions, answers, problem = found
    asked = ", ".join(f"{kind} {name}" for name, kind in questions) or "nothing"
    if answers is None:
        return f"{asked}?"
    return f"{asked} = {', '.join(answers) or problem or 'no answer'}"


def dns(data: bytes) -> tuple[list[tuple[str, str]], list[str] | None, str] | None:
    """Questions (name, type), answers (None in a question) and what went wrong in words; None: no DNS."""
    import dpkt

    try:
        message = dpkt.dns.DNS(data)
    except (dpkt.UnpackError, struct.error, IndexError, UnicodeError, ValueError):
        # dpkt knows ten kinds of records and fails on all others: the question can still be had.
        return _question(data)
    if not message.qd and not message.an:
        return None
    questions = [(one.name, type_name(one.type)) for one in message.qd]
    if not message.qr:
        return questions, None, ""
    return questions, [_answer(one) for one in message.an], RCODES.get(message.rcode, f"error {message.rcode}")


def _question(data: bytes) -> tuple[list[tuple[str, str]], list[str] | None, str] | None:
    import dpkt

    try:
        _, bits, count = struct.unpack_from(">HHH", data)
        if count != 1 or bits & 0x7800:
            return None
        name, at = dpkt.dns.unpack_name(data, 12)
        (kind,) = struct.unpack_from(">H", data, at)
    except (dpkt.UnpackError, struct.error, IndexError, UnicodeError, ValueError):
        return None
    answered = "an answer that isn't shown"
    return [(name, type_name(kind))], [answered] if bits & 0x8000 else None, ""


def type_name(number: int) -> str:
    return TYPES.get(number, f"type {number}")


def _answer(record: object) -> str:
    from labctl.packets.decode import address

    for name in ("ip", "ip6"):
        if raw := getattr(record, name, None):
            return address(raw) if len(raw) in (4, 16) else "?"
    for name in ("cname", "ptrname", "nsname", "mxname", "srvname"):
        if found := getattr(record, name, None):
            return str(found)
    return type_name(getattr(record, "type", 0))
