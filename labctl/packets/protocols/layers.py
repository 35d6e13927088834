"""One packet layer by layer, each field with its value, its bytes and what it means."""

from __future__ import annotations

from labctl.packets.model import Packet
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
    end = packet.network_offset if packet.network_offset >= 0 else packet.payload_offset
    reader = Reader(record.data, 0, max(end, 0))
    row = _TABLE.links.get(kind)
    if row is None or row.fields is None:
        if end > 0:
            reader.text("header", end, f"{end} bytes")
    else:
        row.fields(reader, record, _TABLE.words)
        _tags(packet, reader)
    return reader.layer("link", _TABLE.link_words.get(kind, f"link type {kind}"))


def _tags(packet: Packet, reader: Reader) -> None:
    if reader.at >= reader.end:
        return
    for one in unwrapped(packet.record).fields:
        if one.offset == reader.at:
            reader.text(one.name, one.length, one.value, one.meaning or _TABLE.words.ethertypes.get(one.ethertype, ""))


def _application(packet: Packet) -> Layer:
    """What is inside a datagram, a segment or a packet of a protocol that isn't decoded."""
    if packet.fragment_offset:
        return data_layer(packet)
    for row in _TABLE.inside(packet):
        if (layer := row.layer(packet)) is not None:
            return layer
    return text_layer(packet)
