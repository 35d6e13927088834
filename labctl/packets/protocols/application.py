"""What an application says in a packet: DNS, HTTP by its start line, all else as text if it is any."""

from __future__ import annotations

import re
from unicodedata import category

from labctl.packets.model import Packet
from labctl.packets.protocols import dns

DNS_PORTS = frozenset({53, 5353, 5355})
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


def dns_of(packet: Packet) -> tuple[dns.Seen, int] | None:
    """The DNS message in a packet, and where in its payload it begins: over TCP, which needs a length before it (RFC
    7766, section 8), only one that fills a segment is recognised. None: there is none."""
    if DNS_PORTS.isdisjoint((packet.sport, packet.dport)):
        return None
    if packet.protocol == "udp":
        found = dns.read(packet.payload)
        return None if found is None else (found, 0)
    if packet.tcp is None or int.from_bytes(packet.payload[:2], "big") != len(packet.payload) - 2:
        return None
    found = dns.read(packet.payload[2:])
    return None if found is None else (found, 2)


def dns_summary(found: dns.Seen) -> str:
    """`A alice.lab?`, or `A alice.lab = 10.0.0.5` (RFC 1035, section 4)."""
    asked = ", ".join(f"{one.type} {one.name}" for one in found.questions)
    if not found.is_answer:
        return f"{asked or 'nothing'}?"
    kinds = {one.type for one in found.questions}
    answers = [one.value if one.type in kinds else f"{one.type} {one.value}" for one in found.answers]
    if not asked:  # multicast DNS tells without having been asked (RFC 6762, section 6)
        answers = [f"{one.type} {one.name} = {one.value}" for one in found.answers]
        return ", ".join(answers) or found.words or "nothing"
    return f"{asked} = {', '.join(answers) or found.words or found.problem or 'no answer'}"
