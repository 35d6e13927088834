"""UDP echo (RFC 862): each datagram comes back as it was, to where it came from, from where it was sent to."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from peer import PATIENCE, QUIET, Place, Wrong, shown

TRIES = 3  # a datagram may be lost without any fault of the program's
LONGEST = 65507


@contextmanager
def _socket(place: Place) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((socket.gethostbyname(place.host), place.port))  # then only its answers come here
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        yield sock


def _get(sock: socket.socket, patience: float) -> bytes | None:
    sock.settimeout(patience)
    try:
        data: bytes = sock.recv(1 << 17)
        return data
    except TimeoutError:
        return None
    except ConnectionRefusedError:
        raise Wrong("an answer", "port unreachable: nothing listens there any more (ICMP)", "did it end?") from None


def _asks(sock: socket.socket, data: bytes, help: str = "") -> int:
    """How often it had to be sent. Of a question that was repeated, a late answer may still come to this socket."""
    for attempt in range(TRIES):
        sock.send(data)
        got = _get(sock, PATIENCE / TRIES)
        if got == data:
            return attempt + 1
        if got is not None:
            raise Wrong(f"{shown(data)}, {len(data)} bytes", f"{shown(got)}, {len(got)} bytes", help)
    raise Wrong(shown(data), f"no answer within {PATIENCE:g} s, to {TRIES} tries", help)


def _each(place: Place, questions: Iterable[bytes], help: str) -> None:
    """Each by a socket of its own: a late answer to a question that was repeated is none to the next one."""
    for data in questions:
        with _socket(place) as sock:
            _asks(sock, data, help)


def _text(place: Place) -> bytes:
    return place.word(12).encode()


def answers(place: Place) -> None:
    with _socket(place) as sock:
        _asks(sock, _text(place))


def newline(place: Place) -> None:
    questions = [_text(place) + end for end in (b"\n", b"", b"\r\n", b"\n\n")]
    _each(place, questions, "a datagram is no line: its newline comes back, and none is added")


def empty(place: Place) -> None:
    _each(place, [b""], "a datagram may have no byte at all; it is no end of anything")
    _each(place, [_text(place)], "after a datagram without a byte it has to go on")


def longest(place: Place) -> None:
    questions = [place.chance.randbytes(length) for length in (1472, 1473, 9000, LONGEST)]
    _each(place, questions, f"recvfrom cuts what is longer than it was told: a datagram has up to {LONGEST} bytes")


def binary(place: Place) -> None:
    with _socket(place) as sock:
        _asks(sock, bytes(range(256)) * 2, "bytes are no text: a NUL ends nothing, and not all bytes are UTF-8")


def sources(place: Place) -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        socks = [stack.enter_context(_socket(place)) for _ in range(20)]
        for sock in reversed(socks):
            _asks(sock, _text(place), "each answer goes to where its question came from (recvfrom tells)")


def twice(place: Place) -> None:
    data = _text(place)
    for _ in range(TRIES):
        with _socket(place) as sock:
            sock.send(data)
            sock.send(data)
            found = [_get(sock, PATIENCE / TRIES), _get(sock, PATIENCE / TRIES)]
            if found == [data, data]:
                return
    raise Wrong("two answers to two datagrams that are alike", f"{sum(one is not None for one in found)}")


def unasked(place: Place) -> None:
    """What comes before the answer to the next question, or soon after it, is one too many."""
    for _attempt in range(TRIES):
        with _socket(place) as sock:
            one, other = _text(place), _text(place)
            if _asks(sock, one) > 1:
                continue  # it may have been asked twice
            sock.send(other)
            got = _get(sock, PATIENCE)
            more = got if got != other else _get(sock, QUIET)
            if more is not None:
                raise Wrong("one answer to one datagram", f"one more: {shown(more)}")
            if got is not None:
                return
    raise Wrong("an answer to each datagram", f"none within {PATIENCE:g} s")


def port(place: Place) -> None:
    """By a socket that takes datagrams of anybody."""
    data = _text(place)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE / TRIES)
        for _ in range(TRIES):
            sock.sendto(data, (place.host, place.port))
            try:
                got, source = sock.recvfrom(1 << 17)
            except TimeoutError:
                continue
            if source[1] != place.port:
                raise Wrong(
                    f"an answer from port {place.port}", f"one from port {source[1]}", "answer by the same socket"
                )
            if got == data:
                return
    raise Wrong(shown(data), "no answer")


def loss(place: Place) -> None:
    """The first datagram is dropped on its way, by a fault."""
    with _socket(place) as sock:
        sock.send(_text(place))
        time.sleep(0.05)
        _asks(sock, _text(place), "a datagram that never came must not keep it from answering the next")


def duplicate(place: Place) -> None:
    """The first datagram arrives twice, by a fault."""
    data = _text(place)
    with _socket(place) as sock:
        sock.send(data)
        found = [_get(sock, PATIENCE), _get(sock, PATIENCE)]
        if found != [data, data]:
            said = ", ".join("none" if one is None else shown(one) for one in found)
            raise Wrong("an answer to each of the two that arrived", said, "to UDP each datagram is one of its own")


def reordered(place: Place) -> None:
    """The first datagram comes after the second one, by a fault."""
    one, other = _text(place), _text(place)
    with _socket(place) as sock:
        sock.send(one)
        sock.send(other)
        found = {_get(sock, PATIENCE), _get(sock, PATIENCE)}
        if found != {one, other}:
            said = ", ".join("none" if item is None else shown(item) for item in found)
            raise Wrong(f"{shown(one)} and {shown(other)}, in any order", said)


def again(place: Place) -> None:
    """After it was started anew, which takes its time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with _socket(place) as sock:
                _asks(sock, _text(place))
            return
        except Wrong:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
