"""One packet layer by layer, each field with its value, its bytes and what it means."""

from __future__ import annotations

from functools import lru_cache

from labctl.packets.model import Interface, Packet, Record
from labctl.packets.protocols import table
from labctl.packets.protocols.application.text import data_layer, text_layer
from labctl.packets.protocols.frame import unwrapped
from labctl.packets.protocols.kind import Network, Transport
from labctl.packets.protocols.reader import Field, Layer, Reader

__all__ = ["Field", "Layer", "layers"]

_TABLE = table()


def layers(packet: Packet) -> tuple[Layer, ...]:
    """The packet's layers from the link up, as far as it could be decoded. Never raises."""
    out = [_link(packet)]
    if (network := _network(packet)) is not None:
        out.append(network.layer(packet, _TABLE.words))
    row = _TABLE.named.get(packet.protocol) if packet.transport_offset >= 0 else None
    transport = row if isinstance(row, Transport) else None
    if transport is not None:
        out.append(transport.layer(packet))
    if packet.payload:
        inside = transport.inside(packet) if transport is not None and transport.inside is not None else None
        out.append(inside or _application(packet))
    return tuple(layer for layer in out if layer.length or layer.fields)


def _network(packet: Packet) -> Network | None:
    if packet.version:
        return _TABLE.versions[packet.version]
    row = _TABLE.named.get(packet.protocol) if packet.network_offset >= 0 else None
    return row if isinstance(row, Network) else None


def _link(packet: Packet) -> Layer:
    record = packet.record
    kind = record.interface.link_type
    end = max(packet.network_offset if packet.network_offset >= 0 else packet.payload_offset, 0)
    header, rest = _header(kind, record.interface.order, record.data[:end], end)
    if not rest:
        return header
    reader = Reader(record.data, header.length, end)
    for one in unwrapped(record).fields:
        if one.offset == reader.at:
            reader.text(one.name, one.length, one.value, one.meaning or _TABLE.words.ethertypes.get(one.ethertype, ""))
    return Layer(header.level, header.name, 0, reader.at, (*header.fields, *reader.fields))


@lru_cache(maxsize=256)
def _header(kind: int, order: str, data: bytes, end: int) -> tuple[Layer, bool]:
    """A link's own header, and whether anything stands between that and the network layer. Of the packets that go one
    way most have the same."""
    reader = Reader(data, 0, end)
    row = _TABLE.links.get(kind)
    has_fields = row is not None and row.fields is not None
    if row is not None and row.fields is not None:
        row.fields(reader, Record(0, data, len(data), Interface(0, "", kind, order)), _TABLE.words)
    elif end > 0:
        reader.text("header", end, f"{end} bytes")
    layer = reader.layer("link", _TABLE.link_words.get(kind, f"link type {kind}"))
    return layer, has_fields and reader.at < reader.end


def _application(packet: Packet) -> Layer:
    """What is inside a datagram, a segment or a packet of a protocol that isn't decoded."""
    if packet.fragment_offset:
        return data_layer(packet)
    for row in _TABLE.inside(packet):
        if (layer := row.layer(packet)) is not None:
            return layer
    return text_layer(packet)
