"""Times that a capture file can hold and a calendar can't."""

import struct

import pytest
from traffic import packet, udp

from labctl.packets.files.capture import Parser
from labctl.packets.ladder.ladder import one_sided
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.words import moment
from labctl.render import text as texts
from labctl.render.ladder import document, mermaid, svg, text
from labctl.render.packets import layers as packet_drawing
from labctl.render.packets import listing

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("nanoseconds", "said"),
    [
        (1_763_800_000_123_456_789, "2025-11-22T08:26:40.123456789Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (-62_135_596_800 * SECOND, "0001-01-01T00:00:00.000000000Z"),
        (253_402_300_800 * SECOND - 1, "9999-12-31T23:59:59.999999999Z"),
        (253_402_300_800 * SECOND, "253402300800.000000000 s since 1970"),
        (-62_135_596_800 * SECOND - 1, "-62135596800.000000001 s since 1970"),
        ((2**64 - 1) * 1000, "18446744073709.551615000 s since 1970"),
    ],
)
def test_a_moment(nanoseconds, said):
    assert moment(nanoseconds) == said


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def captured(high, low, offset=None):
    """A pcapng file of one packet, with its time as two halves and the interface's if_tsoffset."""
    options = b"" if offset is None else struct.pack("<HHq", 14, 8, offset) + bytes(4)
    data = udp("10.0.0.1", 1, "10.0.0.2", 2, b"hi")
    return (
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        + block(1, struct.pack("<HHI", 101, 0, 0) + options)
        + block(6, struct.pack("<IIIII", 0, high, low, len(data), len(data)) + data)
    )


@pytest.mark.parametrize(
    "file",
    [
        captured(0xFFFFFFFF, 0xFFFFFFFF),
        captured(0, 0, -(10**12)),
        captured(0, 0, 2**63 - 1),
        captured(0xFFFFFFFF, 0xFFFFFFFF, -(2**63)),
    ],
    ids=["all ones", "long ago", "far off", "both"],
)
def test_a_packet_of_any_time_is_shown(file):
    parser = Parser()
    [record] = parser.feed(file)
    found = decode(record)
    assert " s since 1970" in packet_drawing.draw(found)
    assert packet_drawing.document(found)["ts"].endswith(" s since 1970")
    assert " s since 1970" in listing.listed([found], columns=80, colour=False)[0]
    assert listing.documents([found])[0]["ts_ns"] == record.ts_ns
    ladder = one_sided(sorted([found, packet(udp("10.0.0.2", 2, "10.0.0.1", 1))], key=lambda one: one.ts_ns))
    for columns in (60, 80):
        assert all(texts.width(line) <= columns for line in text.draw(ladder, columns=columns).split("\n"))
    assert svg.draw(ladder)
    assert mermaid.draw(ladder)
    assert document.document(ladder)
