"""Datagrams with both of their ends.

A socket that is bound to no address of its own (0.0.0.0, ::) gets datagrams for every address of the host, and
recvfrom(2) tells who sent one but not to which address. IP_PKTINFO (ip(7)) and IPV6_RECVPKTINFO (RFC 3542, section 6)
have recvmsg(2) say that too, in a note beside the data (cmsg(3)).
"""

import socket
import struct

IP_RECVTTL = 12  # ip(7)
IP_PKTINFO = 8  # ip(7); Python has a name for it since 3.12
NOTE = 128  # bytes that recvmsg(2) needs for it, and for the hops that are left


def ask_local(sock) -> None:
    """From now on, recvmsg(2) on this socket notes the address that a datagram was sent to."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def ask_hops(sock) -> None:
    """From now on, recvmsg(2) on this socket notes how many hops a datagram had left: its TTL, or its hop limit."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)


def hops(notes: list) -> dict:
    """The hops that a datagram had left when it arrived, as an event field; every router on its way took one."""
    for level, kind, note in notes:
        if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)):
            return {"ttl": struct.unpack_from("i", note)[0]}
    return {}


def join(sock, group: str) -> None:
    """Joins a multicast group (RFC 1112; RFC 3493, section 5.2), on the interface that the routing table names."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + struct.pack("I", 0)
        )
    else:
        membership = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def ends(sock, peer, notes: list) -> dict:
    """Both ends of a datagram that recvmsg(2) gave, as event fields."""
    local = sock.getsockname()[:2]
    for _, kind, note in notes:
        if kind == IP_PKTINFO:
            local = socket.inet_ntop(socket.AF_INET, note[8:12]), local[1]
        elif kind == socket.IPV6_PKTINFO:
            local = _scoped(note), local[1]
    return {"proto": "udp", "local": list(local), "peer": list(peer[:2])}


def answer(notes: list) -> list:
    """Notes for sendmsg(2): answer from the address that was asked. The interface is left to the routing table."""
    return [
        (level, kind, bytes(4) + note[4:] if kind == IP_PKTINFO else note[:16] + bytes(4))
        for level, kind, note in notes
        if kind in (IP_PKTINFO, socket.IPV6_PKTINFO)
    ]


def source(sock, address) -> dict:
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
