"""Captures read and written: every format, broken in every way, and a pipe that is still being written."""

import io
import os
import struct
import threading

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traffic import BEGIN, udp

from labctl.packets.files.capture import Parser, read
from labctl.packets.files.write import Writer
from labctl.packets.model import CaptureError

DATA = [udp("10.0.0.1", 1, "10.0.0.2", 2, b"x" * size) for size in (0, 1, 2, 3, 50)]
MAGIC = {("<", 1000): 0xA1B2C3D4, (">", 1000): 0xA1B2C3D4, ("<", 1): 0xA1B23C4D, (">", 1): 0xA1B23C4D}


def pcap(packets, order="<", unit=1000, link_type=101, snaplen=262144):
    out = struct.pack(order + "IHHiIII", MAGIC[order, unit], 2, 4, 0, 0, snaplen, link_type)
    for ts, data in packets:
        out += struct.pack(order + "IIII", ts // 10**9, ts % 10**9 // unit, len(data), len(data) + 7) + data
    return out


def pcapng(packets, *, comments=()):
    out = io.BytesIO()
    writer = Writer(out)
    for node, ts, data in packets:
        writer.packet(writer.interface(node, 101), ts, data, comments=comments)
    return out.getvalue()


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def options(order, *found):
    return b"".join(struct.pack(order + "HH", c, len(v)) + v + bytes(-len(v) % 4) for c, v in found) + bytes(4)


def section(order):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def told(capture):
    """What is read before the error, and the error."""
    found = []
    try:
        for record in read(io.BytesIO(capture)):
            found.append(record.data)
    except CaptureError as error:
        return found, str(error)
    return found, "nothing is wrong"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("unit", [1, 1000])
def test_pcap_in_both_orders_and_resolutions(order, unit):
    capture = pcap([(BEGIN, data) for data in DATA], order, unit)
    found = list(read(io.BytesIO(capture)))
    assert [record.data for record in found] == DATA
    assert {record.ts_ns for record in found} == {BEGIN // unit * unit}
    assert [record.original_length - len(record.data) for record in found] == [7] * 5
    assert {(record.interface.link_type, record.interface.order) for record in found} == {(101, order)}


def test_pcap_as_dpkt_writes_it():
    out = io.BytesIO()
    writer = dpkt.pcap.Writer(out, linktype=101, nano=True)
    for data in DATA:
        writer.writepkt(data, ts=1_763_800_000.5)
    out.seek(0)
    assert [(record.ts_ns, record.data) for record in read(out)] == [(1_763_800_000_500_000_000, d) for d in DATA]


def test_pcapng_as_dpkt_reads_it():
    written = pcapng([("alice", 1_763_800_000_500_000_000, data) for data in DATA])
    assert list(dpkt.pcapng.Reader(io.BytesIO(written))) == [(1_763_800_000.5, data) for data in DATA]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_several_interfaces_resolutions_and_sections(order):
    def packet(interface, ticks, data, *found):
        head = struct.pack(order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        return block(order, 6, head + data + bytes(-len(data) % 4) + (options(order, *found) if found else b""))

    def interface(*found, link_type=1):
        return block(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options(order, *found))

    capture = (
        section(order)
        + interface((2, b"alice"), (9, b"\x09"))
        + interface((2, "bøb".encode()), link_type=101)
        + interface((9, b"\x8a"), (14, struct.pack(order + "q", 100)))
        + block(order, 99, b"a kind that nobody knows")
        + packet(0, 5_000_000_001, b"one", (1, b"a remark"), (2, b"\0\0\0\0"), (1, b"another"))
        + packet(1, 5_000_001, b"four")
        + packet(2, 1024 * 3 + 512, b"")
        + block(order, 3, struct.pack(order + "I", 2) + b"hi")
        + block(order, 2, struct.pack(order + "HHIIII", 1, 0, 0, 7, 3, 3) + b"old")
        + block(order, 5, struct.pack(order + "III", 1, 0, 0) + options(order, (5, struct.pack(order + "Q", 4))))
        + section("<" if order == ">" else ">")
    )
    parser = Parser()
    found = list(parser.feed(capture))
    parser.close()
    assert [(one.interface.name, one.ts_ns, one.data) for one in found] == [
        ("alice", 5_000_000_001, b"one"),
        ("bøb", 5_000_001_000, b"four"),
        ("", 103_500_000_000, b""),
        ("alice", 0, b"hi"),
        ("bøb", 7000, b"old"),
    ]
    assert found[0].comments == ("a remark", "another")
    assert [one.interface.link_type for one in found] == [1, 101, 1, 1, 101]
    assert parser.drops == {"bøb": 4}


packets = st.lists(st.tuples(st.sampled_from(["alice", "bob", "世界"]), st.integers(0, 2**63), st.binary(max_size=200)))


# A text of pcapng ends at a NUL, if it holds one.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@given(packets, st.lists(texts, max_size=3), st.data())
def test_what_is_written_is_read_however_it_is_cut(found, comments, data):
    written = pcapng(found, comments=comments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=8)))
    pieces = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    back = list(read(iter(pieces)))
    assert [(one.interface.name, one.ts_ns, one.data) for one in back] == found
    assert all(one.comments == tuple(comments) for one in back)


def test_what_utf8_does_not_know_is_written_as_json_has_it():
    [back] = read(io.BytesIO(pcapng([("alice", 0, b"x")], comments=["\ud83d, ö"])))
    assert back.comments == ("\\ud83d, ö",)


@given(packets, st.data())
def test_a_truncated_capture_gives_all_that_is_whole_and_then_one_error(found, data):
    for written in (pcapng(found), pcap([(ts % 2**60, raw) for _, ts, raw in found], unit=1)):
        cut = data.draw(st.integers(0, len(written) - 1))
        back, said = told(written[:cut])
        assert "\n" not in said
        assert back == [raw for _, _, raw in found][: len(back)]
        again = len(list(read(io.BytesIO(written))))
        assert again == len(found)


@given(st.binary(max_size=300), st.sampled_from([b"", pcap([])[:24], section("<"), section(">")]))
def test_rubbish_is_refused_or_read_but_never_anything_else(rubbish, head):
    assert told(head + rubbish)[1]


def test_each_record_is_there_as_soon_as_its_bytes_are():
    for written in (pcap([(BEGIN, data) for data in DATA]), pcapng([("a", BEGIN, data) for data in DATA])):
        parser, seen = Parser(), []
        for number in range(len(written)):
            for record in parser.feed(written[number : number + 1]):
                seen.append((number + 1, record.data))
        assert [data for _, data in seen] == DATA
        assert seen[-1][0] == len(written)  # the last one with the last byte, and not one before it
        parser.close()


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_live_pipe_is_not_read_ahead_of(buffering):
    reading, writing = os.pipe()
    found: list[bytes] = []
    seen = threading.Semaphore(0)

    def follow():
        with open(reading, "rb", buffering) as pipe:
            for record in read(pipe):
                found.append(record.data)
                seen.release()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    written = pcap([(BEGIN, data) for data in DATA])
    os.write(writing, written[: 24 + 16 + len(DATA[0]) + 5])
    assert seen.acquire(timeout=10)
    assert found == DATA[:1]
    os.write(writing, written[24 + 16 + len(DATA[0]) + 5 :])
    os.close(writing)
    thread.join(timeout=10)
    assert found == DATA


def test_a_capture_without_packets_is_fine():
    assert list(read(io.BytesIO(pcap([])))) == []
    assert list(read(io.BytesIO(pcapng([])))) == []


WHOLE = pcap([(BEGIN, data) for data in DATA])
NG = pcapng([("alice", BEGIN, data) for data in DATA])


@pytest.mark.parametrize(
    ("capture", "count", "message"),
    [
        (b"", 0, "the capture is empty: not one byte is in it"),
        (WHOLE[:3], 0, "the capture ends after 3 bytes, before its first header does"),
        (WHOLE[:20], 0, "the capture ends inside its header: 20 of 24 bytes are there"),
        (WHOLE[:-1], 4, "the capture ends inside packet 5: 93 of 94 bytes are there"),
        (WHOLE[: 24 + 16 + len(DATA[0]) + 9], 1, "the capture ends inside packet 2: 9 of 16 bytes are there"),
        (NG[:-5], 4, "the capture ends inside a block after packet 4: 107 of 112 bytes are there"),
        (b"GIF89a", 0, "this is no capture: it begins with 47 49 46 38, where a pcap has "),
        (b"\x1f\x8b\x08\0", 0, "the capture is packed by gzip, and ends before that does"),
        (pcap([]) + struct.pack("<IIII", 1, 1, 2**31, 4), 0, "the capture is broken at packet 1: that would have "),
        (WHOLE[:4] + b"\x03\0" + WHOLE[6:], 0, "the capture is a pcap of version 3.4, and only version 2 can"),
        (NG[:-4] + b"\1\1\0\0", 4, "the capture is broken after packet 4: a block says 112 bytes where it begins and"),
        (section("<") + block("<", 6, bytes(20)), 0, "the capture is broken before its first packet: it names inter"),
        (section("<") + block("<", 6, b"123"), 0, "the capture is broken before its first packet: a block is too sh"),
        (section("<") + struct.pack("<II", 6, 7) + bytes(9), 0, "the capture is broken before its first packet: a b"),
        (NG[:8] + b"\0\0\0\0" + NG[12:], 0, "the capture is broken before its first packet: a section has no byte"),
    ],
)
def test_what_is_broken_is_said_in_one_sentence_after_what_was_whole(capture, count, message):
    found, said = told(capture)
    assert found == DATA[:count]
    assert said.startswith(message)


def test_the_kernels_drops_are_written_and_read():
    out = io.BytesIO()
    writer = Writer(out)
    writer.drops(writer.interface("bob", 101), BEGIN, 12)
    parser = Parser()
    assert list(parser.feed(out.getvalue())) == []
    assert parser.drops == {"bob": 12}
