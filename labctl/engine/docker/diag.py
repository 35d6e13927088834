"""Where programs listen in other network namespaces, as their kernel says when it is asked there (sock_diag(7)).

The tables of /proc/PID/net take the kernel milliseconds each: it looks through the sockets of the whole machine for
those of one namespace. Asked for the listening ones alone it has them at once; but only who may enter a namespace can
ask there (setns(2): CAP_SYS_ADMIN).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Iterator

from labctl.engine.model import Listening

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x01, 0x300, 0x10
NLMSG_ERROR, NLMSG_DONE = 2, 3
CLONE_NEWNET = 0x40000000
LISTEN, CLOSE = 10, 7  # the kernel's numbers of states; a datagram socket without a peer is in the second
ASKED = (("tcp", socket.IPPROTO_TCP, 1 << LISTEN), ("udp", socket.IPPROTO_UDP, 1 << CLOSE))
LIMIT = 2.0  # seconds for a kernel that answers in microseconds
_HEAD = struct.Struct("=IHHII")  # length, type, flags, sequence, port (netlink(7))
_REQUEST = struct.Struct("=BBBBI48x")  # family, protocol, extensions, padding, states, and no socket in particular
_READ = 1 << 16


def listening(places: Iterable[tuple[str, int]]) -> dict[str, set[Listening]]:
    """What listens in the network namespaces of some processes, by name: TCP that listens, UDP that is bound and has no
    peer. `places` are open folders of /proc. Those that can't be asked so are left out, all where it isn't allowed."""
    found: dict[str, set[Listening]] = {}

    def ask() -> None:
        with contextlib.suppress(PermissionError, ImportError):  # of a Python without ctypes
            for name, place in places:
                try:
                    _enter(place)
                    found[name] = set(_asked())
                except PermissionError:
                    raise
                except (OSError, struct.error):
                    continue  # it has just ended, or this kernel has no such answer

    # A thread has a network namespace of its own; nothing else is done by this one, and it ends here.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join()
    return found


def _enter(place: int) -> None:
    """Raises OSError."""
    space = os.open("ns/net", os.O_RDONLY | os.O_CLOEXEC, dir_fd=place)
    try:
        if sys.version_info >= (3, 12):
            os.setns(space, CLONE_NEWNET)
        else:
            import ctypes

            if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
    finally:
        os.close(space)


def _asked() -> Iterator[Listening]:
    """Of the network namespace that this thread is in. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(LIMIT)
        for name, protocol, states in ASKED:
            for family in (socket.AF_INET, socket.AF_INET6):
                for port, address in _dump(kernel, family, protocol, states):
                    yield Listening(name, address, port)


def _dump(kernel: socket.socket, family: int, protocol: int, states: int) -> Iterator[tuple[int, str]]:
    """Local ports and addresses (struct inet_diag_msg of linux/inet_diag.h). Raises OSError."""
    request = _REQUEST.pack(family, protocol, 0, 0, states)
    head = _HEAD.pack(_HEAD.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
    kernel.send(head + request)
    while True:
        data, at = kernel.recv(_READ), 0
        while at < len(data):
            length, kind, flags, *_ = _HEAD.unpack_from(data, at)
            if flags & NLM_F_DUMP_INTR or length < _HEAD.size:
                raise OSError("the table changed while it was told")
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                (number,) = struct.unpack_from("=i", data, at + _HEAD.size)
                if number < 0:
                    raise OSError(-number, os.strerror(-number))
                return
            told = at + _HEAD.size
            (port,) = struct.unpack_from("!H", data, told + 4)
            width = 4 if family == socket.AF_INET else 16
            yield port, socket.inet_ntop(family, data[told + 8 : told + 8 + width])
            at += (length + 3) & ~3
