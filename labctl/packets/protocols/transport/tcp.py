"""TCP (RFC 9293)."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from labctl.packets.model import ACK, AE, FLAG_NAMES, RESERVED, Packet, Tcp
from labctl.packets.protocols.application.text import beginning
from labctl.packets.protocols.carried import Carried
from labctl.packets.protocols.checksum import Rule
from labctl.packets.protocols.kind import Fields, Label, Transport
from labctl.packets.protocols.reader import Layer, Reader
from labctl.packets.tcp.segment import Segment

SUM = Rule(at=16, pseudo=True, zero="partial")
_FLAG_MEANINGS = {
    "SYN": "asks to connect",
    "FIN": "sends no more",
    "RST": "breaks off",
    "PSH": "hand over now",
    "ACK": "acknowledges",
    "URG": "urgent",
}
_OPTION_NAMES = {0: "end of options", 1: "no operation", 2: "maximum segment size", 3: "window scale"}
_OPTION_NAMES |= {4: "SACK permitted", 5: "SACK", 8: "timestamps", 19: "MD5 signature", 28: "user timeout"}
_OPTION_NAMES |= {29: "authentication", 30: "multipath", 34: "fast open"}


def _decode(carried: Carried) -> Fields:
    data = carried.data
    if len(data) < 20:
        return _cut(carried) | carried.early("its TCP header", 20)
    sport, dport, seq, ack, bits, window, _, urgent = struct.unpack_from(">HHIIHHHH", data, 0)
    size = (bits >> 12) * 4
    if size < 20:
        return _cut(carried) | {"malformed": f"says its TCP header has {size} bytes"}
    options, remark = _options(data[20:size])
    remarks: dict[str, str] = carried.early("its TCP options", size) if size > len(data) else {}
    if remark and not remarks:
        remarks = {"malformed": remark}
    return {
        "sport": sport,
        "dport": dport,
        "tcp": Tcp(seq, ack, bits & 0xFFF, window, urgent=urgent, **options),
        "payload": data[size:],
        "payload_length": max(0, carried.length - size),
        "payload_offset": carried.at + min(size, len(data)),
        **carried.summed(SUM),
        **remarks,
    }


def _cut(carried: Carried) -> Fields:
    """Of a header that isn't there: ports, and in a quote the sequence number, by which it is recognised."""
    fields = carried.cut()
    if carried.quoted and len(carried.data) >= 8:
        fields["tcp"] = Tcp(struct.unpack_from(">I", carried.data, 4)[0], 0, 0, 0)
    return fields


@lru_cache(maxsize=1024)
def _options(raw: bytes) -> tuple[dict[str, Any], str]:
    """TCP's options that are known (RFC 9293, section 3.2), and a remark where the list is broken."""
    found: dict[str, Any] = {}
    at = 0
    while at < len(raw) and raw[at] != 0:
        if raw[at] == 1:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < len(raw) else 0
        if length < 2 or at + length > len(raw):
            return found, "its TCP options are broken"
        if not _option(found, raw[at], raw[at + 2 : at + length]):
            return found, "its TCP options are broken"
        at += length
    return found, ""


def _option(found: dict[str, Any], kind: int, value: bytes) -> bool:
    """Whether it has the length that its kind has."""
    size = {2: 2, 3: 1, 4: 0, 8: 8}.get(kind)
    if size is not None and len(value) != size:
        return False
    if kind == 2:
        (found["mss"],) = struct.unpack(">H", value)
    elif kind == 3:
        found["window_scale"] = value[0]
    elif kind == 4:
        found["sack_permitted"] = True
    elif kind == 5:
        if len(value) % 8 or not value:
            return False
        edges = struct.unpack(f">{len(value) // 4}I", value)
        found["sack"] = tuple(zip(edges[::2], edges[1::2], strict=True))
    elif kind == 8:
        found["timestamps"] = struct.unpack(">II", value)
    return True


def _layer(packet: Packet) -> Layer:
    reader = Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    reader.number("source port", 2)
    reader.number("target port", 2)
    reader.number("sequence number", 4, "of the first byte here")
    tcp = packet.tcp
    acked = "" if tcp is None else "the next byte that is expected" if tcp.flags & ACK else "not used"
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
    reader.checksum(packet)
    reader.number("urgent pointer", 2)
    _option_fields(reader)
    return reader.layer("transport", "TCP")


def _option_fields(reader: Reader) -> None:
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
        reader.text(_OPTION_NAMES.get(kind, f"option {kind}"), length, value, meaning)
        if kind == 0:  # what follows only fills up
            if reader.end > reader.at:
                reader.text("filling", reader.end - reader.at, f"{reader.end - reader.at} bytes")
            return


def _label(packet: Packet, segment: Segment | None) -> Label | None:
    tcp = packet.tcp
    if tcp is None:
        return None
    seq = segment.seq if segment else tcp.seq
    parts = [f"seq {seq}"]
    if tcp.flags & ACK:
        parts.append(f"ack {segment.ack if segment else tcp.ack}")
    if packet.payload_length:
        parts.append(f"len {packet.payload_length}")
    window = segment.window if segment else None
    parts.append(f"win {tcp.window}" if window is None else f"win {window}")
    if tcp.mss is not None:
        parts.append(f"mss {tcp.mss}")
    return Label(tcp.names, tuple(parts), beginning(packet), segment.phase if segment else "data")


PROTOCOLS = (
    Transport(
        name="tcp",
        words="TCP",
        numbers=(6,),
        decode=_decode,
        layer=_layer,
        label=_label,
        checksum=SUM,
        ports=True,
        stream=True,
        of_programs=lambda packet: True,
    ),
)
