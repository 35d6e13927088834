"""What tshark says of a capture, and what we say: the same addresses, ports, flags, numbers and lengths.

tshark runs in a container of its own, where captures that others made lie as well: gopacket's, and Hadriel Kaplan's
test suite of pcapng.
"""

import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_packets_decode import ETHER, fragment6, nflog
from test_packets_ladders import SCENES, made
from test_packets_match import mixed
from traffic import BEGIN, icmp, ip, tcp, udp

from labctl.packets.capture import read
from labctl.packets.decode import decode_all
from labctl.packets.flows import analyse
from labctl.packets.link import ETHERNET, NFLOG, RAW
from labctl.packets.model import SYN, CaptureError
from labctl.packets.write import Writer

OTHERS = "/usr/share/gocode/src/github.com/google/gopacket"
_NAMES = {
    "frame": "time_epoch len cap_len encap_type interface_name comment",
    "ip": "src dst id ttl len frag_offset flags.mf",
    "ipv6": "src dst hlim plen",
    "tcp": "srcport dstport flags seq_raw ack_raw seq ack len window_size_value window_size options.mss_val",
    "tcp.checksum": "status",
    "udp": "srcport dstport length checksum.status",
    "icmp": "type code",
    "icmpv6": "type code",
    "arp": "opcode",
    "tcp.analysis": "retransmission duplicate_ack_num keep_alive zero_window window_update zero_window_probe",
}
FIELDS = [f"{group}.{name}" for group, names in _NAMES.items() for name in names.split()]
PREFERENCES = ("ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE")
PREFERENCES += ("tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.check_checksum:TRUE")


class Oracle:
    """Commands in the container of tshark: `run` gives exit status, stdout and stderr."""

    container = None

    @classmethod
    def run(cls, command, data=b""):
        docker = [shutil.which("docker") or "docker", "exec", "-i", cls.container.id, *command]
        done = subprocess.run(docker, input=data, capture_output=True, check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module", autouse=True)
def oracle(engine, debian, labels):
    """Builds tshark's image, and has it run while these tests do."""
    name, folder = "labctl/test-wireshark", Path(__file__).parents[1] / "clients"
    command = [shutil.which("docker") or "docker", "build", "--quiet", "--target", "wireshark", "--tag", name]
    command += ["--build-arg", f"DEBIAN={debian}", str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert built.returncode == 0, built.stderr
    Oracle.container = engine.containers.run(name, detach=True, init=True, network_mode="none", labels=labels)
    yield
    Oracle.container.remove(force=True)


class Refused(Exception):
    """tshark can't read a capture."""


def tshark(file):
    """Each packet's fields, the first of each name."""
    command = ["tshark", "-n", "-r", "-", "-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"]
    for preference in PREFERENCES:
        command += ["-o", preference]
    for field in FIELDS:
        command += ["-e", field]
    status, out, err = Oracle.run(command, file.read_bytes())
    if status:
        raise Refused(err.decode(errors="replace"))
    lines = out.decode().split("\n")[:-1]
    rows = [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]
    return [row for row in rows if row["frame.encap_type"]]  # blocks that hold no packet are shown as well


def number(text):
    return int(text, 0) if text else None


def theirs(row):
    """What tshark says, in our words."""
    seconds, _, fraction = (row["frame.time_epoch"] or "0").partition(".")  # a simple packet block has no time
    out = {"ts_ns": int(seconds) * 10**9 + int(fraction.ljust(9, "0")), "original_length": int(row["frame.len"])}
    out["captured_length"] = int(row["frame.cap_len"])
    if row["ip.src"]:
        out |= {"src": row["ip.src"], "dst": row["ip.dst"], "ip_id": number(row["ip.id"]), "ttl": number(row["ip.ttl"])}
        out |= {"total_length": number(row["ip.len"]), "fragment_offset": int(row["ip.frag_offset"])}
        out["more_fragments"] = row["ip.flags.mf"] in ("1", "True")
    elif row["ipv6.src"]:
        out |= {"src": row["ipv6.src"], "dst": row["ipv6.dst"], "ttl": number(row["ipv6.hlim"])}
        out["total_length"] = int(row["ipv6.plen"]) + 40
    if row["icmp.type"] or row["icmpv6.type"]:
        kind = "icmp" if row["icmp.type"] else "icmpv6"
        return out | {"icmp": (number(row[f"{kind}.type"]), number(row[f"{kind}.code"]))}
    if row["tcp.srcport"]:
        out |= {"ports": (int(row["tcp.srcport"]), int(row["tcp.dstport"])), "flags": number(row["tcp.flags"]) & 255}
        out |= {"seq": int(row["tcp.seq_raw"]), "ack": int(row["tcp.ack_raw"]), "length": int(row["tcp.len"])}
        out |= {"window": int(row["tcp.window_size_value"]), "mss": number(row["tcp.options.mss_val"])}
    if row["udp.srcport"]:
        out |= {"ports": (int(row["udp.srcport"]), int(row["udp.dstport"])), "udp_length": int(row["udp.length"])}
    for name in ("tcp", "udp"):
        if state := row[f"{name}.checksum.status"]:
            out["checksum"] = {"0": "bad", "1": "ok", "2": "unknown", "3": "none"}[state]
    if row["arp.opcode"]:
        out["arp"] = int(row["arp.opcode"])
    return out


def ours(packet, keys):
    """The same of ours, as far as tshark says it."""
    record, tcp_, icmp_ = packet.record, packet.tcp, packet.icmp
    out = {
        "ts_ns": packet.ts_ns,
        "original_length": record.original_length,
        "captured_length": len(record.data),
        # One that the network card was to complete: tshark calls it bad, newer ones good.
        "checksum": keys.get("checksum") if packet.checksum == "partial" else packet.checksum,
    }
    for name in ("src", "dst", "ip_id", "ttl", "total_length", "fragment_offset", "more_fragments", "udp_length"):
        out[name] = getattr(packet, name)
    out["ports"] = (packet.sport, packet.dport)
    if tcp_:
        out |= {"flags": tcp_.flags, "seq": tcp_.seq, "ack": tcp_.ack, "window": tcp_.window, "mss": tcp_.mss}
        out["length"] = packet.payload_length
    if icmp_:
        out["icmp"] = (icmp_.type, icmp_.code)
    if packet.arp:
        out["arp"] = packet.arp.operation
    return {key: out.get(key) for key in keys}


def compare(file, rows=None):
    rows = tshark(file) if rows is None else rows
    with open(file, "rb") as stream:
        packets = list(decode_all(read(stream)))
    assert len(packets) == len(rows)
    for place, (packet, row) in enumerate(zip(packets, rows, strict=True), 1):
        said = theirs(row)
        if said.get("fragment_offset", 0) * 8 == packet.fragment_offset:  # in eights in some versions
            said["fragment_offset"] = packet.fragment_offset
        assert ours(packet, said) == said, f"packet {place}"
    return packets, rows


def written(path, packets, link_type=RAW):
    with open(path, "wb") as out:
        writer = Writer(out)
        for node, ts, data, *comments in packets:
            writer.packet(writer.interface(node, link_type), ts, data, comments=comments)
    return path


def test_captures_that_others_made(tmp_path):
    status, packed, err = Oracle.run(["tar", "-C", OTHERS, "-c", "."])
    assert status == 0, err
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path, filter="data")
    files = sorted((*tmp_path.rglob("*.pcap"), *tmp_path.rglob("*.pcapng")))
    assert len(files) > 50
    refused = 0
    for file in files:
        try:
            rows = tshark(file)
        except Refused:  # a version of the format that isn't there yet
            refused += 1
            with open(file, "rb") as stream, pytest.raises(CaptureError):
                list(read(stream))
            continue
        compare(file, rows)
    assert refused < 5


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
