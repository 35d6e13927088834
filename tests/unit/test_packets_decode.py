"""Bytes to packets: every link type, every header, and all that can be wrong with them."""

import struct
import subprocess
import sys

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples
from traffic import icmp, ip, mss, packed, packet, scale, summed, tcp, udp

from labctl.packets.model import ACK, SYN, Arp
from labctl.packets.protocols import link
from labctl.packets.protocols.application import dns
from labctl.packets.protocols.application.http import http_head
from labctl.packets.protocols.layers import layers
from labctl.packets.tcp.fragments import reassembled, with_ports
from labctl.render.packets import layers as drawing

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
ETHER = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01"
FOUR, SIX = udp(A, 5, B, 6, b"four", id=9), udp(A6, 5, B6, 6, b"six")


def nflog(payload, order, family=2):
    def attribute(kind, value):
        return struct.pack(order + "HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)

    head = struct.pack(">BBH", family, 0, 5)
    return head + attribute(1, b"\x08\0\3\0") + attribute(10, b"sent\0") + attribute(9, payload)


@pytest.mark.parametrize(
    ("link_type", "order", "data"),
    [
        (link.ETHERNET, "<", ETHER + b"\x08\0" + FOUR),
        (link.ETHERNET, "<", ETHER + b"\x08\0" + FOUR + b"padding"),
        (link.RAW, "<", FOUR),
        (link.IPV4, "<", FOUR),
        (12, "<", FOUR),
        (link.SLL, "<", bytes(14) + b"\x08\0" + FOUR),
        (link.SLL2, "<", b"\x08\0" + bytes(18) + FOUR),
        (link.NULL, "<", b"\2\0\0\0" + FOUR),
        (link.NULL, ">", b"\2\0\0\0" + FOUR),
        (link.NULL, ">", b"\0\0\0\2" + FOUR),
        (link.NULL, "<", b"\0\x08\0\0" + FOUR),
        (link.NULL, "<", b"\x0f\0\x08\0" + FOUR),
        (link.NULL, ">", b"\0\0\x08\0" + FOUR),
        (link.LOOP, "<", b"\0\0\0\2" + FOUR),
        (link.NFLOG, "<", nflog(FOUR, "<")),
        (link.NFLOG, ">", nflog(FOUR, ">")),
        (link.NFLOG, "<", nflog(FOUR, ">")),
        (link.NFLOG, "<", nflog(FOUR, "<", family=0)),
    ],
)
def test_every_link_type(link_type, order, data):
    found = packet(data, link_type=link_type, order=order)
    assert (found.src, found.sport, found.dst, found.dport) == (A, 5, B, 6)
    assert (found.payload, found.malformed, found.checksum, found.ip_checksum) == (b"four", "", "ok", "ok")
    assert found.record.data[found.payload_offset :][:4] == b"four"
    assert layers(found)[-1].fields[0].value == "four"


@pytest.mark.parametrize("family", [10, 24, 28, 30])
def test_loopback_families_of_ipv6(family):
    found = packet(struct.pack("<I", family) + SIX, link_type=link.NULL)
    assert (found.version, found.payload, found.checksum) == (6, b"six", "ok")


def test_vlan_tags():
    data = ETHER + b"\x88\xa8\x20\x64\x81\0\0\x05\x86\xdd" + SIX
    found = packet(data, link_type=link.ETHERNET)
    assert (found.vlans, found.payload) == ((100, 5), b"six")
    assert [field.value for field in layers(found)[0].fields][2:] == ["0x88a8", "100", "0x8100", "5", "0x86dd"]


def test_an_unknown_link_type_and_ethertype_are_kept():
    found = packet(b"abc", link_type=147)
    assert (found.malformed, found.unread) == ("", "link type 147 isn't known")
    for ethertype, name in ((b"\x88\xcc", "lldp"), (b"\x99\x99", "0x9999")):
        found = packet(ETHER + ethertype + b"abc", link_type=link.ETHERNET)
        assert (found.protocol, found.payload, found.malformed) == (name, b"abc", "")


def test_tcp_with_options():
    sack = b"\x01\x01\x05\x12" + struct.pack(">4I", 1, 2, 2**32 - 1, 5)
    stamps = b"\x08\x0a" + struct.pack(">II", 7, 8)
    found = packet(tcp(A, 1, B, 2, 2**32 + 5, 9, SYN | ACK, b"x", window=300, options=mss(1400) + b"\x04\x02" + stamps))
    header = found.tcp
    assert (header.seq, header.ack, header.window, header.names) == (5, 9, 300, "SYN, ACK")
    assert (header.mss, header.sack_permitted, header.timestamps) == (1400, True, (7, 8))
    assert packet(tcp(A, 1, B, 2, 1, 1, ACK, options=sack)).tcp.sack == ((1, 2), (2**32 - 1, 5))
    assert packet(tcp(A, 1, B, 2, 1, 1, SYN, options=scale(9))).tcp.window_scale == 9
    for options in (b"\x02\x03\x01\x01", b"\x01\x01\x01\x02"):
        broken = packet(tcp(A, 1, B, 2, 1, 1, ACK, b"kept", options=options))
        assert (broken.malformed, broken.payload) == ("its TCP options are broken", b"kept")


@pytest.mark.parametrize("make", [lambda s, d: udp(s, 1, d, 2, b"odd"), lambda s, d: tcp(s, 1, d, 2, 1, 1, ACK, b"od")])
@pytest.mark.parametrize(("src", "dst"), [(A, B), (A6, B6)])
def test_checksums(make, src, dst):
    data = make(src, dst)
    assert packet(data).checksum == "ok"
    assert packet(data[:-1] + bytes([data[-1] ^ 1])).checksum == "bad"
    cut = packet(data[:-1])
    said = len(data)
    assert cut.checksum == ("unknown" if cut.protocol == "udp" else "bad")  # UDP's own length goes beyond it, too
    assert cut.malformed == f"says its IP packet goes on to byte {said}, where the frame has {said - 1}"
    assert cut.payload_length == len(cut.payload)


def test_checksums_that_are_not_used_or_left_to_the_card():
    data = udp(A, 1, B, 2, b"x")
    assert packet(data[:26] + b"\0\0" + data[28:]).checksum == "none"
    for src, dst in ((A, B), (A6, B6)):
        body = struct.pack(">HHHH", 1, 2, 9, 0) + b"x"
        total = sum(struct.unpack(f">{len(packed(src))}H", packed(src) + packed(dst))) + 17 + 9
        total = (total & 0xFFFF) + (total >> 16)
        assert packet(ip(src, dst, 17, body[:6] + struct.pack(">H", total) + body[8:])).checksum == "partial"
    assert packet(FOUR[:8] + b"\x09" + FOUR[9:]).ip_checksum == "bad"


def test_icmp_quotes_and_echoes():
    asked = tcp(A, 40000, B, 81, 1234, 0, SYN)
    found = packet(icmp(B, A, 3, 3, bytes(4) + asked[:28]))
    quoted = found.icmp.quoted
    assert (quoted.protocol, quoted.source, quoted.target, quoted.tcp.seq) == ("tcp", (A, 40000), (B, 81), 1234)
    assert (found.malformed, quoted.malformed, found.checksum) == ("", "", "ok")
    six = packet(icmp(B6, A6, 1, 4, bytes(4) + SIX))
    assert (six.icmp.quoted.protocol, six.icmp.quoted.dport, six.checksum) == ("udp", 6, "ok")
    echo = packet(icmp(A6, B6, 128, 0, b"\0\7\0\1data"))
    assert (echo.icmp.id, echo.icmp.seq, echo.payload) == (7, 1, b"data")


def test_arp():
    body = struct.pack(">HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, b"\2" * 6, packed(A), bytes(6), packed(B))
    found = packet(ETHER + b"\x08\x06" + body + bytes(18), link_type=link.ETHERNET)
    assert (found.protocol, found.src, found.dst) == ("arp", A, B)
    assert found.arp == Arp(1, "02:02:02:02:02:02", "00:00:00:00:00:00")
    assert packet(ETHER + b"\x08\x06" + body[:20], link_type=1).malformed == "ends inside its ARP message"


def fragment6(body, number, next_header=17):
    head = struct.pack(">BBHI", next_header, 0, number, 77)
    return ip(A6, B6, 0, b"\x2c\0\1\4\0\0\0\0" + head + body)  # behind hop-by-hop options


def test_ipv6_extension_headers_and_fragments():
    whole = summed(A6, B6, 17, struct.pack(">HHHH", 5, 6, 8 + 40, 0) + b"a" * 40, 6)
    parts = [packet(fragment6(whole[:24], 1), 0), packet(fragment6(whole[24:], 24), 1)]
    assert [(p.ip_id, p.fragment_offset, p.more_fragments, p.protocol) for p in parts] == [
        (77, 0, True, "udp"),
        (77, 24, False, "udp"),
    ]
    assert [(p.sport, p.checksum) for p in parts] == [(5, "unknown"), (None, "unknown")]
    (datagram,) = reassembled(parts)
    assert (datagram.payload, datagram.sport, datagram.parts) == (whole, 5, (0, 1))
    assert [p.dport for p in with_ports(parts)] == [6, 6]
    assert [layer.name for layer in layers(parts[0])][:2] == ["IPv6", "UDP"]
    assert {"hop-by-hop options", "fragment"} <= {field.name for field in layers(parts[1])[0].fields}
    routed = packet(ip(A6, B6, 43, b"\x11\2\0\1" + bytes(20) + whole))
    assert (routed.payload, routed.checksum) == (b"a" * 40, "bad")  # its last target is ::
    assert packet(ip(A6, B6, 60, b"\x11\x09\1\4")).malformed == "ends inside an IPv6 extension header"


@given(st.permutations(range(4)), st.integers(0, 3), st.booleans())
def test_fragments_in_any_order_with_copies(order, copy, missing):
    whole = udp(A, 5, B, 6, bytes(range(100)))[20:]
    pieces = [
        ip(A, B, 17, whole[at : at + 32], id=7, flags=(0x2000 if at + 32 < len(whole) else 0) | at // 8)
        for at in range(0, len(whole), 32)
    ]
    chosen = [n for n in order if not (missing and n == 2)]
    found = [packet(pieces[n], at) for at, n in enumerate([chosen[0], *chosen[1:]])]
    found.insert(len(found) - 1, packet(pieces[chosen[min(copy, len(chosen) - 2)]], 99))
    (datagram,) = reassembled(found)
    assert datagram.payload == (None if missing else whole)


@pytest.mark.parametrize(
    ("data", "remark"),
    [
        (b"", "ends inside its raw IP header"),
        (b"\x45" + bytes(10), "ends inside its IP header"),
        (b"\x95" + bytes(30), "IP version 9 isn't known"),
        (b"\x42" + FOUR[1:], "says its IP header has 8 bytes, and none has less than 20"),
        (FOUR[:2] + b"\0\x05" + FOUR[4:], "says its IP packet has 5 bytes"),
        (b"\x4f\0\0\x60" + FOUR[4:], "ends inside its IP options"),
        (FOUR[:24], "ends inside its UDP header"),
        (FOUR[:24] + b"\0\x03" + FOUR[26:], "says its UDP datagram has 3 bytes"),
        (FOUR[:24] + b"\0\x63" + FOUR[26:], "says its UDP datagram has 99 bytes, where the IP packet has room for 12"),
        (tcp(A, 1, B, 2, 1, 1, ACK)[:32], "ends inside its TCP header"),
        (tcp(A, 1, B, 2, 1, 1, ACK)[:32] + b"\x10" + bytes(7), "says its TCP header has 4 bytes"),
        (tcp(A, 1, B, 2, 1, 1, ACK)[:32] + b"\xf0" + bytes(7), "ends inside its TCP options"),
        (icmp(A, B, 8, 0, b"")[:22], "ends inside its ICMP header"),
        (SIX[:30], "ends inside its IP header"),
    ],
)
def test_what_is_malformed_is_kept_with_a_remark(data, remark):
    found = packet(data)
    assert found.malformed == remark
    assert remark in drawing.draw(found)


@given(st.binary(max_size=120), st.sampled_from([0, 1, 12, 101, 108, 113, 228, 229, 239, 276, 5]), st.booleans())
@settings(max_examples=examples(300))
def test_nothing_that_can_be_captured_raises(data, link_type, is_ip):
    if is_ip:
        data = FOUR[:10] + data if len(data) % 2 else SIX[:7] + data
    found = packet(data, link_type=link_type)
    for layer in layers(found):
        assert all(0 <= field.offset <= field.offset + field.length <= len(data) for field in layer.fields)
    assert all(len(line) <= 80 for line in drawing.draw(found, columns=80).splitlines())
    drawing.document(found)


@given(st.integers(0, 60), st.sampled_from([FOUR, SIX, tcp(A, 1, B, 2, 1, 1, ACK, b"x", options=mss())]), st.data())
def test_a_packet_with_any_byte_changed_never_raises(place, data, draw):
    harmed = bytearray(data)
    harmed[min(place, len(data) - 1)] = draw.draw(st.integers(0, 255))
    layers(packet(bytes(harmed)))
    layers(packet(bytes(harmed)[: draw.draw(st.integers(0, len(data)))]))


def summary(data):
    return dns.summary(dns.read(data))


def test_dns():
    asked = dpkt.dns.DNS(id=7, qd=[dpkt.dns.DNS.Q(name="bob.lab", type=28, cls=1)])
    assert summary(bytes(asked)) == "AAAA bob.lab?"
    answer = dpkt.dns.DNS.RR(name="bob.lab", type=1, cls=1, ttl=5, rlen=4, rdata=packed(B), ip=packed(B))
    asked.qd[0].type, asked.op, asked.an = 1, 0x8180, [answer]
    assert summary(bytes(asked)) == "A bob.lab = 10.0.0.2"
    asked.an, asked.op = [], 0x8183
    assert summary(bytes(asked)) == "A bob.lab = no such name"
    https = b"\0\7\x81\x80\0\1\0\1\0\0\0\0\3bob\3lab\0\0\x41\0\1\xc0\x0c\0\x41\0\1\0\0\0\5\0\2\0\1"
    assert summary(https) == "HTTPS bob.lab = \\# 2 0001"
    assert summary(https[:-4] + b"\0\3\0\1\0") == "HTTPS bob.lab = 1 ."
    assert dns.read(b"\xff" * 30) is None
    assert dns.read(b"") is None
    found = packet(udp(A, 40000, B, 53, bytes(https)))
    assert [layer.name for layer in layers(found)] == ["IPv4", "UDP", "DNS"]


def test_http():
    data = b"POST /x HTTP/1.1\r\nHost: b\xc3\xb6b\r\nEmpty:\r\n\r\nbody"
    line, headers, body = http_head(data)
    assert (line, data[body:]) == ("POST /x HTTP/1.1", b"body")
    assert [(name, value) for name, value, _, _ in headers] == [("Host", "böb"), ("Empty", "")]
    assert http_head(b"HTTP/1.0 404 Not Found\r\nA: 1")[0] == "HTTP/1.0 404 Not Found"
    assert http_head(b"hello\r\n") is None


def test_the_command_line_does_not_import_dpkt():
    code = "import labctl.cli.app, sys; sys.exit('dpkt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("source", "target"), [(A, B), (A6, B6)])
def test_what_is_longer_than_ip_can_say_is_decoded(source, target):
    """The kernel merges segments, and leaves IP's length 0 above 65,535 bytes (BIG TCP)."""
    body = struct.pack(">HHIIBBHHH", 1, 2, 7, 8, 5 << 4, ACK, 502, 0, 0) + b"x" * 70000
    head = bytearray(ip(source, target, 6, b""))
    head[2:4] = head[2:4] if source == A6 else b"\0\0"
    found = packet(bytes(head) + body)
    assert (found.protocol, found.sport, found.payload_length, found.malformed) == ("tcp", 1, 70000, "")
    assert found.checksum == ("unknown" if source == A else "partial")  # a checksum of 0, left for the card


def test_what_a_neighbour_is_asked_for():
    asked = packet(icmp(A6, "ff02::1:ff00:2", 135, 0, bytes(4) + packed(B6), ttl=255))
    assert asked.icmp.target == B6
    assert packet(icmp(B6, A6, 136, 0, bytes(4) + packed(B6), ttl=255)).icmp.target == B6
    assert packet(icmp(A6, B6, 135, 0, bytes(4) + packed(B6)[:15])).icmp.target is None
    assert packet(icmp(A6, B6, 128, 0, bytes(24))).icmp.target is None
