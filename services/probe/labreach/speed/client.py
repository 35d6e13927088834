"""The end that sends, for some seconds or some bytes, as fast as it may."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time

from labreach.output import Refused, say
from labreach.speed import datagrams
from labreach.speed.wire import BUFFER, ECHOES, PATIENCE, WAIT, hear, limit_waits, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

SO_MAX_PACING_RATE = 47  # socket(7)
# Of struct tcp_info (<linux/tcp.h>): where the field stands; all are 32 bits wide, times in microseconds.
_RTT, _RETRANSMITTED, _SEGMENTS = 68, 100, 156


def measure(order: Fields) -> None:
    """`address`, `port` and `datagrams` (ports) of the server, `token`; `protocol`, `seconds`, `most` (bytes; 0: any
    number), `rate` (bits a second; 0: no limit), `size` of datagrams (bytes)."""
    try:
        with _connected(order, protocol=order["protocol"]) as control:
            control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            local, peer = control.getsockname()[:2], control.getpeername()[:2]
            say("connected", local=local, peer=peer)
            if order["protocol"] == "udp":
                datagrams.send(order, control)
            else:
                _stream(order, control)
    except TimeoutError:
        raise Refused("ETIMEDOUT", f"no connection, or no answer, within {PATIENCE:g} s") from None
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno else str(problem)
        raise Refused(_name(problem), reason) from None


def _name(problem: OSError) -> str:
    import errno

    return errno.errorcode.get(problem.errno or 0, "EIO")


def _connected(order: Fields, **more: object) -> socket.socket:
    sock = socket.create_connection((order["address"], order["port"]), timeout=PATIENCE)
    tell(sock, token=order["token"], **more)
    return sock


def _stream(order: Fields, control: socket.socket) -> None:
    say("echoes", rtts_ns=[_echo(control) for _ in range(ECHOES)])
    with _connected(order) as data:
        if order["rate"]:
            data.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, min(order["rate"] // 8, (1 << 32) - 1))
        deadline = time.monotonic() + order["seconds"]
        sent, whole = _pour(data, order["most"], deadline)
        if whole:
            data.shutdown(socket.SHUT_WR)
            tell(control, stop=False)
            select.select([control], [], [], max(0.0, deadline - time.monotonic()))
        info = data.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        # What still waits here when the time is over is none of the measurement: it is thrown away.
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        data.close()
        tell(control, stop=True)
        control.settimeout(order["seconds"] * 2 + PATIENCE * 4)  # behind all that is on its way
        counts = hear(control)
    rtt, again, segments = (struct.unpack_from("=I", info, place)[0] for place in (_RTT, _RETRANSMITTED, _SEGMENTS))
    say("measured", sent=sent, segments=segments, retransmitted=again, loaded_rtt_ns=rtt * 1000, **counts)


def _echo(control: socket.socket) -> int:
    begun = time.monotonic_ns()
    control.sendall(b"x")
    control.recv(1)
    return time.monotonic_ns() - begun


def _pour(data: socket.socket, most: int, deadline: float) -> tuple[int, bool]:
    """How many bytes were handed over, and whether that is all there was to send (else the time is over)."""
    sent = 0
    limit_waits(data, socket.SO_SNDTIMEO, WAIT)
    file = os.memfd_create("zeros")
    try:
        os.truncate(file, BUFFER)
        while not most or sent < most:
            if time.monotonic() >= deadline:
                return sent, False
            with contextlib.suppress(BlockingIOError):
                sent += os.sendfile(data.fileno(), file, 0, min(BUFFER, most - sent) if most else BUFFER)
    finally:
        os.close(file)
    return sent, True
