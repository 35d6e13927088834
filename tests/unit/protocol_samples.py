"""A packet for each row of the table of protocols: link type, bytes, what its layers say, how its label begins."""

import struct

from traffic import icmp, ip, packed, tcp, udp

from labctl.packets.model import ACK, PSH
from labctl.packets.protocols import link

A, B = "10.77.0.11", "10.77.0.12"
DATAGRAM = udp(A, 4000, B, 5005, b"hello")
QUESTION = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + b"\x03bob\x03lab\0" + struct.pack(">HH", 1, 1)


def ethernet(ethertype: int, data: bytes) -> bytes:
    return bytes(range(2, 14)) + struct.pack(">H", ethertype) + data


def _arp(operation: int) -> bytes:
    ends = bytes(range(1, 7)) + packed(A) + bytes(range(7, 13)) + packed(B)
    return struct.pack(">HHBBH", 1, link.IP4, 6, 4, operation) + ends


def _igmp() -> bytes:
    body = struct.pack(">BBH", 0x16, 0, 0) + packed("239.1.2.3")
    total = sum(struct.unpack(">4H", body))
    return body[:2] + struct.pack(">H", 0xFFFF - (total % 0xFFFF)) + body[4:]


_LLC = b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", link.IP4) + DATAGRAM
_PPPOE = struct.pack(">BBHH", 0x11, 0, 7, 2 + len(DATAGRAM)) + b"\0\x21" + DATAGRAM
_NFLOG = b"\x02\0\0\0" + struct.pack("<HH", 4 + len(DATAGRAM), 9) + DATAGRAM
_SIX = "fd00::11", "fd00::12"

SAMPLES: dict[str, tuple[int, bytes, str, str]] = {
    "link ethernet": (link.ETHERNET, ethernet(link.IP4, DATAGRAM), "Ethernet", "UDP"),
    "link sll": (link.SLL, struct.pack(">HHH8sH", 4, 1, 6, bytes(8), link.IP4) + DATAGRAM, "Linux cooked", "UDP"),
    "link sll2": (
        link.SLL2,
        struct.pack(">HHIHBB8s", link.IP4, 0, 2, 1, 4, 6, bytes(8)) + DATAGRAM,
        "Linux cooked v2",
        "UDP",
    ),
    "link raw": (link.RAW, DATAGRAM, "IPv4", "UDP"),
    "link loopback": (link.NULL, struct.pack("<I", 2) + DATAGRAM, "BSD loopback", "UDP"),
    "link nflog": (link.NFLOG, _NFLOG, "Linux netfilter log", "UDP"),
    "link ppp": (link.PPP, b"\xff\x03\0\x21" + DATAGRAM, "PPP protocol", "UDP"),
    "link hdlc": (link.C_HDLC, b"\x0f\0\x08\0" + DATAGRAM, "Cisco HDLC", "UDP"),
    "link pppoe": (link.PPP_ETHERNET, _PPPOE, "PPPoE session", "UDP"),
    "tag ppp": (link.ETHERNET, ethernet(0x880B, b"\0\x21" + DATAGRAM), "PPP protocol", "UDP"),
    "tag pppoed": (link.ETHERNET, ethernet(0x8863, struct.pack(">BBHH", 0x11, 9, 0, 0)), "PADI", "PPPOED"),
    "tag pppoe": (link.ETHERNET, ethernet(0x8864, _PPPOE), "PPPoE session", "UDP"),
    "tag vlan": (link.ETHERNET, ethernet(0x8100, struct.pack(">HH", 42, link.IP4) + DATAGRAM), "VLAN", "UDP"),
    "tag mpls": (link.ETHERNET, ethernet(0x8847, struct.pack(">I", 9 << 12 | 0x140) + DATAGRAM), "MPLS label", "UDP"),
    "tag llc": (link.ETHERNET, ethernet(len(_LLC), _LLC), "LLC target", "UDP"),
    "network arp": (link.ETHERNET, ethernet(link.ARP, _arp(1)), "ARP", "ARP who has"),
    "network rarp": (link.ETHERNET, ethernet(link.RARP, _arp(3)), "RARP", "RARP who is"),
    "network ipv4": (link.RAW, DATAGRAM, "time to live", "UDP"),
    "network ipv6": (link.RAW, udp(_SIX[0], 1, _SIX[1], 2, b"x"), "hop limit", "UDP"),
    "transport icmp": (link.RAW, icmp(A, B, 8, 0, bytes(8)), "echo request", "ICMP echo request"),
    "transport icmp6": (link.RAW, icmp(*_SIX, 128, 0, bytes(8)), "echo request", "ICMPv6 echo request"),
    "transport igmp": (link.RAW, ip(A, "239.1.2.3", 2, _igmp()), "IGMP version 2", "IGMP membership report v2"),
    "transport tcp": (link.RAW, tcp(A, 1, B, 2, 7, 8, ACK | PSH, b"x"), "sequence number", "PSH, ACK"),
    "transport udp": (link.RAW, DATAGRAM, "source port", "UDP"),
    "application dns": (link.RAW, udp(A, 4000, B, 53, QUESTION), "A bob.lab", "DNS"),
    "application http": (link.RAW, tcp(A, 1, B, 80, 7, 8, ACK, b"GET / HTTP/1.1\r\n\r\n"), "start line", "ACK"),
}
