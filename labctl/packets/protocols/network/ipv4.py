"""IPv4 (RFC 791)."""

from __future__ import annotations

import struct

from labctl.packets.model import Packet, Record
from labctl.packets.protocols import checksum, link
from labctl.packets.protocols.carried import Upper
from labctl.packets.protocols.kind import Fields, Names, Network
from labctl.packets.protocols.network import extensions
from labctl.packets.protocols.network.header import address, ends_early, extension_fields, headless
from labctl.packets.protocols.reader import Layer, Reader, sum_words

SUM = checksum.Rule(at=10, zero="partial")
# By the three bits of flags: what is said of them.
_FLAGS = (
    ("none", ""),
    ("MF", "more fragments follow"),
    ("DF", "don't fragment"),
    ("DF+MF", "more fragments follow"),
    ("reserved", ""),
    ("reserved+MF", "more fragments follow"),
    ("reserved+DF", "don't fragment"),
    ("reserved+DF+MF", "more fragments follow"),
)


def _decode(data: bytes, at: int, record: Record, room: int, quoted: bool) -> tuple[Fields, Upper | None]:
    size = (data[at] & 15) * 4
    if size < 20:
        remark = f"says its IP header has {size} bytes, and none has less than 20"
        return headless(4, data, at + 1) | {"malformed": remark}, None
    if len(data) < at + 20:
        return headless(4, data, len(data)) | ends_early("its IP header", at + 20, room, record, quoted), None
    _, _, length, ident, bits, ttl, number, written, src, dst = struct.unpack_from(">BBHHHBBH4s4s", data, at)
    # Segmentation offload leaves the length 0 where the packet is longer than 65,535 bytes.
    total = length or room - at
    offset, more = (bits & 0x1FFF) * 8, bool(bits & 0x2000)
    fields: Fields = {
        "version": 4,
        "src": address(src),
        "dst": address(dst),
        "ip_id": ident,
        "ttl": ttl,
        "dont_fragment": bool(bits & 0x4000),
        "more_fragments": more,
        "fragment_offset": offset,
        "total_length": total,
    }
    if total < size:
        remark = f"says its IP packet has {total} bytes"
        return fields | {"malformed": remark}, Upper(number, src, dst, min(at + size, len(data)), 0, is_whole=False)
    if len(data) < at + size:
        remarks = ends_early("its IP options", at + size, room, record, quoted)
        return fields | remarks, Upper(number, src, dst, len(data), 0, is_whole=False)
    header = data[at : at + size]
    state = fields["ip_checksum"] = checksum.state(SUM, header, written)
    if state == "bad":
        fields["ip_checksum_wanted"] = checksum.wanted(header, written)
    place = at + size
    if number == extensions.AUTHENTICATION and not offset:
        found = extensions.chain(data, place, number, src, dst, at + total)
        if found.early is not None:
            remarks = ends_early("its authentication header", found.early, min(room, at + total), record, quoted)
            return fields | remarks, Upper(number, src, dst, found.place, 0, is_whole=False)
        number, place = found.number, found.place
    return fields, Upper(number, src, dst, place, at + total - place, offset, more)


def _layer(packet: Packet, names: Names) -> Layer:
    at, found = packet.network_offset, packet.record.data
    size = (found[at] & 15) * 4
    reader = Reader(found, at, min(at + max(20, size), len(found)) if packet.src else packet.payload_offset)
    reader.text("version, header length", 1, f"4, {size}", "bytes")
    tos = found[at + 1] if at + 1 < len(found) else 0
    reader.number("differentiated services", 1, ("", "ECN 1", "ECN 0", "congestion")[tos & 3])
    reader.number("total length", 2, "bytes")
    reader.number("identification", 2, "the same in all fragments" if packet.is_fragment else "")
    bits = int.from_bytes(found[at + 6 : at + 8], "big")
    flags, meaning = _FLAGS[bits >> 13]
    reader.text("flags, fragment offset", 2, f"{flags}, {(bits & 0x1FFF) * 8}", meaning)
    reader.number("time to live", 1, "hops left")
    number = found[at + 9] if at + 9 < len(found) else 0
    reader.number("protocol", 1, names.ip.get(number, ""))
    reader.number("header checksum", 2, sum_words(packet.ip_checksum, packet.ip_checksum_wanted), text="0x{:04x}")
    reader.text("source", 4, packet.src or ".".join(map(str, found[at + 12 : at + 16])))
    reader.text("target", 4, packet.dst or ".".join(map(str, found[at + 16 : at + 20])))
    if size > 20:
        reader.text("options", size - 20, f"{size - 20} bytes")
    if number == extensions.AUTHENTICATION:
        end = packet.transport_offset if packet.transport_offset >= 0 else packet.payload_offset
        reader.end = max(reader.end, min(end, len(found)))
        extension_fields(reader, number, names)
    return reader.layer("network", "IPv4")


PROTOCOLS = (
    Network(name="ipv4", words="IPv4", ethertypes=(link.IP4,), version=4, decode=_decode, layer=_layer, checksum=SUM),
)
