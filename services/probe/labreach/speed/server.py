"""The end that gets: counts what arrives, and when."""

from __future__ import annotations

import contextlib
import select
import socket
import time

from labreach.output import say
from labreach.speed import arriving
from labreach.speed.wire import BUFFER, ECHOES, PATIENCE, WAIT, hear, limit_waits, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields


def serve(order: Fields) -> None:
    """`address` to listen at, `token` (hex), `limit`: seconds until it gives up."""
    deadline = time.monotonic() + order["limit"]
    family = socket.AF_INET6 if ":" in order["address"] else socket.AF_INET
    where = socket.getaddrinfo(order["address"], 0, family, flags=socket.AI_NUMERICHOST)[0][4]
    with socket.socket(family, socket.SOCK_STREAM) as listener, socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        listener.bind(where)
        listener.listen(8)
        datagrams.bind(where)
        arriving.prepare(datagrams)
        say("listening", port=listener.getsockname()[1], datagrams=datagrams.getsockname()[1])
        control, wanted = _accepted(listener, order["token"], deadline)
        with control:
            control.settimeout(max(1.0, deadline - time.monotonic()))
            if wanted["protocol"] == "udp":
                tell(control, **arriving.Datagrams(datagrams, control, bytes.fromhex(order["token"])).count(deadline))
            else:
                for _ in range(ECHOES):
                    control.sendall(control.recv(1))
                tell(control, **_stream(_accepted(listener, order["token"], deadline)[0], control))


def _accepted(listener: socket.socket, token: str, deadline: float) -> tuple[socket.socket, Fields]:
    """The next connection of who knows the token. Raises TimeoutError."""
    while True:
        listener.settimeout(max(0.01, deadline - time.monotonic()))
        sock, _ = listener.accept()
        sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError, ValueError):
            said = hear(sock)
            if said.get("token") == token:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock, said
        sock.close()


def _stream(data: socket.socket, control: socket.socket) -> Fields:
    """Until its end, or until the other end says over `control` that this is it.

    While bytes come, nothing else is looked at: each system call more is throughput less. Their content is nobody's
    interest, so the kernel drops it instead of copying it to here (MSG_TRUNC, tcp(7)): what is measured is the way.
    """
    buffer, count, begun, first, last, told = bytearray(BUFFER), 0, 0, 0, 0, False
    quiet = 0.0
    limit_waits(data, socket.SO_RCVTIMEO, WAIT)
    with data:
        while quiet < PATIENCE:
            try:
                got = data.recv_into(buffer, 0, socket.MSG_TRUNC)
            except BlockingIOError:
                quiet += WAIT
                if not told and select.select([control], [], [], 0)[0]:
                    told = True
                    if hear(control)["stop"]:
                        break
                continue
            except OSError:  # cut off, as agreed
                break
            if not got:
                break
            quiet, last = 0.0, time.monotonic_ns()
            # What comes first begins the time, and was on its way before that.
            first, begun = (first, begun) if first else (last, got)
            count += got
    if not told:
        hear(control)
    return {"bytes": count, "timed": count - begun, "ns": last - first}
