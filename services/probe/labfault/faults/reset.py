"""Reset: the connection is cut, as by a middlebox that didn't like what it saw."""

import struct
from random import Random

from labfault.packet import ACK, RST, TCP, Packet, checksum, seal
from labfault.passage import Fields, Passage


class Reset:
    action = "reset"
    fields = ("reset",)

    def __init__(self, rule: Fields, chance: Random) -> None:
        pass

    def apply(self, passage: Passage) -> Fields | None:
        """The segment becomes a RST in its place, which the receiver must believe (RFC 9293, section 3.10.7.4: its
        sequence number is the one expected). The sender hears of it by the receiver's answer to its next segment."""
        packet = passage.packet
        if packet.protocol != TCP or packet.proto is None or packet.flags & RST:
            return None
        passage.data = _rst(packet)
        return {}


def _rst(packet: Packet) -> bytes:
    data = bytearray(packet.data[: packet.transport + 20])
    data[packet.transport + 12] = 5 << 4  # a header without options
    data[packet.transport + 13] = RST | ACK
    if packet.version == 4:
        struct.pack_into("!H", data, 2, len(data))
        data[10:12] = b"\0\0"
        struct.pack_into("!H", data, 10, checksum(bytes(data[: packet.transport])))
    else:
        struct.pack_into("!H", data, 4, len(data) - 40)
    seal(packet, data)
    return bytes(data)
