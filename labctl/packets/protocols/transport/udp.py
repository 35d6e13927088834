"""UDP (RFC 768)."""

from __future__ import annotations

import struct

from labctl.packets.model import Packet
from labctl.packets.protocols.carried import Carried
from labctl.packets.protocols.checksum import Rule
from labctl.packets.protocols.kind import Fields, Transport
from labctl.packets.protocols.reader import Layer, Reader

SUM = Rule(at=6, pseudo=True, zero="absent")


def _decode(carried: Carried) -> Fields:
    if len(carried.data) < 8:
        return carried.cut() | carried.early("its UDP header", 8)
    sport, dport, said, found = struct.unpack_from(">HHHH", carried.data, 0)
    # Length 0: of a jumbogram (RFC 2675), or left to the network card.
    length = said or carried.length
    remark = ""
    if length < 8:
        remark = f"says its UDP datagram has {length} bytes"
    elif length > carried.length and not (carried.more_fragments or carried.quoted):
        remark = f"says its UDP datagram has {length} bytes, where the IP packet has room for {carried.length}"
    return {
        "sport": sport,
        "dport": dport,
        "udp_length": said,
        "payload": carried.data[8 : max(8, length)],
        "payload_length": max(0, min(length, carried.length) - 8),
        "payload_offset": carried.at + 8,
        **({"checksum": "unknown"} if remark and found else carried.summed(SUM, length)),
        "malformed": remark,
    }


def _layer(packet: Packet) -> Layer:
    reader = Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    reader.number("source port", 2)
    reader.number("target port", 2)
    reader.number("length", 2, "bytes, with this header")
    reader.checksum(packet)
    return reader.layer("transport", "UDP")


PROTOCOLS = (
    Transport(
        name="udp",
        words="UDP",
        numbers=(17,),
        decode=_decode,
        layer=_layer,
        checksum=SUM,
        ports=True,
        datagrams=True,
        of_programs=lambda packet: True,
    ),
)
