"""tshark in a container of its own, as an oracle: what it says of a capture, beside what we say of it."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from labctl.packets.files.capture import read
from labctl.packets.model import Packet
from labctl.packets.protocols.ip import decode_all

CLIENTS = Path(__file__).parents[1] / "clients"
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
PREFERENCES: tuple[str, ...] = ("ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE")
PREFERENCES += ("tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.check_checksum:TRUE")


class Oracle:
    """Commands in the container of tshark: `run` gives exit status, stdout and stderr."""

    container: Container

    @staticmethod
    def build(debian: str) -> str:
        """The image's name."""
        name = "labctl/test-wireshark"
        command = [shutil.which("docker") or "docker", "build", "--quiet", "--target", "wireshark", "--tag", name]
        command += ["--build-arg", f"DEBIAN={debian}", str(CLIENTS)]
        built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        assert built.returncode == 0, built.stderr
        return name

    @classmethod
    def run(cls, command: Sequence[str], data: bytes = b"") -> tuple[int, bytes, bytes]:
        docker = [shutil.which("docker") or "docker", "exec", "-i", str(cls.container.id), *command]
        done = subprocess.run(docker, input=data, capture_output=True, check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr


class Refused(Exception):
    """tshark can't read a capture."""


def tshark(file: Path) -> list[dict[str, str]]:
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


def number(text: str) -> int | None:
    return int(text, 0) if text else None


def theirs(row: dict[str, str]) -> dict[str, Any]:
    """What tshark says, in our words."""
    seconds, _, fraction = (row["frame.time_epoch"] or "0").partition(".")  # a simple packet block has no time
    out: dict[str, Any] = {
        "ts_ns": int(seconds) * 10**9 + int(fraction.ljust(9, "0")),
        "original_length": int(row["frame.len"]),
    }
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
        out |= {"ports": (int(row["tcp.srcport"]), int(row["tcp.dstport"])), "flags": int(row["tcp.flags"], 0) & 0xFFF}
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


def ours(packet: Packet, keys: Mapping[str, object]) -> dict[str, object]:
    """The same of ours, as far as tshark says it."""
    record, tcp_, icmp_ = packet.record, packet.tcp, packet.icmp
    out: dict[str, object] = {
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


def compare(file: Path, rows: list[dict[str, str]] | None = None) -> tuple[list[Packet], list[dict[str, str]]]:
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
