"""Where trains of datagrams leave and arrive: sends each datagram at its time, and says how each train came out."""

from __future__ import annotations

import time

from train import Arriving, Departing

from labnode import datagram, journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from labnode.loop import Loop
    from labnode.types import Address, Done, Fields

    Key = tuple[Any, ...]  # of a train that arrives: its ID, its COUNT, both ends

AT_ONCE = 64  # datagrams that are sent before the keyboard and the other sockets have their turn
QUIET = 1.0  # seconds without a datagram after which a train has ended
MOST_ARRIVING = 64  # trains at the same time, each with 125 kB at most
MOST_ENDED = 1024  # trains that are remembered, to know what comes too late


def depart(loop: Loop, train: Departing, sock: socket.socket, address: Address, ends: Fields, known: Fields) -> None:
    """Sends a train. Each datagram is due at its time after the first, so that a late one makes no other late."""
    known = {**known, "train": train.ident}
    begun = time.monotonic()

    def go_on() -> None:
        due = train.due(time.monotonic() - begun)
        for seq in range(train.sent, min(due, train.sent + AT_ONCE)):
            data, when = train.next(), journal.stamp()
            try:
                sock.sendto(data, address)
            except BlockingIOError:
                loop.later(0.001, go_on)  # the socket's send buffer is full
                return
            except OSError as problem:
                reason = f"sendto: {problem.strerror}; the train ends after {seq} of {train.count}"
                journal.error(problem.errno, reason, ends, call="sendto", seq=seq, **known)
                return
            journal.event("send", ends, when, **known, seq=seq, bytes=len(data))
            train.sent, train.bytes = seq + 1, train.bytes + len(data)
        seconds = time.monotonic() - begun
        if train.sent < train.count:
            loop.later(train.wait - seconds, go_on)
        else:
            took = {"count": train.count, "bytes": train.bytes, "seconds": round(seconds, 6)}
            journal.event("train", ends, state="sent", **known, **took)

    go_on()


class Drops:
    """What found the receive queue of a socket full since the first datagram of a train was queued there."""

    def __init__(self, sock: socket.socket, before: int) -> None:
        self._sock, self._before = sock, before
        self._wrong = datagram.wrong_checksums()  # dropped too, and for another reason

    def count(self) -> int | None:
        """None where the kernel can't tell."""
        now = datagram.drops(self._sock)
        if now is None:
            return None
        dropped = (now - self._before) % (1 << 32)
        return max(0, dropped - (datagram.wrong_checksums() - self._wrong)) if dropped else 0


class Arrivals:
    """The trains that arrive. `look()` receives what waits in the sockets."""

    def __init__(self, loop: Loop, look: Done) -> None:
        self._loop, self._look = loop, look
        self._arriving: dict[Key, Arriving] = {}
        self._drops: dict[Key, Drops] = {}  # the same keys
        self._ended: dict[Key, bool] = {}  # the same keys, oldest first
        self._full = False

    def add(
        self, ends: Fields, size: int, ident: str, seq: int, count: int, *, sock: socket.socket, drops: int
    ) -> None:
        """A datagram of a train arrived, before which the kernel had dropped so many at its socket.

        One whose train has ended already is marked `late`; it was counted as lost then, and is counted no more.
        """
        key: Key = (ident, count, *ends["local"], *ends["peer"])
        now = time.monotonic()
        late = {"late": True} if key in self._ended else {}
        journal.event("recv", ends, train=ident, seq=seq, bytes=size, **late)
        train = self._arriving.get(key)
        if not train and not late:
            train = self._begin(key, ends, Arriving(ident, count, now), sock, drops)
        if train:
            train.add(seq, now)
            if train.complete:
                self._end(key, ends, train)

    def _begin(self, key: Key, ends: Fields, train: Arriving, sock: socket.socket, drops: int) -> Arriving | None:
        if len(self._arriving) >= MOST_ARRIVING:
            if not self._full:  # said once, and not for each datagram
                self._full = True
                journal.error(
                    "ENOBUFS", f"{MOST_ARRIVING} trains are arriving; no more are counted", ends, call="train"
                )
            return None
        self._arriving[key] = train
        self._drops[key] = Drops(sock, drops)
        self._loop.later(QUIET, lambda: self._check(key, ends, train))
        return train

    def _check(self, key: Key, ends: Fields, train: Arriving) -> None:
        if time.monotonic() - train.last >= QUIET:
            self._look()  # the node may have been too busy to see what came in time
        wait = train.last + QUIET - time.monotonic()
        if self._arriving.get(key) is not train:
            return
        if wait > 0:
            self._loop.later(wait, lambda: self._check(key, ends, train))
        else:
            self._end(key, ends, train)

    def _end(self, key: Key, ends: Fields, train: Arriving) -> None:
        del self._arriving[key]
        self._full = False
        self._ended[key] = True
        if len(self._ended) > MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        journal.event("train", ends, state="received", **train.result(self._drops.pop(key).count()))
