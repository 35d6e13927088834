"""The end that sends, for some seconds or some bytes, as fast as it may."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time

from labreach.output import Refused, say
from labreach.speed.wire import BUFFER, ECHOES, HEAD, PATIENCE, WAIT, hear, limit_waits, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

SO_MAX_PACING_RATE = 47  # socket(7)
TURN = 0.002  # seconds from one turn of a paced sender to the next
ONE_ECHO = 0.5  # seconds
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
                _datagrams(order, control)
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


def _datagrams(order: Fields, control: socket.socket) -> None:
    token, size = bytes.fromhex(order["token"]), max(order["size"], HEAD.size)
    family, _, _, _, where = socket.getaddrinfo(order["address"], order["datagrams"], type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect(where)
        filler = bytes(size - HEAD.size)
        say("echoes", rtts_ns=[rtt for _ in range(ECHOES) if (rtt := _echo_by_datagram(sock, token, filler))])
        begun = time.monotonic()
        sent = _send_all(sock, token, filler, order)
        seconds = time.monotonic() - begun
        control.settimeout(order["seconds"] * 2 + PATIENCE * 4)
        tell(control, sent=sent)
        say("measured", sent=sent, size=size, seconds=round(seconds, 6), **hear(control))


def _echo_by_datagram(sock: socket.socket, token: bytes, filler: bytes) -> int:
    begun = time.time_ns()
    with contextlib.suppress(OSError):
        sock.settimeout(ONE_ECHO)
        sock.send(HEAD.pack(token, 0, begun) + filler)
        while True:
            data = sock.recv(65536)
            if len(data) >= HEAD.size and HEAD.unpack_from(data) == (token, 0, begun):
                return time.time_ns() - begun
    return 0


def _send_all(sock: socket.socket, token: bytes, filler: bytes, order: Fields) -> int:
    """How many were sent. Each is due at its time after the first, so that a late one makes no other late."""
    begun = time.monotonic()
    size, sent = HEAD.size + len(filler), 0
    a_second = order["rate"] / 8 / size
    most = max(1, order["most"] // size) if order["most"] else None
    sock.settimeout(1.0)
    while (passed := time.monotonic() - begun) < order["seconds"] and sent != most:
        due = int(passed * a_second) + 1 if a_second else sent + 64
        if most:
            due = min(due, most)
        while sent < due:
            with contextlib.suppress(OSError):  # an ICMP error of an earlier one; a full queue counts as lost
                sock.send(HEAD.pack(token, sent + 1, time.time_ns()) + filler)
            sent += 1
        if a_second:
            time.sleep(max(0.0, min(TURN, (sent / a_second) - (time.monotonic() - begun))))
    return sent
