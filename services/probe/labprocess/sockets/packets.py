"""A sign of each packet that passes any interface of this network namespace, loopback included: packet(7).

No packet is looked at here: that one came is all that counts. A filter in the kernel leaves out what changes no socket,
such as ARP and the neighbour discovery of others.
"""

import contextlib
import ctypes
import socket
import struct

_ATTACH_FILTER = 26  # SO_ATTACH_FILTER
_ALL = 0x0003  # ETH_P_ALL
_LOAD, _SHIFT, _EQUAL, _RETURN = 0x30, 0x74, 0x15, 0x06  # bpf: ldb [k], rsh #k, jeq #k, ret #k
_BUFFER = 4096  # bytes: the first packet wakes, and all others are of no use
_PROTOCOLS = (6, 17, 1, 58)  # TCP, UDP, ICMP, ICMPv6

# Offsets are from the IP header on. (code, where to go on if it holds, if not, value)
_TESTS = [(_EQUAL, len(_PROTOCOLS) - place, 0, number) for place, number in enumerate(_PROTOCOLS)]
_PROGRAM = [
    (_LOAD, 0, 0, 0),
    (_SHIFT, 0, 0, 4),
    (_EQUAL, 0, 2, 4),
    (_LOAD, 0, 0, 9),  # IPv4's protocol
    (_EQUAL, 2, 2, 0xFFFF),  # never: over what is IPv6's
    (_EQUAL, 0, 1 + len(_TESTS), 6),
    (_LOAD, 0, 0, 6),  # IPv6's next header
    *_TESTS,
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, 1),
]


class Packets:
    """Readable once a packet has passed since `forget`. Raises PermissionError without NET_RAW."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        code = b"".join(struct.pack("=HBBI", *step) for step in _PROGRAM)
        kept = ctypes.create_string_buffer(code)
        program = struct.pack("HP", len(_PROGRAM), ctypes.addressof(kept))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def forget(self) -> None:
        """What has come is dealt with."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)


def packets() -> Packets | None:
    """None where this program may not have them."""
    try:
        return Packets()
    except PermissionError:
        return None
