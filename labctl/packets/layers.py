"""One packet layer by layer, each field with its value, its bytes and what it means."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.packets import application, link, words
from labctl.packets.model import FLAG_NAMES, Checksum, Packet


@dataclass(frozen=True, slots=True)
class Field:
    """`value` as people write it; `offset` and `length` in bytes of the captured data; `meaning` may be empty."""

    name: str
    value: str
    offset: int
    length: int
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """`level` is link, network, transport or application; `name` its protocol here."""

    level: str
    name: str
    offset: int
    length: int
    fields: tuple[Field, ...]


_SUMS: dict[Checksum, str] = {
    "ok": "right",
    "bad": "wrong: bytes were changed on the way",
    "partial": "left for the network card to complete (checksum offload)",
    "none": "not used",
    "unknown": "can't be checked: not all bytes are here",
}
_FLAG_MEANINGS = {
    "SYN": "asks to connect",
    "FIN": "sends no more",
    "RST": "breaks off",
    "PSH": "hand over now",
    "ACK": "acknowledges",
    "URG": "urgent",
}


def layers(packet: Packet) -> tuple[Layer, ...]:
    """The packet's layers from the link up, as far as it could be decoded. Never raises."""
    out = [_link(packet)]
    if packet.version == 4:
        out.append(_ip4(packet))
    elif packet.version == 6:
        out.append(_ip6(packet))
    elif packet.arp is not None:
        out.append(_arp(packet))
    if packet.transport_offset >= 0:
        found = {"tcp": _tcp, "udp": _udp, "icmp": _icmp, "icmp6": _icmp}[packet.protocol](packet)
        out.append(found)
    if packet.payload and packet.icmp is None and not packet.fragment_offset:
        out.append(_application(packet))
    elif packet.payload:
        name = "quoted packet" if packet.icmp and packet.icmp.quoted else "data"
        out.append(_data(packet, name))
    return tuple(layer for layer in out if layer.length or layer.fields)


class _Reader:
    """Fields cut out of a header one after the other, as far as there are bytes."""

    def __init__(self, data: bytes, at: int, end: int | None = None) -> None:
        self.data, self.at, self.start = data, at, at
        self.end = len(data) if end is None else min(end, len(data))
        self.fields: list[Field] = []

    def number(self, name: str, length: int, meaning: str = "", *, text: str = "{}") -> int:
        raw = self._take(length)
        value = int.from_bytes(raw, "big")
        if len(raw) == length:
            self.fields.append(Field(name, text.format(value), self.at - length, length, meaning))
        return value

    def text(self, name: str, length: int, value: str, meaning: str = "") -> None:
        if len(self._take(length)) == length:
            self.fields.append(Field(name, value, self.at - length, length, meaning))

    def mac(self, name: str) -> None:
        raw = self.data[self.at : self.at + 6]
        self.text(name, 6, raw.hex(":"), "everybody" if raw == b"\xff" * 6 else "")

    def _take(self, length: int) -> bytes:
        raw = self.data[self.at : min(self.at + length, self.end)]
        self.at += len(raw)
        return raw

    def layer(self, level: str, name: str) -> Layer:
        return Layer(level, name, self.start, self.at - self.start, tuple(self.fields))


def _link(packet: Packet) -> Layer:
    record = packet.record
    kind = record.interface.link_type
    end = packet.network_offset if packet.network_offset >= 0 else packet.payload_offset
    reader = _Reader(record.data, 0, max(end, 0))
    if kind == link.ETHERNET:
        reader.mac("target")
        reader.mac("source")
        _ethertype(reader)
    elif kind == link.SLL:
        types = ("to us", "broadcast", "multicast", "to others", "from us")
        sort = int.from_bytes(record.data[0:2], "big")
        reader.number("packet type", 2, types[sort] if sort < len(types) else "")
        reader.number("hardware", 2, "Ethernet" if record.data[2:4] == b"\0\1" else "")
        reader.number("address length", 2)
        reader.text("source", 8, record.data[6:12].hex(":"))
        _ethertype(reader)
    elif kind == link.SLL2:
        _ethertype(reader)
        reader.number("reserved", 2)
        reader.number("interface", 4)
        reader.number("hardware", 2)
        reader.number("packet type", 1)
        reader.number("address length", 1)
        reader.text("source", 8, record.data[12:18].hex(":"))
    elif end > 0:
        reader.text("header", end, f"{end} bytes")
    return reader.layer("link", link.NAMES.get(kind, f"link type {kind}"))


def _ethertype(reader: _Reader) -> None:
    found = int.from_bytes(reader.data[reader.at : reader.at + 2], "big")
    reader.number("type", 2, words.ETHERTYPES.get(found, ""), text="0x{:04x}")
    while found in (0x8100, 0x88A8, 0x9100) and reader.at + 4 <= reader.end:
        tag = int.from_bytes(reader.data[reader.at : reader.at + 2], "big")
        reader.text("VLAN", 2, str(tag & 0xFFF), f"priority {tag >> 13}")
        found = int.from_bytes(reader.data[reader.at : reader.at + 2], "big")
        reader.number("type", 2, words.ETHERTYPES.get(found, ""), text="0x{:04x}")


def _ip4(packet: Packet) -> Layer:
    at, data = packet.network_offset, packet.record.data
    size = (data[at] & 15) * 4
    reader = _Reader(data, at, at + max(20, size))
    reader.text("version, header length", 1, f"4, {size}", "bytes")
    tos = data[at + 1] if at + 1 < len(data) else 0
    reader.number("differentiated services", 1, ("", "ECN 1", "ECN 0", "congestion")[tos & 3])
    reader.number("total length", 2, "bytes")
    reader.number("identification", 2, "the same in all fragments" if packet.is_fragment else "")
    flags = [name for name, on in (("DF", packet.dont_fragment), ("MF", packet.more_fragments)) if on]
    meaning = {"DF": "don't fragment", "MF": "more fragments follow"}.get(flags[0], "") if flags else ""
    reader.text("flags, fragment offset", 2, f"{'+'.join(flags) or 'none'}, {packet.fragment_offset}", meaning)
    reader.number("time to live", 1, "hops left")
    number = data[at + 9] if at + 9 < len(data) else 0
    reader.number("protocol", 1, words.PROTOCOLS.get(number, ""))
    reader.number("header checksum", 2, _SUMS[packet.ip_checksum], text="0x{:04x}")
    reader.text("source", 4, packet.src)
    reader.text("target", 4, packet.dst)
    if size > 20:
        reader.text("options", size - 20, f"{size - 20} bytes")
    return reader.layer("network", "IPv4")


def _ip6(packet: Packet) -> Layer:
    at, data = packet.network_offset, packet.record.data
    end = packet.transport_offset if packet.transport_offset >= 0 else packet.payload_offset
    reader = _Reader(data, at, max(end, at + 40))
    first = int.from_bytes(data[at : at + 4], "big")
    reader.text("version, class, flow label", 4, f"6, {first >> 20 & 255}, 0x{first & 0xFFFFF:05x}")
    reader.number("payload length", 2, "bytes after this header")
    kind = data[at + 6] if at + 6 < len(data) else 59
    reader.number("next header", 1, words.PROTOCOLS.get(kind, ""))
    reader.number("hop limit", 1, "hops left")
    reader.text("source", 16, packet.src)
    reader.text("target", 16, packet.dst)
    while reader.at + 8 <= min(end, len(data)):
        place = reader.at
        following = words.PROTOCOLS.get(data[place], str(data[place]))
        length = 8 if kind == 44 else (data[place + 1] + 2) * 4 if kind == 51 else (data[place + 1] + 1) * 8
        value = f"offset {packet.fragment_offset}, id {packet.ip_id}" if kind == 44 else f"{length} bytes"
        reader.text(words.PROTOCOLS.get(kind, f"extension {kind}"), length, value, f"then {following}")
        if reader.at < place + length:
            break
        kind = data[place]
    return reader.layer("network", "IPv6")


def _arp(packet: Packet) -> Layer:
    reader = _Reader(packet.record.data, packet.network_offset, packet.payload_offset)
    reader.number("hardware", 2, "Ethernet")
    reader.number("protocol", 2, "IPv4", text="0x{:04x}")
    reader.number("hardware length", 1)
    reader.number("protocol length", 1)
    operation = packet.arp.operation if packet.arp else 0
    reader.number("operation", 2, {1: "who has the target's address?", 2: "I have the sender's"}.get(operation, ""))
    reader.mac("sender's hardware address")
    reader.text("sender's address", 4, packet.src)
    reader.mac("target's hardware address")
    reader.text("target's address", 4, packet.dst)
    return reader.layer("network", "ARP")


def _tcp(packet: Packet) -> Layer:
    reader = _Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    reader.number("source port", 2)
    reader.number("target port", 2)
    reader.number("sequence number", 4, "of the first byte here")
    acked = packet.tcp is not None and packet.tcp.flags & 16
    reader.number("acknowledgement", 4, "the next byte that is expected" if acked else "not used")
    tcp = packet.tcp
    if tcp is None or reader.at + 2 > reader.end:
        return reader.layer("transport", "TCP")
    size = (reader.data[reader.at] >> 4) * 4
    names = [name for bit, name in FLAG_NAMES if tcp.flags & bit]
    reader.text("header length", 1, str(size), "bytes")
    said = ", ".join(_FLAG_MEANINGS[name] for name in names if name in _FLAG_MEANINGS)
    reader.text("flags", 1, tcp.names, said)
    reader.number("window", 2, "bytes that may come, before scaling")
    reader.number("checksum", 2, _SUMS[packet.checksum], text="0x{:04x}")
    reader.number("urgent pointer", 2)
    _tcp_options(reader)
    return reader.layer("transport", "TCP")


def _tcp_options(reader: _Reader) -> None:
    names = {0: "end of options", 1: "no operation", 2: "maximum segment size", 3: "window scale"}
    names |= {4: "SACK permitted", 5: "SACK", 8: "timestamps"}
    while reader.at < reader.end:
        kind, place = reader.data[reader.at], reader.at
        length = 1 if kind < 2 else reader.data[place + 1] if place + 1 < reader.end else 0
        if length < 1 or place + length > reader.end or (kind > 1 and length < 2):
            return
        body = reader.data[place + 2 : place + length]
        value, meaning = str(int.from_bytes(body, "big")) if body else "", ""
        if kind == 3 and body:
            meaning = f"windows are to be multiplied by {2 ** min(body[0], 14)}"
        elif kind in (5, 8):
            value = ", ".join(str(int.from_bytes(body[n : n + 4], "big")) for n in range(0, len(body), 4))
            meaning = "from, to: bytes that arrived beyond a gap" if kind == 5 else "sent at, and the newest received"
        reader.text(names.get(kind, f"option {kind}"), length, value, meaning)


def _udp(packet: Packet) -> Layer:
    reader = _Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    reader.number("source port", 2)
    reader.number("target port", 2)
    reader.number("length", 2, "bytes, with this header")
    reader.number("checksum", 2, _SUMS[packet.checksum], text="0x{:04x}")
    return reader.layer("transport", "UDP")


def _icmp(packet: Packet) -> Layer:
    reader = _Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    six, icmp = packet.protocol == "icmp6", packet.icmp
    kind, code = (icmp.type, icmp.code) if icmp else (-1, 0)
    reader.number("type", 1, (words.ICMP6 if six else words.ICMP).get(kind, ""))
    reader.number("code", 1, words.code_name(kind, code, six))
    reader.number("checksum", 2, _SUMS[packet.checksum], text="0x{:04x}")
    if icmp is not None and icmp.seq is not None:
        reader.number("identifier", 2)
        reader.number("sequence number", 2)
    elif reader.at < reader.end:
        reader.number("rest", 4, text="0x{:08x}")
    return reader.layer("transport", "ICMPv6" if six else "ICMP")


def _application(packet: Packet) -> Layer:
    at, data = packet.payload_offset, packet.payload
    if application.is_dns(packet) and (found := application.dns(data)) is not None:
        questions, answers, problem = found
        fields = [Field("question", f"{kind} {name}", at, len(data)) for name, kind in questions]
        fields += [Field("answer", answer, at, len(data)) for answer in answers or ()]
        if problem:
            fields.append(Field("error", problem, at, len(data)))
        return Layer("application", "DNS", at, len(data), tuple(fields))
    if packet.protocol == "tcp" and (head := application.http_head(data)) is not None:
        line, headers, body = head
        fields = [Field("start line", line, at, len(line))]
        fields += [Field(name, value, at + offset, length) for name, value, offset, length in headers]
        if body < len(data):
            text = application.text_of(data[body:])
            fields.append(Field("body", text or f"{len(data) - body} bytes", at + body, len(data) - body))
        return Layer("application", "HTTP", at, len(data), tuple(fields))
    return _data(packet, "")


def _data(packet: Packet, name: str) -> Layer:
    at, data = packet.payload_offset, packet.payload
    if packet.icmp is not None and packet.icmp.quoted is not None:
        quoted = packet.icmp.quoted
        value = f"{quoted.protocol.upper()} {words.ends(quoted)}"
        return Layer("application", name, at, len(data), (Field("quotes", value, at, len(data)),))
    text = None if name else application.text_of(data)
    if text is None:
        return Layer(
            "application", name or "data", at, len(data), (Field("data", f"{len(data)} bytes", at, len(data)),)
        )
    return Layer("application", "text", at, len(data), (Field("text", text, at, len(data)),))


def moment(packet: Packet) -> str:
    """When the packet was captured, as words.moment says it."""
    return words.moment(packet.ts_ns)
