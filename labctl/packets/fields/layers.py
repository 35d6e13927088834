"""One packet layer by layer, each field with its value, its bytes and what it means."""

from __future__ import annotations

from labctl.packets.fields import arp
from labctl.packets.fields.content import content, data
from labctl.packets.fields.reader import Field, Layer, Reader
from labctl.packets.fields.upper import sum_words, upper
from labctl.packets.model import Packet
from labctl.packets.protocols import extensions, link, shims, words

__all__ = ["Field", "Layer", "layers", "moment"]


def layers(packet: Packet) -> tuple[Layer, ...]:
    """The packet's layers from the link up, as far as it could be decoded. Never raises."""
    out = [_link(packet)]
    if packet.version == 4:
        out.append(_ip4(packet))
    elif packet.version == 6:
        out.append(_ip6(packet))
    elif packet.protocol in ("arp", "rarp") and packet.network_offset >= 0:
        out.append(_arp(packet))
    if packet.transport_offset >= 0:
        out.append(upper(packet))
    if packet.payload and packet.icmp is None and packet.igmp is None and not packet.fragment_offset:
        out.append(content(packet))
    elif packet.payload:
        out.append(data(packet, "quoted packet" if packet.icmp and packet.icmp.quoted else "data"))
    return tuple(layer for layer in out if layer.length or layer.fields)


def _link(packet: Packet) -> Layer:
    record = packet.record
    kind = record.interface.link_type
    end = packet.network_offset if packet.network_offset >= 0 else packet.payload_offset
    reader = Reader(record.data, 0, max(end, 0))
    if kind == link.ETHERNET:
        reader.mac("target")
        reader.mac("source")
        _inside(packet, reader)
    elif kind == link.SLL:
        types = ("to us", "broadcast", "multicast", "to others", "from us")
        sort = int.from_bytes(record.data[0:2], "big")
        reader.number("packet type", 2, types[sort] if sort < len(types) else "")
        reader.number("hardware", 2, arp.HARDWARE.get(int.from_bytes(record.data[2:4], "big"), ""))
        size = int.from_bytes(record.data[4:6], "big")
        reader.number("address length", 2)
        reader.text("source", 8, record.data[6 : 6 + min(size, 8)].hex(":"))
        _protocol(reader)
        _shims(packet, reader)
    elif kind == link.SLL2:
        _protocol(reader)
        reader.number("reserved", 2)
        reader.number("interface", 4)
        reader.number("hardware", 2)
        reader.number("packet type", 1)
        size = record.data[11] if len(record.data) > 11 else 0
        reader.number("address length", 1)
        reader.text("source", 8, record.data[12 : 12 + min(size, 8)].hex(":"))
        _shims(packet, reader)
    elif kind in (link.PPP, link.PPP_SERIAL, link.PPP_ETHERNET) and not link.is_cisco(record):
        _shims(packet, reader)
    elif link.is_cisco(record):
        reader.number("address", 1, text="0x{:02x}")
        reader.number("control", 1, text="0x{:02x}")
        _inside(packet, reader)
    elif end > 0:
        reader.text("header", end, f"{end} bytes")
    return reader.layer("link", link.NAMES.get(kind, link.OTHERS.get(kind, f"link type {kind}")))


def _inside(packet: Packet, reader: Reader) -> None:
    """The type of what is inside, and what stands before that."""
    _ethertype(reader)
    _shims(packet, reader)


def _ethertype(reader: Reader) -> None:
    found = int.from_bytes(reader.data[reader.at : reader.at + 2], "big")
    if found <= shims.LONGEST_802_3:
        reader.number("length", 2, "bytes")
    else:
        reader.number("type", 2, shims.words_of(found), text="0x{:04x}")


def _protocol(reader: Reader) -> None:
    """What Linux calls the protocol inside: an EtherType, or a number of its own, but no length."""
    found = int.from_bytes(reader.data[reader.at : reader.at + 2], "big")
    reader.number("type", 2, shims.words_of(found), text="0x{:04x}")


def _shims(packet: Packet, reader: Reader) -> None:
    if reader.at >= reader.end:
        return
    try:
        found = link.within(packet.record).fields
    except (IndexError, ValueError):  # the header isn't whole: then nothing is behind it
        return
    for one in found:
        if one.offset == reader.at:
            reader.text(one.name, one.length, one.value, one.meaning)


def _ip4(packet: Packet) -> Layer:
    at, found = packet.network_offset, packet.record.data
    size = (found[at] & 15) * 4
    reader = Reader(found, at, min(at + max(20, size), len(found)) if packet.src else packet.payload_offset)
    reader.text("version, header length", 1, f"4, {size}", "bytes")
    tos = found[at + 1] if at + 1 < len(found) else 0
    reader.number("differentiated services", 1, ("", "ECN 1", "ECN 0", "congestion")[tos & 3])
    reader.number("total length", 2, "bytes")
    reader.number("identification", 2, "the same in all fragments" if packet.is_fragment else "")
    bits = int.from_bytes(found[at + 6 : at + 8], "big")
    flags = [name for name, on in (("reserved", 0x8000), ("DF", 0x4000), ("MF", 0x2000)) if bits & on]
    meaning = {"DF": "don't fragment", "MF": "more fragments follow"}.get(flags[-1], "") if flags else ""
    reader.text("flags, fragment offset", 2, f"{'+'.join(flags) or 'none'}, {(bits & 0x1FFF) * 8}", meaning)
    reader.number("time to live", 1, "hops left")
    number = found[at + 9] if at + 9 < len(found) else 0
    reader.number("protocol", 1, words.PROTOCOLS.get(number, ""))
    reader.number("header checksum", 2, sum_words(packet.ip_checksum, packet.ip_checksum_wanted), text="0x{:04x}")
    reader.text("source", 4, ".".join(map(str, found[at + 12 : at + 16])))
    reader.text("target", 4, ".".join(map(str, found[at + 16 : at + 20])))
    if size > 20:
        reader.text("options", size - 20, f"{size - 20} bytes")
    if number == extensions.AUTHENTICATION:
        end = packet.transport_offset if packet.transport_offset >= 0 else packet.payload_offset
        reader.end = max(reader.end, min(end, len(found)))
        _extensions(reader, number)
    return reader.layer("network", "IPv4")


def _ip6(packet: Packet) -> Layer:
    at, found = packet.network_offset, packet.record.data
    end = packet.transport_offset if packet.transport_offset >= 0 else packet.payload_offset
    reader = Reader(found, at, max(end, at + 40))
    if at + 4 <= len(found):
        first = int.from_bytes(found[at : at + 4], "big")
        reader.text("version, class, flow label", 4, f"6, {first >> 20 & 255}, 0x{first & 0xFFFFF:05x}")
    reader.number("payload length", 2, "bytes after this header")
    kind = found[at + 6] if at + 6 < len(found) else extensions.NOTHING
    reader.number("next header", 1, words.PROTOCOLS.get(kind, ""))
    reader.number("hop limit", 1, "hops left")
    reader.text("source", 16, packet.src)
    reader.text("target", 16, packet.dst)
    reader.end = min(max(end, at + 40), len(found))
    _extensions(reader, kind)
    return reader.layer("network", "IPv6")


def _extensions(reader: Reader, kind: int) -> None:
    while kind in extensions.EXTENSIONS and reader.at + 8 <= reader.end:
        place, found = reader.at, reader.data
        following = words.PROTOCOLS.get(found[place], str(found[place]))
        length = extensions.length_of(found, place, kind)
        value = f"{length} bytes"
        if kind == extensions.FRAGMENT:
            bits, number = int.from_bytes(found[place + 2 : place + 4], "big"), found[place + 4 : place + 8]
            more = ", more follow" if bits & 1 else ""
            value = f"offset {bits & 0xFFF8}, id {int.from_bytes(number, 'big')}{more}"
        elif kind == extensions.ROUTING:
            value = f"type {found[place + 2]}, {found[place + 3]} left"
        reader.text(words.PROTOCOLS.get(kind, f"extension {kind}"), length, value, f"then {following}")
        if reader.at < place + length or len(reader.fields) > 100:
            return
        kind = found[place]


def _arp(packet: Packet) -> Layer:
    found, at = packet.record.data, packet.network_offset
    reader = Reader(found, at, packet.payload_offset if packet.arp else min(at + 8, len(found)))
    hardware = int.from_bytes(found[at : at + 2], "big")
    kind = int.from_bytes(found[at + 2 : at + 4], "big")
    reader.number("hardware", 2, arp.HARDWARE.get(hardware, ""))
    reader.number("protocol", 2, shims.words_of(kind), text="0x{:04x}")
    size = found[reader.at] if reader.at < len(found) else 0
    reader.number("hardware length", 1)
    reader.number("protocol length", 1)
    reader.number("operation", 2, arp.OPERATIONS.get(int.from_bytes(found[at + 6 : at + 8], "big"), ""))
    if packet.arp:
        for whose, address, mac in (
            ("sender", packet.src, packet.arp.sender_mac),
            ("target", packet.dst, packet.arp.target_mac),
        ):
            if size:
                reader.text(f"{whose}'s hardware address", size, mac)
            reader.text(f"{whose}'s address", 4, address)
    return reader.layer("network", packet.protocol.upper())


def moment(packet: Packet) -> str:
    """When the packet was captured, as words.moment says it."""
    return words.moment(packet.ts_ns)
