"""What captures of other networks hold: old and odd files, links, headers that are cut or wrong, protocols by name."""

import gzip
import io
import struct

import dpkt
import pytest
from test_packets_decode import A6, B6, ETHER, FOUR, SIX, A, B
from traffic import BEGIN, icmp, ip, packed, packet, summed, tcp, udp

from labctl.packets.files.capture import Parser, read
from labctl.packets.ladder.label import label
from labctl.packets.model import ACK, CaptureError, Interface, Record
from labctl.packets.protocols import checksum, link
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.layers import layers
from labctl.packets.tcp.flows import analyse, is_damaged
from labctl.render.packets import layers as drawing
from labctl.render.packets.listing import documents, listed

SEGMENT = tcp(A, 1, B, 2, 1, 1, ACK, b"x" * 30)


def cut(data, kept, link_type=link.RAW):
    """A packet of which the capture kept so many bytes."""
    return decode(Record(BEGIN, data[:kept], len(data), Interface(0, "", link_type)))


def fields(found, name=None):
    return [
        (field.name, field.value, field.meaning)
        for layer in layers(found)
        for field in layer.fields
        if name is None or layer.name == name
    ]


def values(found):
    return {name: value for name, value, _ in fields(found)}


def meanings(found):
    return {name: meaning for name, _, meaning in fields(found)}


# Checksums.


def without_sum(data, at=36, value=0):
    return data[:at] + struct.pack(">H", value) + data[at + 2 :]


def pseudo(src, dst, number, length):
    total = sum(struct.unpack(f">{len(packed(src))}H", packed(src) + packed(dst))) + number + length
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize(("src", "dst", "at"), [(A, B, 36), (A6, B6, 56)])
@pytest.mark.parametrize("left", ["nothing", "without length"])
def test_a_checksum_that_the_card_was_to_fill_in_is_no_damage(src, dst, at, left):
    data = tcp(src, 1, dst, 2, 1, 1, ACK, b"data")
    found = packet(without_sum(data, at, 0 if left == "nothing" else pseudo(src, dst, 6, 0)))
    assert found.checksum == "partial"
    assert not is_damaged(found)
    assert "checksum offload" in meanings(found)["checksum"]


def test_an_ip_header_without_a_checksum_was_left_to_the_card():
    found = packet(without_sum(FOUR, 10))
    assert found.ip_checksum == "partial"
    assert not is_damaged(found)
    assert "checksum offload" in meanings(found)["header checksum"]


def test_of_a_wrong_checksum_the_right_one_is_told():
    right = struct.unpack_from(">H", SEGMENT, 36)[0]
    found = packet(without_sum(SEGMENT, 36, right ^ 0x0F0F))
    assert found.checksum == "bad"
    assert f"0x{right:04x} would be right" in meanings(found)["checksum"]
    header = struct.unpack_from(">H", FOUR, 10)[0]
    found = packet(without_sum(FOUR, 10, header ^ 1))
    assert (found.ip_checksum, found.ip_checksum_wanted) == ("bad", header)


def test_udp_without_a_checksum_is_legal_over_ipv4_alone():
    assert packet(without_sum(FOUR, 26)).checksum == "none"
    found = packet(without_sum(SIX, 46))
    assert found.checksum == "missing"
    assert "RFC 6935" in meanings(found)["checksum"]


@pytest.mark.parametrize("kind", [0, 2, 4])
def test_a_routing_header_tells_the_target_that_is_summed(kind):
    """RFC 8200, section 8.1; the last address of a source route, a home address, the last of the segments."""
    body = summed(A6, "fd00::9", 17, struct.pack(">HHHH", 5, 6, 11, 0) + b"six", 6)
    route = struct.pack(">BBBBI", 17, 2, kind, 1, 0) + packed("fd00::9")
    assert packet(ip(A6, B6, 43, route + body)).checksum == "ok"
    assert packet(ip(A6, B6, 43, route[:3] + b"\0" + route[4:] + body)).checksum == "bad"  # none is left to go to


def test_a_home_address_is_the_source_that_is_summed():
    body = summed("fd00::7", B6, 17, struct.pack(">HHHH", 5, 6, 11, 0) + b"six", 6)
    option = struct.pack(">BBBBBB", 17, 2, 1, 2, 0, 0) + b"\xc9\x10" + packed("fd00::7")
    assert packet(ip(A6, B6, 60, option + body)).checksum == "ok"


# Headers that end early, or say what can't be.


@pytest.mark.parametrize(
    ("data", "kept", "words"),
    [
        (SEGMENT, 32, "its TCP header"),
        (SEGMENT, 12, "its IP header"),
        (FOUR, 24, "its UDP header"),
        (icmp(A, B, 8, 0, bytes(20)), 22, "its ICMP header"),
        (SIX, 30, "its IP header"),
        (b"\x4f\0\0\x60" + FOUR[4:] + bytes(64), 30, "its IP options"),
    ],
)
def test_what_only_the_capture_cut_is_not_malformed(data, kept, words):
    found = cut(data, kept)
    assert found.malformed == ""
    assert found.unread == f"the capture holds {kept} of its {len(data)} bytes, which end inside {words}"
    drawn = drawing.draw(found, colour=True)
    assert f"unread: {found.unread}" in drawn
    assert "\x1b[31m" not in drawn
    assert "unread: " in listed([found], columns=None, colour=False)[2]
    assert documents([found])[0]["malformed"] is None


def test_what_its_own_ip_header_ends_too_soon_is_malformed_also_where_it_is_cut():
    short = bytearray(SEGMENT[:20] + SEGMENT[20:])
    short[2:4] = struct.pack(">H", 32)
    assert cut(bytes(short), 30).malformed == "ends inside its TCP header"


def test_a_first_fragment_may_end_inside_a_header():
    found = packet(ip(A, B, 6, SEGMENT[20:28], flags=0x2000))
    assert (found.sport, found.malformed, found.unread) == (1, "", "its TCP header goes on in the next fragment")


def test_a_data_offset_below_five_leaves_no_values():
    found = packet(SEGMENT[:32] + b"\x40" + SEGMENT[33:])
    assert (found.sport, found.dport, found.tcp) == (1, 2, None)
    assert found.malformed == "says its TCP header has 16 bytes"
    assert analyse([found]).segments == (None,)
    assert "window" not in values(found)
    assert label(found, None).head == "TCP"


def test_a_header_length_below_five_leaves_no_values():
    found = packet(b"\x44" + FOUR[1:])
    assert (found.src, found.dst, found.ttl, found.sport) == ("", "", None, None)
    assert found.malformed == "says its IP header has 16 bytes, and none has less than 20"
    assert values(found)["version, header length"] == "4, 16"
    assert "source" not in values(found)


@pytest.mark.parametrize("data", [FOUR, SIX])
def test_an_ip_length_beyond_the_frame_is_remarked(data):
    longer = bytearray(data)
    at = 4 if data is SIX else 2
    longer[at : at + 2] = struct.pack(">H", struct.unpack_from(">H", data, at)[0] + 9)
    found = packet(bytes(longer))
    assert found.malformed == f"says its IP packet goes on to byte {len(data) + 9}, where the frame has {len(data)}"
    assert (found.sport, found.dport) == (5, 6)


def test_flags_that_are_new_and_bits_that_are_reserved():
    found = packet(SEGMENT[:32] + b"\x5f\x10" + SEGMENT[34:])
    assert found.tcp.names == "ACK, AE, reserved 0xe00"
    assert packet(SEGMENT[:32] + b"\x51\x10" + SEGMENT[34:]).tcp.names == "ACK, AE"


def test_each_fragment_header_tells_of_itself():
    inner = struct.pack(">BBHI", 17, 0, 0x18, 2)
    found = packet(ip(A6, B6, 44, struct.pack(">BBHI", 44, 0, 1, 1) + inner + b"rest"))
    assert (found.fragment_offset, found.ip_id) == (24, 1)
    assert [value for name, value, _ in fields(found) if name == "fragment"] == [
        "offset 0, id 1, more follow",
        "offset 24, id 2",
    ]


def test_an_authentication_header_leads_on():
    body = FOUR[20:]
    head = struct.pack(">BBHII", 17, 4, 0, 7, 1) + bytes(12)
    found = packet(ip(A, B, 51, head + body))
    assert (found.sport, found.payload, found.checksum) == (5, b"four", "ok")
    assert ("AH", "24 bytes", "then UDP") in fields(found, "IPv4")


# Links.


def frame(ethertype, data):
    return packet(ETHER + struct.pack(">H", ethertype) + data, link_type=link.ETHERNET)


def test_mpls_leads_to_ip():
    found = frame(0x8847, struct.pack(">II", 16 << 12 | 64, 17 << 12 | 1 << 8 | 63) + FOUR)
    assert (found.payload, found.checksum) == (b"four", "ok")
    assert [value for name, value, _ in fields(found) if name == "MPLS label"] == ["16", "17"]


def test_pppoe_leads_to_ip_and_ends_where_it_says():
    found = frame(0x8864, struct.pack(">BBHHH", 0x11, 0, 7, len(SIX) + 2, 0x57) + SIX + b"padding")
    assert (found.payload, found.checksum, found.malformed) == (b"six", "ok", "")
    assert frame(0x8863, struct.pack(">BBHH", 0x11, 9, 0, 0)).protocol == "pppoed"
    assert frame(0x8864, struct.pack(">BBHHH", 0x11, 0, 7, 2, 0xC021)).protocol == "ppp-lcp"


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (b"\x42\x42\x03" + bytes(35), "stp"),
        (b"\xaa\xaa\x03\0\0\x0c\x20\0" + b"x", "cdp"),
        (b"\xaa\xaa\x03\0\0\0\x08\0" + FOUR, "udp"),
        (b"\xff\xff\0\x22", "ipx"),
        (b"\xf0\xf0\x03", "netbios"),
    ],
)
def test_a_length_of_802_3_is_no_type(data, protocol):
    found = frame(len(data), data + b"padding")
    assert (found.protocol, found.malformed) == (protocol, "")
    assert ("length", str(len(data)), "bytes") in fields(found)


@pytest.mark.parametrize(
    ("link_type", "head"),
    [
        (link.PPP, b"\xff\x03\0\x21"),
        (link.PPP, b"\x21"),
        (link.C_HDLC, b"\x0f\0\x08\0"),
        (50, b"\x0f\0\x08\0"),
        (9, b"\0\x21"),
    ],
)
def test_more_link_types(link_type, head):
    assert packet(head + FOUR, link_type=link_type).payload == b"four"


def test_a_link_type_that_is_only_known_by_name():
    found = packet(b"\x80\0", link_type=105)
    assert (found.protocol, found.unread, found.malformed) == ("802.11", "802.11 (link type 105) isn't decoded", "")


# Protocols.


def arp(operation, hardware=1, size=6):
    body = struct.pack(">HHBBH", hardware, 0x800, size, 4, operation)
    return body + b"\2" * size + packed(A) + b"\3" * size + packed(B)


@pytest.mark.parametrize(
    ("ethertype", "operation", "head"),
    [
        (0x8035, 3, "RARP who is 03:03:03:03:03:03?"),
        (0x8035, 4, f"RARP 03:03:03:03:03:03 is {B}"),
        (0x0806, 8, "InARP who is 03:03:03:03:03:03?"),
        (0x0806, 9, f"InARP {A} is at 02:02:02:02:02:02"),
        (0x0806, 23, "ARP operation 23"),
    ],
)
def test_what_arp_can_also_say(ethertype, operation, head):
    found = frame(ethertype, arp(operation))
    assert label(found, None).head == head
    assert (found.src, found.malformed) == (A, "")


def test_arp_for_other_hardware_is_sound():
    found = frame(0x0806, arp(1, hardware=7, size=1))
    assert (found.src, found.dst, found.arp.sender_mac, found.malformed) == (A, B, "02", "")
    found = frame(0x0806, struct.pack(">HHBBH", 19, 0x800, 0, 0, 8) + bytes(20))
    assert (found.malformed, found.unread) == ("", "an ARP message for hardware 19 and protocol 0x0800 isn't decoded")
    assert (found.payload_offset, found.payload) == (22, found.record.data[22:]), "behind the header, not over it"


def test_icmp_tells_mtu_and_gateway():
    quoted = FOUR[:28]
    found = packet(icmp(B, A, 3, 4, struct.pack(">HH", 0, 1400) + quoted))
    assert "mtu 1400" in label(found, None).parts
    assert values(found)["MTU"] == "1400"
    found = packet(icmp(B6, A6, 2, 0, struct.pack(">I", 1280) + SIX))
    assert (found.icmp.mtu, values(found)["MTU"]) == (1280, "1280")
    found = packet(icmp(B, A, 5, 1, packed("10.0.0.9") + quoted))
    assert ("gateway 10.0.0.9" in label(found, None).parts, values(found)["gateway"]) == (True, "10.0.0.9")


def test_groups():
    report = struct.pack(">BBH", 0x16, 0, 0) + packed("239.1.2.3")
    found = packet(ip(A, "239.1.2.3", 2, report[:2] + struct.pack(">H", dpkt.in_cksum(report)) + report[4:]))
    assert (found.checksum, found.igmp.groups, found.igmp.version) == ("ok", ("239.1.2.3",), 2)
    assert str(label(found, None).head) == "IGMP membership report v2"
    third = struct.pack(">BBHHH", 0x22, 0, 0, 0, 2) + b"\4\0\0\0" + packed("239.1.2.3") + b"\2\0\0\1" + packed(B) * 2
    assert packet(ip(A, "224.0.0.22", 2, third)).igmp.groups == ("239.1.2.3", B)
    listener = packet(icmp(A6, "ff02::16", 143, 0, struct.pack(">HH", 0, 1) + b"\4\0\0\0" + packed("ff02::99")))
    assert label(listener, None).parts == ("ff02::99",)


def test_a_body_that_is_no_text_is_bytes():
    found = packet(tcp(A, 1, B, 80, 1, 1, ACK, b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe\xfd\xfc"))
    assert values(found)["data"] == "4 bytes"
    assert "body" not in values(found)


def dns(*records, asked=b"\3bob\3lab\0\0\1\0\1"):
    return struct.pack(">6H", 7, 0x8180, 1, len(records), 0, 0) + asked + b"".join(records)


def record(kind, data):
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (16, b"\5hello\1w", 'TXT bob.lab = "hello" "w"'),
        (65, b"\0\1\0" + b"\0\1\0\3\2h2" + b"\0\3\0\2\1\xbb" + b"\0\4\0\4\x0a\0\0\2", None),
        (257, b"\0\5issueca.lab", 'CAA bob.lab = 0 issue "ca.lab"'),
        (43, struct.pack(">HBB", 12, 8, 2) + b"\xab\xcd", "DS bob.lab = 12 8 2 ABCD"),
        (48, struct.pack(">HBB", 257, 3, 8) + b"key", "DNSKEY bob.lab = 257 3 8 a2V5"),
        (47, b"\1c\3lab\0\0\1\x40", "NSEC bob.lab = c.lab A"),
        (51, b"\1\0\0\x0a\1\xaa", "NSEC3PARAM bob.lab = 1 0 10 AA"),
    ],
)
def test_records_of_dns(kind, data, value):
    value = value or "HTTPS bob.lab = 1 . alpn=h2 port=443 ipv4hint=10.0.0.2"
    found = packet(udp(A, 53, B, 5, dns(record(kind, data))))
    assert value in [shown for name, shown, _ in fields(found, "DNS") if name == "answer"]


def test_signatures_of_dns():
    signed = struct.pack(">HBBIIIH", 1, 8, 2, 60, 1_700_000_000, 1_600_000_000, 12) + b"\3lab\0" + b"sig"
    found = packet(udp(A, 53, B, 5, dns(record(46, signed))))
    times = "20231114221320 20200913122640"
    assert values(found)["answer"] == f"RRSIG bob.lab = A 8 2 60 {times} 12 lab c2ln"


def test_each_field_of_dns_has_its_own_bytes():
    message = dns(record(1, packed(B)), record(1, packed(A)))
    found = packet(udp(A, 53, B, 5, message))
    (layer,) = [layer for layer in layers(found) if layer.name == "DNS"]
    places = [(field.name, field.offset, field.length) for field in layer.fields]
    assert sum(length for _, _, length in places) == len(message)
    at = found.payload_offset
    assert places[-3:] == [("question", at + 12, 13), ("answer", at + 25, 16), ("answer", at + 41, 16)]


def test_the_root_has_a_name():
    question = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\0\0\2\0\1"
    assert label(packet(udp(A, 5, B, 53, question)), None).parts == ("len 17", "NS .?")


# Files.


def pcap(records, *, magic=0xA1B2C3D4, version=(2, 4), extra=b""):
    out = struct.pack("<IHHiIII", magic, *version, 0, 0, 65535, link.RAW)
    for captured, original, data in records:
        out += struct.pack("<IIII", 5, 6, captured, original) + extra + data
    return out


@pytest.mark.parametrize("pieces", [1, 7, 100_000])
def test_a_packed_capture_is_read(pieces):
    whole = gzip.compress(pcap([(len(FOUR), len(FOUR), FOUR)])) + gzip.compress(
        struct.pack("<IIII", 5, 6, len(SIX), len(SIX)) + SIX
    )
    found = read(whole[n : n + pieces] for n in range(0, len(whole), pieces))
    assert [record.data for record in found] == [FOUR, SIX]


def test_a_packed_capture_that_ends_early_is_broken_after_what_was_whole():
    parser = Parser()
    packed_one = gzip.compress(pcap([(len(FOUR), len(FOUR), FOUR)] * 50))
    assert len(list(parser.feed(packed_one[:-12]))) > 0
    with pytest.raises(CaptureError, match="packed by gzip, and ends before that does"):
        parser.close()


def test_old_versions_have_the_lengths_in_the_other_order():
    for version, lengths in (
        ((2, 1), (60, len(FOUR))),
        ((2, 2), (60, len(FOUR))),
        ((2, 3), (60, len(FOUR))),
        ((2, 3), (len(FOUR), 60)),
    ):
        (found,) = read(io.BytesIO(pcap([(*lengths, FOUR)], version=version)))
        assert (found.data, found.original_length) == (FOUR, 60)


def test_a_modified_pcap_has_more_before_each_packet():
    (found,) = read(io.BytesIO(pcap([(len(FOUR), 60, FOUR)], magic=0xA1B2CD34, extra=bytes(8))))
    assert (found.data, found.original_length) == (FOUR, 60)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"snoop\0\0\0\0\0\0\2", "a snoop file"),
        (b"\xfd7zXZ\0\0", "packed by xz"),
        (b"\x28\xb5\x2f\xfd\0", "packed by zstd"),
        (b"BZh91AY", "packed by bzip2"),
    ],
)
def test_other_files_are_named_as_what_they_are(data, words):
    with pytest.raises(CaptureError, match=words):
        list(read(io.BytesIO(data)))


def pcapng(*blocks):
    out = b""
    for kind, body in ((0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)), *blocks):
        length = struct.pack("<I", len(body) + 12)
        out += struct.pack("<I", kind) + length + body + length
    return out


def test_a_string_ends_at_a_nul():
    name = struct.pack("<HH", 2, 8) + b"eth0\0\0ab"
    block = struct.pack("<HHI", link.RAW, 0, 0) + name + bytes(4)
    simple = struct.pack("<I", len(FOUR)) + FOUR
    (found,) = read(io.BytesIO(pcapng((1, block), (3, simple))))
    assert found.interface.name == "eth0"


def test_a_simple_packet_has_no_time():
    block = struct.pack("<HHI", link.RAW, 0, 0)
    simple = struct.pack("<I", len(FOUR)) + FOUR
    timed = struct.pack("<IIIII", 0, 0, 1_000_000, len(FOUR), len(FOUR)) + FOUR
    records = list(read(io.BytesIO(pcapng((1, block), (3, simple), (6, timed)))))
    assert [record.timed for record in records] == [False, True]
    found = [decode(record, place) for place, record in enumerate(records)]
    assert "without a time" in drawing.draw(found[0])
    assert [document["ts_ns"] for document in documents(found)] == [None, 1_000_000_000]
    lines = listed(found, columns=None, colour=False)
    assert lines[0] == "times in seconds from 1970-01-01T00:00:01.000000000Z"
    assert [line.split()[1] for line in lines[2:]] == ["-", "0.000000"]
    assert listed(found[:1], columns=None, colour=False)[0] == "this capture has no times"


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (b"\0\1" + b"\x42\x42\x03" + bytes(40), "ends inside its LLC header"),
        (b"\x88\x64" + b"\x11\0\0\1\0\1" + b"\0\x21" + FOUR, "ends inside its PPPoE session header"),
    ],
)
def test_a_length_too_short_for_the_next_header_leaves_nothing(after, words):
    found = packet(bytes(12) + after, link_type=link.ETHERNET)
    assert (found.malformed, found.payload, found.payload_length) == (words, b"", 0)


def test_a_protocol_of_linux_is_no_length():
    found = packet(struct.pack(">HHH8sH", 2, 1, 6, bytes(8), 4) + b"\x42\x42\x03" + bytes(35), link_type=link.SLL)
    assert found.protocol == "stp"
    assert ("type", "0x0004", "") in fields(found)


def test_more_in_a_file_than_was_on_the_wire():
    data = SIX[:4] + b"\0\0" + SIX[6:]
    found = decode(Record(BEGIN, data, 20, Interface(0, "", link.RAW)))
    assert found.total_length == len(data)


def test_a_checksum_that_would_be_nothing():
    assert checksum.wanted(b"\xff\xff\x12\x34", 0x1234) == 0
    assert checksum.wanted(b"\xff\xff\x12\x34", 0x1234, never_zero=True) == 0xFFFF, "UDP's 0 says that there is none"


def test_statistics_count_from_the_beginning():
    block = struct.pack("<HHI", link.RAW, 0, 0)
    statistics = [(5, struct.pack("<III", 0, 0, 0) + struct.pack("<HHQ", 5, 8, count) + bytes(4)) for count in (3, 5)]
    parser = Parser()
    assert list(parser.feed(pcapng((1, block), *statistics))) == []
    assert parser.drops == {"": 5}
