"""IP packets made byte by byte, with right checksums: what a kernel would hand to the queue."""

import socket
import struct

from labfault.packet import FLAGS, Packet, checksum, seal

ALICE, BOB = "10.77.0.5", "10.77.0.6"


def tcp(
    payload: bytes = b"",
    flags: str = "ack",
    *,
    sport: int = 12345,
    dport: int = 40000,
    seq: int = 1000,
    ack: int = 2000,
    src: str = ALICE,
    dst: str = BOB,
) -> bytes:
    bits = sum(FLAGS[name] for name in flags.split(","))
    return _ip(6, struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, bits, 502, 0, 0) + payload, src, dst)


def udp(payload: bytes = b"", *, sport: int = 5005, dport: int = 5005, src: str = ALICE, dst: str = BOB) -> bytes:
    return _ip(17, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload, src, dst)


def icmp(payload: bytes = b"ping", *, src: str = ALICE, dst: str = BOB) -> bytes:
    return _ip(1, struct.pack("!BBHHH", 8, 0, 0, 1, 1) + payload, src, dst)


def _ip(protocol: int, body: bytes, src: str, dst: str) -> bytes:
    if ":" in src:
        ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
        data = bytearray(struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + ends + body)
    else:
        ends = socket.inet_aton(src) + socket.inet_aton(dst)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 7, 0x4000, 64, protocol, 0) + ends
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        data = bytearray(head + body)
    # A UDP checksum of 0 says that there is none; give it one to be counted.
    packet = Packet(bytes(data))
    if protocol == 17:
        struct.pack_into("!H", data, packet.transport + 6, 1)
    seal(packet, data)
    return bytes(data)


def is_sound(data: bytes) -> bool:
    """Whether a receiver's kernel would take the packet: both checksums add up (RFC 1071)."""
    packet = Packet(data)
    if packet.version == 4 and checksum(data[: packet.transport]):
        return False
    body = data[packet.transport :]
    if packet.version == 6:
        return not checksum(packet.src + packet.dst + struct.pack("!IHBB", len(body), 0, 0, packet.protocol) + body)
    pseudo = packet.src + packet.dst + struct.pack("!BBH", 0, packet.protocol, len(body))
    return not checksum((b"" if packet.protocol == 1 else pseudo) + body)
