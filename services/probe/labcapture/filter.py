"""Filters of packets as pcap-filter(7) has them: tcpdump(8) compiles one, the kernel runs it.

The kernel applies a socket's filter to what is written to it, so a packet is written to one end of a pair and, where
the filter takes it, comes out at the other: the same filter serves what is recorded already and what comes.
"""

import ctypes
import socket
import struct
import subprocess

_ATTACH_FILTER = 26
_LIMIT = 10  # seconds
_BUFFER = 1 << 20


class Refused(Exception):
    """The expression is none, in tcpdump's words."""


class Filter:
    """Raises Refused."""

    def __init__(self, expression: str) -> None:
        command = ["tcpdump", "-ddd", "-y", "EN10MB", "--", expression]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
        if done.returncode:
            raise Refused(done.stderr.strip().removeprefix("tcpdump: ").splitlines()[-1] if done.stderr else "no words")
        rows = [tuple(map(int, line.split())) for line in done.stdout.splitlines()[1:]]
        code = b"".join(struct.pack("=HBBI", *row) for row in rows)
        self._in, self._out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        held = ctypes.create_string_buffer(code)
        fields = struct.pack("@HP", len(rows), ctypes.addressof(held))
        self._out.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, fields)
        self._in.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)

    def takes(self, data: bytes, *, raw: bool) -> bool:
        """`raw`: there is no Ethernet header, and the filter is given one that says what follows."""
        if raw:
            data = bytes(12) + (b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00") + data
        self._in.send(data)
        try:
            self._out.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return True
