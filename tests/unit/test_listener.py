"""Whoever asks a recorder what it has: all of it, however slowly that is read, and no harm when the asker goes away."""

import json
import socket
import threading
import time

import pytest
from labcapture import listener as listeners
from labcapture import wire
from labcapture.listener import Listener
from labcapture.store import LIMIT, Piece, Store

from labnode.loop import Loop

BLOCK = 1 << 18


class Asker:
    """One end of a listener's socket; the recorder's end runs in `loop`."""

    def __init__(self):
        self.loop, self.wishes, self.gone = Loop(), [], []
        self.sock, theirs = socket.socketpair()
        self.listener = Listener(self.loop, theirs, lambda _, wish: self.wishes.append(wish), self.gone.append)

    def turn(self) -> None:
        """The loop serves who is ready, once."""
        turns = iter([False, True])
        self.loop.later(0, lambda: None)
        self.loop.run(lambda: next(turns))

    def read(self) -> list[Piece]:
        reader, found = wire.Reader(), []
        self.sock.setblocking(False)
        while True:
            try:
                data = self.sock.recv(1 << 20)
            except BlockingIOError:
                self.turn()
                continue
            if not data:
                return found
            found += reader.feed(data)


@pytest.fixture
def asker():
    made = Asker()
    yield made
    made.sock.close()
    made.listener.close()


def full_store() -> Store:
    store = Store(0)
    for number in range(LIMIT // BLOCK + 3):
        store.add(Piece("R", number, number, bytes(BLOCK)))
    return store


def test_what_it_wants_comes_in_pieces_and_is_one_line(asker):
    asker.sock.sendall(b'{"follow": ')
    asker.turn()
    assert asker.wishes == []
    asker.sock.sendall(b"true}\n")
    asker.turn()
    assert asker.wishes == [{"follow": True}]


def test_a_full_store_is_told_whole_to_somebody_slow(asker):
    pieces = full_store().since(0)
    assert sum(len(piece.data) for piece in pieces) > listeners.BEHIND
    for piece in pieces:
        asker.listener.tell(piece, recorded=True)
    asker.listener.tell(Piece(wire.STATE, 9, 9, json.dumps({"ended": True}).encode()))
    asker.listener.end()
    found = asker.read()
    assert [piece.first_ns for piece in found[:-1]] == [piece.first_ns for piece in pieces]
    assert found[-1].source == wire.STATE
    assert asker.gone == [asker.listener]


def test_who_falls_behind_what_comes_sees_an_end(asker):
    for number in range(listeners.BEHIND // BLOCK + 8):
        asker.listener.tell(Piece("R", number, number, bytes(BLOCK)))
    assert asker.gone == [asker.listener]
    assert not asker.listener.is_open
    asker.listener.tell(Piece("R", 0, 0, b"x"))
    asker.listener.end()
    assert asker.gone == [asker.listener]


@pytest.mark.parametrize("count", [1, 400])
def test_who_goes_away_in_the_middle_is_forgotten(asker, count):
    asker.sock.close()
    for number in range(count):
        asker.listener.tell(Piece("R", number, number, bytes(BLOCK)), recorded=True)
    asker.listener.tell(Piece(wire.STATE, 0, 0, b"{}"))
    asker.listener.end()
    assert asker.gone == [asker.listener]


def test_the_recorders_own_end_waits_until_it_was_heard(asker):
    for number in range(20):
        asker.listener.tell(Piece("R", number, number, bytes(BLOCK)), recorded=True)
    found = []

    def read():
        reader = wire.Reader()
        while data := asker.sock.recv(1 << 20):
            found.extend(reader.feed(data))
        asker.sock.close()  # it has passed all on

    reader = threading.Thread(target=read)
    reader.start()
    asker.listener.finish(time.monotonic() + 20)
    assert not asker.listener.is_open
    reader.join(20)
    assert [piece.first_ns for piece in found] == list(range(20))


def test_the_recorders_own_end_does_not_wait_for_good(asker):
    asker.listener.tell(Piece("R", 0, 0, bytes(BLOCK * 20)), recorded=True)
    begun = time.monotonic()
    asker.listener.finish(begun + 0.1)
    assert time.monotonic() - begun < 5
    assert asker.gone == [asker.listener]
