"""What a packet carries, as a layer: DNS, HTTP, text, a quoted packet, or bytes."""

from __future__ import annotations

from labctl.packets.fields import upper
from labctl.packets.fields.reader import Field, Layer
from labctl.packets.model import Packet
from labctl.packets.protocols import application, dns, words

_OPERATIONS = ("query", "inverse query", "status", "operation 3", "notify", "update", "stateful")
_BITS = {0x0400: "authoritative", 0x0200: "truncated", 0x0100: "recursion desired", 0x0080: "recursion available"}
_BITS |= {0x0020: "authentic", 0x0010: "checking disabled"}


def content(packet: Packet) -> Layer:
    """What is inside a datagram, a segment or a packet of a protocol that isn't decoded."""
    at, data = packet.payload_offset, packet.payload
    if (found := application.dns_of(packet)) is not None:
        return _dns(found[0], at, found[1], len(data))
    if packet.protocol == "tcp" and (head := application.http_head(data)) is not None:
        line, headers, body = head
        fields = [Field("start line", line, at, len(line))]
        fields += [Field(name, value, at + offset, length) for name, value, offset, length in headers]
        if body < len(data):
            fields.append(_body("body", data[body:], at + body))
        return Layer("application", "HTTP", at, len(data), tuple(fields))
    field = _body("text", data, at)
    return Layer("application", field.name, at, len(data), (field,))


def _body(name: str, data: bytes, at: int) -> Field:
    """Bytes that are text, under that name, or else `data`: the two are drawn in different ways."""
    text = application.text_of(data)
    return Field("data", f"{len(data)} bytes", at, len(data)) if text is None else Field(name, text, at, len(data))


def data(packet: Packet, name: str) -> Layer:
    """Bytes that stand for themselves, or for the packet that an ICMP error quotes."""
    at, found = packet.payload_offset, packet.payload
    if packet.icmp is not None and packet.icmp.quoted is not None:
        quoted = packet.icmp.quoted
        ends = f" {words.ends(quoted)}" if quoted.src else ""
        field = Field("quotes", f"{quoted.protocol.upper()}{ends}", at, len(found))
        return Layer("application", name, at, len(found), (field,))
    fields = [Field(*one) for one in upper.neighbour(packet)]
    used = sum(field.length for field in fields)
    if used < len(found):
        fields.append(Field("data", f"{len(found) - used} bytes", at + used, len(found) - used))
    return Layer("application", name, at, len(found), tuple(fields))


def _dns(found: dns.Seen, at: int, start: int, size: int) -> Layer:
    fields = [Field("length", str(size - start), at, start, "bytes")] if start else []
    begin = at + start
    operation = found.flags >> 11 & 15
    words_ = ["answer" if found.is_answer else "question"]
    words_ += [_OPERATIONS[operation]] if operation and operation < len(_OPERATIONS) else []
    words_ += [name for bit, name in _BITS.items() if found.flags & bit]
    fields.append(Field("identifier", f"0x{found.ident:04x}", begin, 2))
    fields.append(Field("flags", f"0x{found.flags:04x}", begin + 2, 2, ", ".join(words_)))
    for place, (name, count) in enumerate(
        zip(("questions", "answers", "authorities", "additional"), found.counts, strict=True)
    ):
        fields.append(Field(name, str(count), begin + 4 + 2 * place, 2))
    fields += [Field("question", f"{one.type} {one.name}", begin + one.offset, one.length) for one in found.questions]
    for name, entries in (
        ("answer", found.answers),
        ("authority", found.authority),
        ("additional", found.additional),
    ):
        for one in entries:
            life = "" if one.type == "OPT" else f"kept for {one.ttl} s"
            value = f"{one.type} {one.name} = {one.value}"
            fields.append(Field(name, value, begin + one.offset, one.length, life))
    if found.is_answer and found.words:
        fields.append(Field("error", found.words, begin + 3, 1))
    if found.problem:
        fields.append(Field("unread", found.problem, begin, size - start))
    return Layer("application", "DNS", at, size, tuple(fields))
