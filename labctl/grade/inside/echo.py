"""TCP echo (RFC 862): every byte comes back, in order, until the client has closed its half."""

from __future__ import annotations

import contextlib
import threading
import time
from contextlib import ExitStack

from peer import PATIENCE, Peer, Place, Wrong, held, hint, same, shown

MANY = 20


def _line(place: Place) -> bytes:
    return f"{place.word()}\n".encode()


def _asks(peer: Peer, data: bytes, help: str = "") -> None:
    peer.send(data)
    same(data, peer, peer.receive(len(data)), help)


def _still(place: Place, why: str) -> None:
    """A new client is answered."""
    with place.connect() as peer:
        _asks(peer, _line(place), why)


def answers(place: Place) -> None:
    with place.connect() as peer:
        for _ in range(3):
            _asks(peer, _line(place), "each line has to come back as it was, and the connection stays open")


def next(place: Place) -> None:
    for _ in range(3):
        _still(place, "a server goes on with the next client when one has gone")


def one_byte(place: Place) -> None:
    data = f"{place.word(20)}\n".encode()
    with place.connect() as peer:
        peer.parts(*(data[at : at + 1] for at in range(len(data))))
        same(data, peer, peer.receive(len(data)), "recv may give one byte: what it gives is no message")


def coalesced(place: Place) -> None:
    data = b"".join(_line(place) for _ in range(50))
    with place.connect() as peer:
        _asks(peer, data, "one recv may give many lines at once, and each of them has to come back")


def split(place: Place) -> None:
    data = f"{place.word()} über 字 😀 {place.word()}\n".encode()
    cuts = sorted(
        {*place.chance.sample(range(1, len(data)), 5), data.index("字".encode()) + 1, data.index(b"\xf0") + 2}
    )
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=False)]
    with hint("a character may be cut in two: don't decode what recv gives"), place.connect() as peer:
        peer.parts(*parts)
        same(data, peer, peer.receive(len(data)))


def binary(place: Place) -> None:
    data = bytes(range(256)) + place.chance.randbytes(3000) + b"\0\0\n"
    with place.connect() as peer:
        _asks(peer, data, "bytes are no text: a NUL ends nothing, and not all bytes are UTF-8")


def empty(place: Place) -> None:
    with place.connect() as peer:
        peer.end_of_sending()
        got = peer.to_end()
        if got or peer.ended != "closed":
            actual = shown(got) if got else peer.ended or f"it stays open for {PATIENCE:g} s"
            raise Wrong(
                "no byte, and its end of the connection closed", actual, "recv gives b'' when the client has closed"
            )
    _still(place, "a client that sends nothing must not end the server")


def big(place: Place) -> None:
    data = place.chance.randbytes((1 << 20) - 1) + b"\n"
    with place.connect() as peer:
        problems: list[Wrong] = []

        def send() -> None:
            try:
                peer.send(data)
            except Wrong as wrong:
                problems.append(wrong)

        sender = threading.Thread(target=send)
        sender.start()
        got = peer.receive(len(data), 4 * PATIENCE)
        sender.join()
        if problems and len(got) < len(data):
            raise problems[0]
        same(data, peer, got, "send may take fewer bytes than it was given: sendall, or a loop")


def leaves(place: Place) -> None:
    for _ in range(5):
        place.connect().close()
    _still(place, "a client that leaves at once must not end the server")


def silent(place: Place) -> None:
    with place.connect(), place.connect() as peer:
        _asks(peer, _line(place), "while one client says nothing, others have to be served: a thread, a task, select")


def many(place: Place) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(place.connect()) for _ in range(MANY)]
        lines = [_line(place) for _ in peers]
        for peer, line in zip(peers, lines, strict=False):
            peer.send(line)
        for peer, line in reversed(list(zip(peers, lines, strict=False))):  # in order of connecting, a queue would do
            same(line, peer, peer.receive(len(line)), f"{MANY} clients at once, each with its own answer")


def half_close(place: Place) -> None:
    data = b"".join(_line(place) for _ in range(2000)) + place.word().encode()  # no newline at the end
    with place.connect() as peer:

        def send() -> None:
            with contextlib.suppress(Wrong):  # what did not come back says so
                peer.send_last(data)

        sender = threading.Thread(target=send)
        sender.start()
        got = peer.to_end()
        sender.join()
        same(
            data, peer, got, "the client has closed its half alone: all of it has to come back before the server closes"
        )
        if peer.ended != "closed":
            raise Wrong("its end closed, once all is back", peer.ended or f"it stays open for {PATIENCE:g} s")


def reset(place: Place) -> None:
    for _ in range(3):
        peer = place.connect()
        peer.send(_line(place) * 100)
        peer.reset()
    time.sleep(0.1)
    _still(place, "a client's reset (ECONNRESET, EPIPE) is an error of one connection, and not of the server")


def apart(place: Place) -> None:
    with place.connect() as one, place.connect() as other:
        for _ in range(5):
            _asks(one, _line(place))
            _asks(other, _line(place), "what one client sends is for none of the others")


def again(place: Place) -> None:
    """After it was started anew: it must be able to take its port again."""
    why = "after a restart its port is free for it: SO_REUSEADDR before bind"
    place.await_listening(why)
    _still(place, why)


def hold(place: Place) -> None:
    """Leaves a connection open, as one has it when its server ends."""
    peer = place.connect()
    _asks(peer, _line(place))
    held()
    peer.to_end(30.0)
    peer.sock.close()
