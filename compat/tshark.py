"""tshark's view of a capture: each packet's fields, as it prints them.

sharkd is asked, which is tshark as a server and comes in the same package: it starts once, where tshark takes half a
second of processor time for each file.
"""

from __future__ import annotations

import json
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

LIMIT = 120.0  # seconds for one file
_COLUMNS = 30  # that it takes at once
_FILES = 50  # after which it starts anew, for it forgets little
_NAMES = {
    "frame": "time_epoch len cap_len protocols",
    "ip": "src dst id ttl len hdr_len proto frag_offset flags.mf checksum.status",
    "ipv6": "src dst hlim plen fraghdr.offset fraghdr.more fraghdr.ident",
    "vlan": "id",
    "tcp": "srcport dstport flags seq_raw ack_raw seq ack len hdr_len window_size_value window_size "
    "urgent_pointer stream",
    "tcp.options": "mss_val wscale.shift sack_perm timestamp.tsval timestamp.tsecr sack_le sack_re",
    "tcp.checksum": "status",
    "udp": "srcport dstport length checksum.status",
    "icmp": "type code ident seq mtu redir_gw checksum.status",
    "icmpv6": "type code echo.identifier echo.sequence_number mtu checksum.status",
    "icmpv6.nd": "ns.target_address na.target_address",
    "arp": "opcode src.proto_ipv4 dst.proto_ipv4 src.hw_mac dst.hw_mac",
    "igmp": "type maddr checksum.status",
    "dns": "id flags qry.name qry.type count.queries count.answers",
    "_ws": "malformed",
    "tcp.analysis": "retransmission fast_retransmission spurious_retransmission out_of_order duplicate_ack_num "
    "keep_alive keep_alive_ack zero_window zero_window_probe zero_window_probe_ack window_update lost_segment",
}
FIELDS = [f"{group}.{name}" for group, names in _NAMES.items() for name in names.split()]
# Each packet for itself; all checksums; nothing guessed of what stands in other packets.
PREFERENCES: tuple[str, ...] = ("ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE")
PREFERENCES += ("nameres.network_name:FALSE", "nameres.transport_name:FALSE", "nameres.mac_name:FALSE")
PREFERENCES += ("tcp.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.check_checksum:TRUE")


class Refused(Exception):
    """tshark can't read a capture; its text is why."""


def version() -> str | None:
    """None: there is no tshark."""
    if shutil.which("tshark") is None or shutil.which("sharkd") is None:
        return None
    done = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=False, timeout=LIMIT)
    return done.stdout.split("\n", 1)[0].split(" ")[2].rstrip(".")


def _packets(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Without the blocks of pcapng that hold no packet, which it gives as data without a time."""
    return [row for row in rows if row["frame.time_epoch"] or row["frame.protocols"] != "data"]


class Tshark:
    """A context manager; `fields` of one file after the other."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._said = b""
        self._loaded = 0

    def __enter__(self) -> Tshark:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def fields(self, file: Path, most: int) -> list[dict[str, str]]:
        """The first packets' fields, the first of each name. Raises Refused."""
        if self._loaded >= _FILES:
            self._end()
        self._loaded += 1
        self._ask("load", file=str(file))
        out: list[dict[str, str]] = []
        for begin in range(0, len(FIELDS), _COLUMNS):
            names = FIELDS[begin : begin + _COLUMNS]
            columns = {f"column{number}": f"{name}:1" for number, name in enumerate(names)}
            rows = self._ask("frames", limit=most, **columns)
            if not isinstance(rows, list):  # of a file without packets it says that all is well
                return []
            out = out or [{} for _ in rows]
            for found, row in zip(out, rows, strict=True):
                found |= zip(names, row["c"], strict=True)
        return _packets(out)

    def _ask(self, method: str, **params: Any) -> Any:
        child = self._child or self._start()
        assert child.stdin
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            child.stdin.write(json.dumps(question).encode() + b"\n")
            child.stdin.flush()
            answer = json.loads(self._line(child))
        except (OSError, EOFError, ValueError) as problem:
            self._end()
            raise Refused(f"it ended: {problem}") from None
        if "error" in answer:
            raise Refused(answer["error"].get("message", "no reason"))
        return answer["result"]

    def _line(self, child: subprocess.Popen[bytes]) -> bytes:
        assert child.stdout
        while b"\n" not in self._said:
            if not select.select([child.stdout], [], [], LIMIT)[0]:
                raise EOFError(f"no answer in {LIMIT:g} s")
            piece = child.stdout.read1(1 << 20)  # type: ignore[attr-defined]
            if not piece:
                raise EOFError("its output ended")
            self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        return line

    def _start(self) -> subprocess.Popen[bytes]:
        self._said = b""
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(["sharkd", "-"], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        for preference in PREFERENCES:
            name, _, value = preference.rpartition(":")
            self._ask("setconf", name=name, value=value)
        return self._child

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None
            self._loaded = 0
