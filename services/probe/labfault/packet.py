"""One IP packet, as far as faults look into it (RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 4443)."""

from __future__ import annotations

import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp"}
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
FLAGS = {"fin": FIN, "syn": SYN, "rst": RST, "psh": PSH, "ack": ACK, "urg": URG}
# Extension headers of IPv6 that may stand before the transport's (RFC 8200, section 4): hop-by-hop, routing, fragment,
# destination options.
_EXTENSIONS = (0, 43, 44, 60)
_FRAGMENT = 44

Flow = tuple[int, bytes, int, bytes, int]  # protocol, source and its port, destination and its port


class Packet:
    """What is read of a packet's headers. A packet that is cut short or unknown has `proto` None and counts as one
    whole payload.

    `transport` and `payload` are offsets into `data`; `size` is the whole packet's length in bytes. Ports are 0 where
    the protocol has none. `flow` is one direction of a conversation.
    """

    __slots__ = (
        "ack",
        "data",
        "dport",
        "dst",
        "flags",
        "ip_id",
        "payload",
        "proto",
        "protocol",
        "seq",
        "sport",
        "src",
        "transport",
        "version",
    )

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.proto: str | None = None
        self.protocol = self.sport = self.dport = self.flags = self.seq = self.ack = self.ip_id = 0
        self.transport = self.payload = 0
        self.version = data[0] >> 4 if data else 0
        self.src = self.dst = b""
        if self.version == 4 and len(data) >= 20:
            self._ipv4(data)
        elif self.version == 6 and len(data) >= 40:
            self._ipv6(data)

    def _ipv4(self, data: bytes) -> None:
        self.ip_id, fragment, self.protocol = struct.unpack_from("!HHxB", data, 4)
        self.src, self.dst = data[12:16], data[16:20]
        self.transport = self.payload = (data[0] & 0x0F) * 4
        if not fragment & 0x1FFF:  # the later fragments of a datagram hold no ports
            self._transport(data)

    def _ipv6(self, data: bytes) -> None:
        self.src, self.dst = data[8:24], data[24:40]
        kind, at = data[6], 40
        while kind in _EXTENSIONS and at + 8 <= len(data):
            if kind == _FRAGMENT and struct.unpack_from("!H", data, at + 2)[0] >> 3:
                self.protocol, self.transport, self.payload = data[at], at + 8, at + 8
                return
            kind, at = data[at], at + (8 if kind == _FRAGMENT else 8 * (data[at + 1] + 1))
        self.protocol, self.transport, self.payload = kind, at, at
        self._transport(data)

    def _transport(self, data: bytes) -> None:
        at, left = self.transport, len(data) - self.transport
        if self.protocol == TCP and left >= 20:
            self.sport, self.dport, self.seq, self.ack, offset, self.flags = struct.unpack_from("!HHIIBB", data, at)
            self.payload = at + (offset >> 4) * 4
        elif self.protocol == UDP and left >= 8:
            self.sport, self.dport = struct.unpack_from("!HH", data, at)
            self.payload = at + 8
        elif self.protocol in (ICMP, ICMP6) and left >= 8:
            self.payload = at + 8
        else:
            return
        self.proto = NAMES[self.protocol]

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def length(self) -> int:
        """Bytes of the payload: after the transport's header, where there is one."""
        return max(0, len(self.data) - self.payload)

    @property
    def flow(self) -> Flow:
        return (self.protocol, self.src, self.sport, self.dst, self.dport)

    def event(self) -> Fields:
        """The packet as event fields: both ends, and what tells it from all others."""
        family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        fields: Fields = {}
        if self.src:
            fields["local"] = [socket.inet_ntop(family, self.src), self.sport]
            fields["peer"] = [socket.inet_ntop(family, self.dst), self.dport]
        fields["proto"] = self.proto or str(self.protocol)
        if self.proto == "tcp":
            fields["flags"] = ",".join(name for name, bit in FLAGS.items() if self.flags & bit)
            fields |= {"seq": self.seq, "ack": self.ack}
        if self.version == 4:
            fields["ip_id"] = self.ip_id
        return fields | {"length": self.length, "size": self.size}


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def seal(packet: Packet, data: bytearray) -> None:
    """Writes the right transport checksum into `data`, which is that packet after a change."""
    at = packet.transport
    field = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}.get(packet.protocol)
    if field is None or packet.proto is None:
        return
    if packet.protocol == UDP and packet.version == 4 and data[at + 6 : at + 8] == b"\0\0":
        return  # sent without one (RFC 768)
    data[at + field : at + field + 2] = b"\0\0"
    body = bytes(data[at:])
    pseudo = b""
    if packet.protocol != ICMP:
        addresses = packet.src + packet.dst
        if packet.version == 6:
            pseudo = addresses + struct.pack("!IHBB", len(body), 0, 0, packet.protocol)
        else:
            pseudo = addresses + struct.pack("!BBH", 0, packet.protocol, len(body))
    found = checksum(pseudo + body)
    if packet.protocol == UDP and not found:
        found = 0xFFFF
    struct.pack_into("!H", data, at + field, found)
