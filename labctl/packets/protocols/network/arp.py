"""ARP and its kin (RFC 826, 903, 2390) on any hardware."""

from __future__ import annotations

import struct
from socket import AF_INET, inet_ntop

from labctl.packets.model import Arp, Packet, Record
from labctl.packets.protocols import link
from labctl.packets.protocols.carried import Upper
from labctl.packets.protocols.ending import early
from labctl.packets.protocols.kind import Fields, Label, Names, Neighbour, Network
from labctl.packets.protocols.reader import Layer, Reader
from labctl.packets.tcp.segment import Segment

REQUEST, REPLY = 1, 2
OPERATIONS = {
    REQUEST: "who has the target's address?",
    REPLY: "I have the sender's",
    3: "which address has the target's hardware? (RARP)",
    4: "the target's address (RARP)",
    5: "dynamic RARP request",
    6: "dynamic RARP reply",
    7: "dynamic RARP error",
    8: "which address has the target's hardware? (inverse ARP)",
    9: "I have the sender's (inverse ARP)",
    10: "no",
    23: "the sender leaves (MAPOS)",
}
HARDWARE = {1: "Ethernet", 6: "IEEE 802", 7: "ARCNET", 15: "frame relay", 16: "ATM", 19: "ATM", 24: "IEEE 1394"}
HARDWARE |= {18: "Fibre Channel", 20: "serial line", 32: "InfiniBand"}
_ATM = 19  # its addresses have lengths of their own (RFC 2225)


def _decode(protocol: str, data: bytes, at: int, record: Record) -> Fields:
    fields: Fields = {"protocol": protocol, "network_offset": at, "payload_offset": at}
    if at + 8 > len(data):
        return fields | early(f"its {protocol.upper()} message", at + 8, record.original_length, record)
    hardware, kind, size, length, operation = struct.unpack_from(">HHBBH", data, at)
    rest: Fields = fields | {"payload_offset": at + 8, "payload": data[at + 8 :]}  # behind what all of them begin with
    if hardware == _ATM or kind != link.IP4 or length != 4:
        what = f"for hardware {hardware} and protocol 0x{kind:04x}"
        return rest | {"unread": f"an {protocol.upper()} message {what} isn't decoded"}
    end = at + 8 + 2 * (size + 4)
    if end > len(data):
        return rest | early(f"its {protocol.upper()} message", end, record.original_length, record)
    mine, other = at + 8, at + 12 + size
    return fields | {
        "src": inet_ntop(AF_INET, data[mine + size : mine + size + 4]),
        "dst": inet_ntop(AF_INET, data[other + size : other + size + 4]),
        "arp": Arp(operation, data[mine : mine + size].hex(":"), data[other : other + size].hex(":")),
        "payload_offset": end,
    }


def _layer(packet: Packet, names: Names) -> Layer:
    found, at = packet.record.data, packet.network_offset
    reader = Reader(found, at, packet.payload_offset if packet.arp else min(at + 8, len(found)))
    hardware = int.from_bytes(found[at : at + 2], "big")
    reader.number("hardware", 2, HARDWARE.get(hardware, ""))
    names.type_alone(reader, "protocol")
    size = found[reader.at] if reader.at < len(found) else 0
    reader.number("hardware length", 1)
    reader.number("protocol length", 1)
    reader.number("operation", 2, OPERATIONS.get(int.from_bytes(found[at + 6 : at + 8], "big"), ""))
    if packet.arp:
        for whose, address, mac in (
            ("sender", packet.src, packet.arp.sender_mac),
            ("target", packet.dst, packet.arp.target_mac),
        ):
            if size:
                reader.text(f"{whose}'s hardware address", size, mac)
            reader.text(f"{whose}'s address", 4, address)
    return reader.layer("network", packet.protocol.upper())


def _label(packet: Packet, segment: Segment | None) -> Label | None:
    arp = packet.arp
    if arp is None:
        return None
    if arp.operation == 1:
        return Label(f"ARP who has {packet.dst}?", (f"asks {packet.src}",), phase="data")
    if arp.operation in (2, 9):
        head = "ARP" if arp.operation == 2 else "InARP"
        return Label(f"{head} {packet.src} is at {arp.sender_mac or '-'}", (), phase="data")
    if arp.operation in (3, 8):
        name, way = ("RARP", "asks") if arp.operation == 3 else ("InARP", f"asks {packet.src},")
        return Label(f"{name} who is {arp.target_mac or '-'}?", (f"{way} {arp.sender_mac or '-'}",), phase="data")
    if arp.operation == 4:
        return Label(f"RARP {arp.target_mac or '-'} is {packet.dst}", (), phase="data")
    words = OPERATIONS.get(arp.operation, "")
    return Label(f"ARP operation {arp.operation}", (words, f"of {packet.src}") if words else (), phase="data")


def _neighbour(packet: Packet) -> Neighbour | None:
    if packet.arp is None or packet.arp.operation not in (REQUEST, REPLY):
        return None
    asks = packet.arp.operation == REQUEST
    return Neighbour(asks, packet.dst if asks else packet.src)


def _arp(data: bytes, at: int, record: Record, room: int, quoted: bool) -> tuple[Fields, Upper | None]:
    return _decode("arp", data, at, record), None


def _rarp(data: bytes, at: int, record: Record, room: int, quoted: bool) -> tuple[Fields, Upper | None]:
    return _decode("rarp", data, at, record), None


PROTOCOLS = (
    Network(
        name="arp",
        words="ARP",
        ethertypes=(link.ARP,),
        decode=_arp,
        layer=_layer,
        label=_label,
        neighbour=_neighbour,
        is_upkeep=lambda packet: True,
        arrives_only=True,
    ),
    Network(
        name="rarp",
        words="RARP",
        ethertypes=(link.RARP,),
        decode=_rarp,
        layer=_layer,
        label=_label,
        neighbour=_neighbour,
    ),
)
