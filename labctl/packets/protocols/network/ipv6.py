"""IPv6 (RFC 8200)."""

from __future__ import annotations

import struct

from labctl.packets.model import Packet, Record
from labctl.packets.protocols import link
from labctl.packets.protocols.carried import Upper
from labctl.packets.protocols.kind import Fields, Names, Network
from labctl.packets.protocols.network import extensions
from labctl.packets.protocols.network.header import address, ends_early, extension_fields, headless
from labctl.packets.protocols.reader import Layer, Reader


def _decode(data: bytes, at: int, record: Record, room: int, quoted: bool) -> tuple[Fields, Upper | None]:
    if len(data) < at + 40:
        return headless(6, data, len(data)) | ends_early("its IP header", at + 40, room, record, quoted), None
    _, length, kind, hops, src, dst = struct.unpack_from(">IHBB16s16s", data, at)
    fields: Fields = {"version": 6, "src": address(src), "dst": address(dst), "ttl": hops}
    end = at + 40 + (length or room - at - 40)
    fields |= {"total_length": end - at, "ip_checksum": "none"}
    found = extensions.chain(data, at + 40, kind, src, dst, end)
    if found.ident is not None:
        fields |= {"ip_id": found.ident, "fragment_offset": found.offset, "more_fragments": found.more}
    if found.early is not None:
        remarks = ends_early("an IPv6 extension header", found.early, min(end, room), record, quoted)
        return fields | remarks, Upper(found.number, src, dst, min(found.place, len(data)), 0, is_whole=False)
    left = end - found.place
    return fields, Upper(found.number, found.src, found.dst, found.place, left, found.offset, found.more, found.sums)


def _layer(packet: Packet, names: Names) -> Layer:
    at, found = packet.network_offset, packet.record.data
    end = packet.transport_offset if packet.transport_offset >= 0 else packet.payload_offset
    reader = Reader(found, at, max(end, at + 40))
    if at + 4 <= len(found):
        first = int.from_bytes(found[at : at + 4], "big")
        reader.text("version, class, flow label", 4, f"6, {first >> 20 & 255}, 0x{first & 0xFFFFF:05x}")
    reader.number("payload length", 2, "bytes after this header")
    kind = found[at + 6] if at + 6 < len(found) else extensions.NOTHING
    reader.number("next header", 1, names.ip.get(kind, ""))
    reader.number("hop limit", 1, "hops left")
    reader.text("source", 16, packet.src)
    reader.text("target", 16, packet.dst)
    reader.end = min(max(end, at + 40), len(found))
    extension_fields(reader, kind, names)
    return reader.layer("network", "IPv6")


PROTOCOLS = (Network(name="ipv6", words="IPv6", ethertypes=(link.IP6,), version=6, decode=_decode, layer=_layer),)
