"""What tshark says of a capture, and what we say: the same addresses, ports, flags, numbers and lengths.

tshark runs in a container of its own, where captures that others made lie as well: gopacket's, and Hadriel Kaplan's
test suite of pcapng.
"""

import io
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from corpus import Package, archive
from sampling import seed, share
from test_packets_decode import ETHER, fragment6, nflog
from test_packets_ladders import SCENES, made
from test_packets_match import mixed
from traffic import BEGIN, icmp, ip, tcp, udp
from tshark import Oracle, Refused, compare, tshark

from labctl.packets.files.capture import read
from labctl.packets.files.write import Writer
from labctl.packets.model import SYN, CaptureError
from labctl.packets.protocols.link import ETHERNET, NFLOG, RAW
from labctl.packets.tcp.flows import analyse

pytestmark = pytest.mark.turn(2)

OTHERS = "/usr/share/gocode/src/github.com/google/gopacket"


@pytest.fixture(scope="module", autouse=True)
def oracle(engine, debian, labels):
    """Builds tshark's image, and has it run while these tests do."""
    name = Oracle.build(debian)
    Oracle.container = engine.containers.run(name, detach=True, init=True, network_mode="none", labels=labels)
    yield
    Oracle.container.remove(force=True)


def written(path, packets, link_type=RAW):
    with open(path, "wb") as out:
        writer = Writer(out)
        for node, ts, data, *comments in packets:
            writer.packet(writer.interface(node, link_type), ts, data, comments=comments)
    return path


def extract(packed: tarfile.TarFile, folder) -> None:
    """Nothing outside of the folder, where this Python's tarfile can be told (3.11.4 and later)."""
    packed.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))


@pytest.mark.turn(2)
def test_captures_that_others_made(tmp_path):
    status, packed, err = Oracle.run(["tar", "-C", OTHERS, "-c", "."])
    assert status == 0, err
    with tarfile.open(fileobj=io.BytesIO(packed)) as found:
        extract(found, tmp_path)
    files = sorted((*tmp_path.rglob("*.pcap"), *tmp_path.rglob("*.pcapng")))
    assert len(files) > 50
    refused = 0
    for file in share(files, 3, seed()):
        try:
            rows = tshark(file)
        except Refused:  # a version of the format that isn't there yet
            refused += 1
            with open(file, "rb") as stream, pytest.raises(CaptureError):
                list(read(stream))
            continue
        compare(file, rows)
    assert refused < 5


# Of PyPI, by name: Apache licences. The first ones are those of the format's own authors (ntar), of both byte orders.
PACKAGES = (
    (Package("python-pcapng", "2.1.1", "6477e72513165954e56d5836ebbd43ac7f8d28c4640f78d63d6506d1692ddc74"), 11),
    (Package("pcapy_ng", "2.1.0", "732f2ef22f7f16726c49d35516df93f2a4120a4cb207a1d0140818aa30f57d8c"), 1),
)

BROKEN = "test006.ntar"  # a block's length is no multiple of 4: tshark takes it, the format forbids it


@pytest.mark.turn(2)
@pytest.mark.parametrize(("package", "count"), PACKAGES, ids=[package.name for package, _ in PACKAGES])
def test_captures_of_python_packages(package, count, tmp_path):
    with tarfile.open(archive(package)) as packed:
        extract(packed, tmp_path)
    files = [file for kind in ("ntar", "pcap", "pcapng") for file in tmp_path.rglob(f"*.{kind}")]
    assert len(files) == count
    for file in files:
        try:
            rows = tshark(file) if file.name != BROKEN else None
        except Refused:
            rows = None
        if rows is None:
            with open(file, "rb") as stream, pytest.raises(CaptureError):
                list(read(stream))
        else:
            compare(file, rows)


@pytest.mark.parametrize("name", sorted(SCENES))
def test_scenes(name, tmp_path):
    """One observer's view of each scene: the same numbers, relative ones too, and the same words for the segments."""
    _, sides = made(name)
    view = sorted((*sides[0].sent, *sides[0].arrived), key=lambda packet: (packet.ts_ns, packet.index))
    file = written(tmp_path / "scene.pcapng", [("alice", packet.ts_ns, packet.record.data) for packet in view])
    packets, rows = compare(file)
    for place, (segment, row) in enumerate(zip(analyse(packets).segments, rows, strict=True), 1):
        if segment is None:
            continue
        said = (segment.seq, segment.ack or 0, segment.length, segment.window)
        their_window = int(row["tcp.window_size"]) if segment.window is not None else None
        assert said == (int(row["tcp.seq"]), int(row["tcp.ack"] or 0), int(row["tcp.len"]), their_window), place
        words = {
            "retransmission": segment.said("retransmission") or segment.said("fast retransmission"),
            "duplicate_ack_num": segment.said("duplicate ACK"),
            "zero_window": segment.said("zero window"),
            "window_update": segment.said("window update"),
        }
        mine = [one for one in packets[: place - 1] if one.source == packets[place - 1].source]
        if mine and mine[-1].tcp and mine[-1].tcp.has(SYN):
            continue  # tshark takes the first window after a SYN, whose own isn't scaled, for a changed one
        assert words == {word: bool(row[f"tcp.analysis.{word}"]) for word in words}, place
        probing = segment.said("keep-alive") or segment.said("window probe")
        assert probing == bool(row["tcp.analysis.keep_alive"] or row["tcp.analysis.zero_window_probe"]), place


@pytest.mark.parametrize("seed", range(8))
def test_faulted_traffic(seed, tmp_path):
    wire, _ = mixed(seed, kind=("udp", "tcp")[seed % 2], v6=bool(seed & 2))
    packets = [(side.node, one.ts_ns, one.record.data) for side in wire.sides() for one in (*side.sent, *side.arrived)]
    compare(written(tmp_path / "mix.pcapng", packets))


def test_every_kind_of_packet(tmp_path):
    found = [
        udp("fd00::1", 1, "fd00::2", 2, b"six"),
        fragment6(udp("fd00::1", 1, "fd00::2", 2, b"x" * 40)[40:64], 1),
        fragment6(b"y" * 24, 24),
        icmp("10.0.0.2", "10.0.0.1", 3, 3, bytes(4) + udp("10.0.0.1", 4, "10.0.0.2", 9, b"x")),
        icmp("fd00::2", "fd00::1", 1, 4, bytes(4) + udp("fd00::1", 4, "fd00::2", 9, b"x")),
        tcp("10.0.0.1", 1, "10.0.0.2", 2, 2**32 - 1, 5, 0x10, b"z"),
        ip("10.0.0.1", "10.0.0.2", 17, b"y" * 24, flags=0x2003),
    ]
    compare(written(tmp_path / "raw.pcapng", [("n", BEGIN + at, data) for at, data in enumerate(found)]))
    compare(written(tmp_path / "ether.pcapng", [("n", BEGIN, ETHER + b"\x08\0" + found[3])], ETHERNET))
    compare(written(tmp_path / "nflog.pcapng", [("n", BEGIN, nflog(found[3], "<"))], NFLOG))


def test_what_we_write_is_what_tshark_reads(tmp_path):
    data = udp("10.0.0.1", 1, "10.0.0.2", 2, b"hello")
    file = written(
        tmp_path / "written.pcapng",
        [
            ("alice", BEGIN, data, "sent, then dropped by f3: äöü 世界"),
            ("bob", BEGIN + 1, data),
            ("alice", BEGIN + 2, data),
        ],
    )
    rows = tshark(file)
    assert [row["frame.interface_name"] for row in rows] == ["alice", "bob", "alice"]
    assert [row["frame.comment"] for row in rows] == ["sent, then dropped by f3: äöü 世界", "", ""]
    assert [row["frame.time_epoch"][-9:] for row in rows] == [f"{(BEGIN + n) % 10**9:09d}" for n in range(3)]
    status, out, err = Oracle.run(["sh", "-c", "cat > /tmp/written && capinfos -M /tmp/written"], file.read_bytes())
    assert status == 0, err
    assert b"Number of interfaces in file: 2" in out
    assert b"Number of packets:   3" in out


def test_what_tshark_writes_is_what_we_read(tmp_path):
    data = [udp("10.0.0.1", 1, "10.0.0.2", 2, b"x" * size) for size in range(5)]
    file = written(tmp_path / "in.pcapng", [("alice", BEGIN + n * 1000, one) for n, one in enumerate(data)])
    for kind in ("pcap", "nsecpcap", "pcapng"):
        convert = f"cat > /tmp/in && editcap -F {kind} /tmp/in /tmp/out && cat /tmp/out"
        status, out, err = Oracle.run(["sh", "-c", convert], file.read_bytes())
        assert status == 0, err
        found = list(read(io.BytesIO(out)))
        assert [one.data for one in found] == data, kind
        expected = [
            (BEGIN + n * 1000) // (1000 if kind == "pcap" else 1) * (1000 if kind == "pcap" else 1) for n in range(5)
        ]
        assert [one.ts_ns for one in found] == expected, kind
