"""The table of protocols: each file has its line, each number one row, each row all it promises; the rest is said."""

import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from protocol_samples import SAMPLES, A, B, ethernet
from traffic import icmp, ip, packed, packet, tcp, udp

from labctl.api import files
from labctl.packets import protocols
from labctl.packets.files.write import Writer
from labctl.packets.ladder.label import label
from labctl.packets.model import ACK
from labctl.packets.pattern import BadPattern, match, parse, seen_of, write
from labctl.packets.protocols import link, numbers
from labctl.packets.protocols.ip import alike, decode
from labctl.packets.protocols.kind import Link, Network, Protocol, Transport
from labctl.packets.protocols.layers import layers

ROWS = protocols.table().rows
PAGE = (Path(__file__).parents[2] / "docs" / "packets.md").read_text()


def key(row: Protocol) -> str:
    return f"{type(row).__name__.lower()} {row.name}"


def said(found) -> str:
    """All names, values and meanings of a packet's layers."""
    lines = []
    for layer in layers(found):
        lines += [layer.name, *(f"{one.name}: {one.value} ({one.meaning})" for one in layer.fields)]
    return "\n".join(lines)


def sample(row: Protocol):
    link_type, data, _, _ = SAMPLES[key(row)]
    return packet(data, link_type=link_type)


def test_every_file_of_a_protocol_has_its_line():
    folder = Path(protocols.__file__).parent
    files = {f"{file.parent.name}.{file.stem}" for file in folder.glob("*/*.py") if "\nPROTOCOLS" in file.read_text()}
    assert set(protocols.NAMES) == files
    assert len(protocols.NAMES) == len(files)


def test_no_number_leads_to_two():
    table = protocols.table()
    assert len(table.links) == sum(len(row.link_types) for row in ROWS if isinstance(row, Link))
    assert len(table.transports) == sum(len(row.numbers) for row in ROWS if isinstance(row, Transport))
    assert not table.links.keys() & numbers.LINK_TYPES.keys()
    assert not table.transports.keys() & numbers.IP.keys()
    assert not table.tags.keys() & table.networks.keys()
    assert not (table.tags.keys() | table.networks.keys()) & numbers.ETHERTYPES.keys()
    named = [key(row) for row in ROWS]
    assert len(named) == len(set(named))
    own = [row.name for row in ROWS if isinstance(row, Network | Transport)]
    assert len(own) == len(set(own)), "Packet.protocol tells which row it is"


def test_every_protocol_has_a_sample():
    assert SAMPLES.keys() == {key(row) for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=key)
def test_it_is_decoded_taken_apart_and_labelled(row):
    _, data, words, head = SAMPLES[key(row)]
    found = sample(row)
    assert (found.malformed, found.unread) == ("", "")
    assert words in said(found)
    assert sum(layer.length for layer in layers(found)) == len(data), "no byte is left out"
    assert label(found, None).head.startswith(head)
    if isinstance(row, Transport):
        assert found.protocol == row.name
        assert f"({row.words})" in said(found), "IP's header says it in words"


TRANSPORTS = [row for row in ROWS if isinstance(row, Transport)]


@pytest.mark.parametrize("row", TRANSPORTS, ids=key)
def test_files_ladders_patterns_and_saved_runs_know_it(row, tmp_path):
    """Nothing of these has a list of protocols of its own."""
    link_type, data, words, head = SAMPLES[key(row)]
    file = tmp_path / "sample.pcapng"
    with file.open("wb") as out:
        writer = Writer(out)
        writer.packet(writer.interface("eth0", link_type), 10**18, data)
    found, problem = files.packet(str(file), 1)
    assert (found.protocol, problem) == (row.name, None)
    assert words in said(found)
    drawing = files.ladder(str(file), flow="1" if row.ports else "")
    [arrow] = drawing.ladder.arrows
    assert arrow.label.head.startswith(head)
    [seen] = seen_of([drawing.ladder])
    assert (seen.protocol, seen.upkeep) == (row.name, row.name if row.is_upkeep(found) else "")
    if seen.upkeep:
        return  # a pattern has no lines for these
    text = write([seen])
    assert match(parse(text), [seen]).fits
    assert (row.name in text) != row.stream, "TCP's lines are its flags, all others begin with their protocol's name"
    other = replace(seen, protocol="sctp", flags=frozenset())
    assert not match(parse(text), [other]).fits


@pytest.mark.parametrize("row", TRANSPORTS, ids=key)
def test_what_a_pattern_may_say_of_it(row):
    text = f"a > b  {row.name} hello"
    if row.ports:
        with pytest.raises(BadPattern, match="is followed by"):
            parse(text)
    else:
        assert parse(text)


def test_what_a_transport_is_excludes_what_it_is_not():
    for row in TRANSPORTS:
        assert not (row.stream and row.datagrams)
        assert row.ports or not (row.stream or row.datagrams), "whose they are is told by ports"
        assert not (row.is_upkeep(sample(row)) and row.of_programs(sample(row)))


@pytest.mark.parametrize("row", [row for row in ROWS if getattr(row, "checksum", None)], ids=key)
def test_its_checksum_is_where_its_row_says(row):
    found = sample(row)
    begin = found.network_offset if isinstance(row, Network) else found.transport_offset
    places = [one.offset for layer in layers(found) for one in layer.fields if one.name.endswith("checksum")]
    assert begin + row.checksum.at in places
    assert (found.ip_checksum if isinstance(row, Network) else found.checksum) == "ok"
    data = bytearray(found.record.data)
    data[begin + row.checksum.at] ^= 0x40
    broken = packet(bytes(data), link_type=found.record.interface.link_type)
    assert (broken.ip_checksum if isinstance(row, Network) else broken.checksum) == "bad"


@pytest.mark.parametrize("row", [row for row in ROWS if not isinstance(row, Link)], ids=key)
def test_the_page_about_packets_names_it(row):
    (decoded,) = [text for text in PAGE.split("\n\n") if text.startswith("**Decoded**")]
    assert row.words in re.findall(r"[\w-]+", decoded)


OWN = {
    "packets/tcp/receiving.py",  # TCP's own room
    "lab/reach/speed.py",  # what --udp asks for
    "render/reach/speed.py",
}


def test_no_module_outside_the_table_decides_by_a_protocols_name():
    names = "|".join(row.name for row in ROWS)
    decides = re.compile(rf"\bprotocol(\.text)? (==|!=|in|not in) [(\[{{]?\"({names})\"")
    folder = Path(protocols.__file__).parents[2]
    sources = [path for path in folder.rglob("*.py") if Path(protocols.__file__).parent not in path.parents]
    found = {str(path.relative_to(folder)) for path in sources if decides.search(path.read_text())}
    assert found == OWN


ANSWER = struct.pack(">6H", 7, 0x8000, 0, 1, 0, 0) + b"\0" + struct.pack(">HHIH", 4242, 1, 5, 2) + b"\1\2"
UNKNOWN = {
    "link type": (packet(b"hello", link_type=999), "link type 999", "len 5"),
    "EtherType": (packet(ethernet(0x1234, b"hello"), link_type=link.ETHERNET), "0x1234", "len 5"),
    "PPP": (packet(b"\xff\x03\x42\x21hello", link_type=link.PPP), "0x4221", "len 5"),
    "SAP": (packet(ethernet(5, b"\x33\x33\x03hi"), link_type=link.ETHERNET), "0x33", "len 2"),
    "IPv4": (packet(ip(A, B, 200, b"hello")), "ip-200", "len 5"),
    "IPv6": (packet(ip("fd00::1", "fd00::2", 200, b"hello")), "ip-200", "len 5"),
    "ICMP": (packet(icmp(A, B, 99, 7, b"restmore")), "type: 99", "ICMP type 99"),
    "ICMPv6": (packet(icmp("fd00::1", "fd00::2", 99, 7, b"restmore")), "type: 99", "ICMPv6 type 99"),
    "IGMP": (packet(ip(A, B, 2, b"\x77" + bytes(7))), "type: 0x77", "IGMP type 0x77"),
    "TCP option": (packet(tcp(A, 1, B, 2, 7, 8, ACK, options=b"\x4d\x03\x09")), "option 77: 9", "ACK"),
    "ARP": (
        packet(
            ethernet(link.ARP, struct.pack(">HHBBH", 1, link.IP4, 6, 4, 99) + 2 * (bytes(6) + packed(A))),
            link_type=link.ETHERNET,
        ),
        "operation: 99",
        "ARP operation 99",
    ),
    "routing header": (
        packet(ip("fd00::1", "fd00::2", 43, b"\x11\0\x4d\0" + bytes(4) + struct.pack(">HHHH", 1, 2, 8, 1))),
        "type 77, 0 left",
        "UDP",
    ),
    "DNS": (packet(udp(A, 53, B, 9, ANSWER)), r"type 4242 . = \# 2 0102", "DNS"),
}


@pytest.mark.parametrize("where", UNKNOWN)
def test_what_no_table_knows_is_said_with_its_number_its_length_and_its_bytes(where):
    found, number, shown = UNKNOWN[where]
    short = label(found, None)
    assert number in said(found) + found.unread + found.protocol
    assert shown in (short.head, *short.parts)
    assert sum(layer.length for layer in layers(found)) == len(found.record.data), "no byte is left out"


@pytest.mark.parametrize("row", ROWS, ids=key)
def test_what_has_the_same_bytes_is_the_same_packet(row):
    """A saved run has most packets twice, and the second isn't decoded once more."""
    first = sample(row)
    for known in (first, packet(first.record.data[:-1], link_type=first.record.interface.link_type)):
        record = replace(known.record, ts_ns=7)
        assert alike(known, record, 3, "bob") == decode(record, 3, "bob")
