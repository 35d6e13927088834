"""Datagrams with both of their ends.

A socket that is bound to no address of its own (0.0.0.0, ::) gets datagrams for every address of the host, and
recvfrom(2) tells who sent one but not to which address. IP_PKTINFO (ip(7)) and IPV6_RECVPKTINFO (RFC 3542, section 6)
have recvmsg(2) say that too, in a note beside the data (cmsg(3)).
"""

from __future__ import annotations

import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Address, Fields, Note

IP_RECVTTL = 12  # ip(7)
IP_PKTINFO = 8  # ip(7); Python has a name for it since 3.12
SO_RXQ_OVFL = 40  # socket(7); asm-generic/socket.h
SO_MEMINFO = 55
DROPS = 8  # SK_MEMINFO_DROPS (linux/sock_diag.h): the place among the numbers of SO_MEMINFO
NOTE = 128  # bytes that recvmsg(2) needs for it, for the hops that are left and for the drops


def ask_local(sock: socket.socket) -> None:
    """From now on, recvmsg(2) on this socket notes the address that a datagram was sent to."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def ask_hops(sock: socket.socket) -> None:
    """From now on, recvmsg(2) on this socket notes how many hops a datagram had left: its TTL, or its hop limit."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)


def ask_drops(sock: socket.socket) -> None:
    """From now on, recvmsg(2) on this socket notes how many datagrams the kernel had dropped before it queued one."""
    sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)


def drops_before(notes: list[Note]) -> int:
    """How many datagrams the kernel had dropped at this socket when it queued the one with these notes."""
    for level, kind, note in notes:
        if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
            count: int = struct.unpack_from("I", note)[0]
            return count
    return 0  # it notes no zero


def drops(sock: socket.socket) -> int | None:
    """How many datagrams the kernel has dropped at this socket by now; None where it can't tell (Linux before 4.12).

    Most of them found the receive queue full; those with a wrong checksum count too.
    """
    try:
        told = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (DROPS + 1))
        count: int = struct.unpack_from("I", told, 4 * DROPS)[0]
    except (OSError, struct.error):
        return None
    return count


def wrong_checksums() -> int:
    """How many datagrams with a wrong checksum have come to this host, IPv4 and IPv6 (proc(5), /proc/net/snmp)."""
    found = 0
    try:
        with open("/proc/net/snmp") as table:
            names, numbers = (line.split() for line in table if line.startswith("Udp:"))
        found += int(numbers[names.index("InCsumErrors")])
        with open("/proc/net/snmp6") as table:
            found += sum(int(line.split()[1]) for line in table if line.startswith("Udp6InCsumErrors"))
    except (OSError, ValueError):
        pass  # a kernel that doesn't count them, or has no IPv6
    return found


def hops(notes: list[Note]) -> Fields:
    """The hops that a datagram had left when it arrived, as an event field; every router on its way took one."""
    for level, kind, note in notes:
        if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)):
            return {"ttl": struct.unpack_from("i", note)[0]}
    return {}


def join(sock: socket.socket, group: str) -> None:
    """Joins a multicast group (RFC 1112; RFC 3493, section 5.2), on the interface that the routing table names."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + struct.pack("I", 0)
        )
    else:
        membership = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def ends(sock: socket.socket, peer: Address, notes: list[Note]) -> Fields:
    """Both ends of a datagram that recvmsg(2) gave, as event fields."""
    local = sock.getsockname()[:2]
    for _, kind, note in notes:
        if kind == IP_PKTINFO:
            local = socket.inet_ntop(socket.AF_INET, note[8:12]), local[1]
        elif kind == socket.IPV6_PKTINFO:
            local = _scoped(note), local[1]
    return {"proto": "udp", "local": list(local), "peer": list(peer[:2])}


def answer(notes: list[Note]) -> list[Note]:
    """Notes for sendmsg(2): answer from the address that was asked. The interface is left to the routing table."""
    return [
        (level, kind, bytes(4) + note[4:] if kind == IP_PKTINFO else note[:16] + bytes(4))
        for level, kind, note in notes
        if kind in (IP_PKTINFO, socket.IPV6_PKTINFO)
    ]


def source(sock: socket.socket, address: Address) -> Fields:
    """Both ends of a datagram that sendto(2) would send to `address` now, as event fields; OSError without a route.

    connect(2) on a UDP socket sends nothing: it only makes the kernel choose the address to send from.
    """
    with socket.socket(sock.family, socket.SOCK_DGRAM) as probe:
        probe.connect(address)
        local, peer = probe.getsockname(), probe.getpeername()
    return {"proto": "udp", "local": [local[0], sock.getsockname()[1]], "peer": list(peer[:2])}


def _scoped(note: bytes) -> str:
    """An IPv6 address as getsockname(2) gives it: a link-local one holds for one interface only, and names it."""
    address = socket.inet_ntop(socket.AF_INET6, note[:16])
    if note[0] == 0xFE and note[1] & 0xC0 == 0x80:
        address += "%" + socket.if_indextoname(struct.unpack("i", note[16:20])[0])
    return address
