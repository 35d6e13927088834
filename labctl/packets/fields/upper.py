"""The transport layer of a packet, field by field: TCP, UDP, ICMP, ICMPv6, IGMP."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET6, inet_ntop

from labctl.packets.fields import groups
from labctl.packets.fields.reader import Layer, Reader
from labctl.packets.model import AE, FLAG_NAMES, RESERVED, Checksum, Packet
from labctl.packets.protocols import words

_SUMS: dict[Checksum, str] = {
    "ok": "right",
    "partial": "not computed, but left for the network card, it seems (checksum offload)",
    "none": "none: the sender computed no checksum",
    "missing": "none, which UDP over IPv6 must have but in tunnels (RFC 6935)",
    "unknown": "can't be checked: not all that it is made of is here",
}
_FLAG_MEANINGS = {
    "SYN": "asks to connect",
    "FIN": "sends no more",
    "RST": "breaks off",
    "PSH": "hand over now",
    "ACK": "acknowledges",
    "URG": "urgent",
}
_OPTIONS = {0: "end of options", 1: "no operation", 2: "maximum segment size", 3: "window scale"}
_OPTIONS |= {4: "SACK permitted", 5: "SACK", 8: "timestamps", 19: "MD5 signature", 28: "user timeout"}
_OPTIONS |= {29: "authentication", 30: "multipath", 34: "fast open"}


def sum_words(state: Checksum, wanted: int | None) -> str:
    """What is to be said of a checksum; `wanted`: what would be right in the place of a bad one."""
    if state == "bad":
        right = "" if wanted is None else f", 0x{wanted:04x} would be right"
        return f"wrong{right}: bytes were changed, or it was never computed (checksum offload)"
    return _SUMS[state]


def upper(packet: Packet) -> Layer:
    """The layer of a packet that has a transport header."""
    return _LAYERS[packet.protocol](packet)


def _sum(reader: Reader, packet: Packet) -> None:
    reader.number("checksum", 2, sum_words(packet.checksum, packet.checksum_wanted), text="0x{:04x}")


def _tcp(packet: Packet) -> Layer:
    reader = Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    reader.number("source port", 2)
    reader.number("target port", 2)
    reader.number("sequence number", 4, "of the first byte here")
    tcp = packet.tcp
    acked = "" if tcp is None else "the next byte that is expected" if tcp.flags & 16 else "not used"
    reader.number("acknowledgement", 4, acked)
    if reader.at + 2 > reader.end:
        return reader.layer("transport", "TCP")
    size = (reader.data[reader.at] >> 4) * 4
    if tcp is None:
        reader.text("header length", 1, str(size), "bytes")
        return reader.layer("transport", "TCP")
    names = [name for bit, name in FLAG_NAMES if tcp.flags & bit]
    # The byte of the length has three reserved bits and the ninth flag (RFC 9768).
    high = [name for bit, name in ((RESERVED, f"reserved 0x{tcp.flags & RESERVED:03x}"), (AE, "AE")) if tcp.flags & bit]
    reader.text("header length", 1, ", ".join([str(size), *high]), "bytes")
    said = ", ".join(_FLAG_MEANINGS[name] for name in names if name in _FLAG_MEANINGS)
    reader.text("flags", 1, tcp.names, said)
    reader.number("window", 2, "bytes that may come, before scaling")
    _sum(reader, packet)
    reader.number("urgent pointer", 2)
    _tcp_options(reader)
    return reader.layer("transport", "TCP")


def _tcp_options(reader: Reader) -> None:
    while reader.at < reader.end:
        kind, place = reader.data[reader.at], reader.at
        length = 1 if kind < 2 else reader.data[place + 1] if place + 1 < reader.end else 0
        if length < 1 or place + length > reader.end or (kind > 1 and length < 2):
            return
        body = reader.data[place + 2 : place + length]
        value, meaning = str(int.from_bytes(body, "big")) if 0 < len(body) <= 8 else body.hex(), ""
        if kind == 3 and body:
            meaning = f"windows are to be multiplied by {2 ** min(body[0], 14)}"
        elif kind in (5, 8):
            value = ", ".join(str(int.from_bytes(body[n : n + 4], "big")) for n in range(0, len(body), 4))
            meaning = "from, to: bytes that arrived beyond a gap" if kind == 5 else "sent at, and the newest received"
        reader.text(_OPTIONS.get(kind, f"option {kind}"), length, value, meaning)
        if kind == 0:  # what follows only fills up
            if reader.end > reader.at:
                reader.text("filling", reader.end - reader.at, f"{reader.end - reader.at} bytes")
            return


def _udp(packet: Packet) -> Layer:
    reader = Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    reader.number("source port", 2)
    reader.number("target port", 2)
    reader.number("length", 2, "bytes, with this header")
    _sum(reader, packet)
    return reader.layer("transport", "UDP")


def _icmp(packet: Packet) -> Layer:
    reader = Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    six, icmp = packet.protocol == "icmp6", packet.icmp
    if icmp is None:
        return reader.layer("transport", "ICMPv6" if six else "ICMP")
    kind, code = icmp.type, icmp.code
    reader.number("type", 1, (words.ICMP6 if six else words.ICMP).get(kind, ""))
    reader.number("code", 1, words.code_name(kind, code, six))
    _sum(reader, packet)
    if icmp.seq is not None:
        reader.number("identifier", 2)
        reader.number("sequence number", 1 if kind in (42, 43, 160, 161) else 2)
        if (left := 8 - (reader.at - reader.start)) > 0:
            reader.number("local bit, state", left, text="0x{:02x}")
    elif icmp.mtu is not None and not six:
        reader.number("unused", 2)
        reader.number("MTU", 2, "bytes of the largest packet that goes through")
    elif icmp.mtu is not None:
        reader.number("MTU", 4, "bytes of the largest packet that goes through")
    elif icmp.gateway is not None and not six:
        reader.text("gateway", 4, icmp.gateway, "the better way")
    elif kind == (4 if six else 12):
        reader.number("pointer", 4 if six else 1, "the byte that is wrong")
        if not six:
            reader.number("unused", 3)
    elif reader.at < reader.end:
        reader.number("rest", 4, text="0x{:08x}")
    return reader.layer("transport", "ICMPv6" if six else "ICMP")


def _igmp(packet: Packet) -> Layer:
    reader = Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    igmp = packet.igmp
    if igmp is None:
        return reader.layer("transport", "IGMP")
    reader.number("type", 1, groups.NAMES.get(igmp.type, ""), text="0x{:02x}")
    reader.number("longest response", 1, "tenths of a second" if igmp.type == groups.QUERY else "")
    _sum(reader, packet)
    if igmp.type == groups.REPORT_3:
        reader.number("reserved", 2)
        reader.number("records", 2, ", ".join(igmp.groups))
    elif igmp.groups:
        reader.text("group", 4, igmp.groups[0], "all" if igmp.groups[0] == "0.0.0.0" else "")
    else:
        reader.number("rest", 4, text="0x{:08x}")
    return reader.layer("transport", f"IGMP version {igmp.version}")


_LAYERS: dict[str, Callable[[Packet], Layer]] = {
    "tcp": _tcp,
    "udp": _udp,
    "icmp": _icmp,
    "icmp6": _icmp,
    "igmp": _igmp,
}


def neighbour(packet: Packet) -> tuple[tuple[str, str, int, int], ...]:
    """What ICMPv6 tells behind its first eight bytes of addresses: name, value, offset and length."""
    icmp, at = packet.icmp, packet.payload_offset
    out: list[tuple[str, str, int, int]] = []
    if icmp is None or packet.protocol != "icmp6":
        return ()
    if icmp.type == 137 and icmp.gateway is not None:
        out.append(("better hop", icmp.gateway, at, 16))
        at += 16
    if icmp.target is not None:
        out.append(("target", icmp.target, at, 16))
    if icmp.type in groups.MLD and icmp.type != groups.MLD_REPORT_2 and len(packet.payload) >= 16:
        out.append(("group", inet_ntop(AF_INET6, packet.payload[:16]), at, 16))
    return tuple(out)
