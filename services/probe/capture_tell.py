"""Tells labctl what the recorder has: pcapng on standard output.

Among the packets stand the recorder's states, as JSON on an interface of their own: each comes after all that it speaks
of, which two streams could not promise.

    capture_tell.py [--last SECONDS | --since NANOSECONDS] [--follow] [--filter EXPRESSION]

--since is a time of the recorder's own clock, since the epoch.

It ends with its standard input, or when nobody has written there for very long: labctl writes a byte now and then.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import time

from labcapture import IN, LEFT, OUT, SENT, STATE, ring, wire
from labcapture.filter import Filter, Refused
from labcapture.pcapng import ETHERNET, RAW, USER, Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labcapture.store import Piece

PATIENCE = 10.0  # seconds until the recorder must have answered at all
# Seconds without a sign of labctl. Its death ends standard input at once; this is for an engine that lost it, and much
# longer than somebody looks at a pager.
SILENCE = 1800.0
NOBODY, TOO_SLOW = 4, 5  # exit statuses: labctl fell silent; the recorder could not wait for it


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--last", type=float, default=0)
    parser.add_argument("--since", type=int)
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--filter", default="")
    wish = parser.parse_args()
    try:
        wanted = Filter(wish.filter) if wish.filter else None
    except Refused as problem:
        print(json.dumps({"refused": str(problem)}), file=sys.stderr, flush=True)
        return 2
    recorder = _connect()
    if recorder is None:
        return 3
    order = {"last_ns": int(wish.last * 1e9), "since_ns": wish.since, "follow": wish.follow}
    recorder.sendall(json.dumps(order).encode() + b"\n")
    return Teller(recorder, wanted).run()


def _connect() -> socket.socket | None:
    """The recorder may be on its way still."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(wire.ADDRESS)
            return sock
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            time.sleep(0.005)
    return None


class Teller:
    def __init__(self, recorder: socket.socket, wanted: Filter | None) -> None:
        self._recorder, self._filter = recorder, wanted
        self._reader = wire.Reader()
        self._names: dict[str, str] = {}
        self._writer = Writer(sys.stdout.buffer)
        self._begin: int | None = None
        self._ended = False

    def run(self) -> int:
        heard = time.monotonic()
        while True:
            sources: list[socket.socket | int] = [self._recorder, 0]
            ready, _, _ = select.select(sources, [], [], SILENCE)
            if 0 in ready:
                if not os.read(0, 4096):
                    return 0
                heard = time.monotonic()
            if time.monotonic() - heard > SILENCE:
                return NOBODY
            if self._recorder in ready:
                data = self._recorder.recv(1 << 20)
                if not data:
                    return 0 if self._ended else TOO_SLOW
                try:
                    self._take(data)
                except BrokenPipeError:
                    return 0

    def _take(self, data: bytes) -> None:
        for piece in self._reader.feed(data):
            if piece.source == wire.STATE:
                state = json.loads(piece.data)
                if self._begin is None:
                    self._begin = state["begin_ns"]
                self._names = state["interfaces"]
                self._ended = state["ended"]
                self._writer.packet(STATE, USER, piece.first_ns, piece.data, len(piece.data))
            else:
                self._tell(piece)
        sys.stdout.buffer.flush()

    def _tell(self, piece: Piece) -> None:
        if piece.source == "N":
            found = ((at, number, SENT, len(data), data) for at, number, data in wire.of_log(piece.data))
        else:
            away = OUT if piece.source == "R" else LEFT
            found = (
                (at, number, away if outgoing else IN, length, data)
                for at, number, outgoing, length, data in ring.packets(piece.data)
            )
        for at, number, tap, length, data in found:
            if at < (self._begin or 0) or (self._filter and not self._filter.takes(data, raw=tap == SENT)):
                continue
            name = self._names.get(str(number), str(number))
            self._writer.packet(f"{name}:{tap}", RAW if tap == SENT else ETHERNET, at, data, length)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(0)
    except subprocess.TimeoutExpired as problem:
        sys.exit(str(problem))
