"""Echo requests in order, each with what came of it."""

from __future__ import annotations

import time

from labreach.echo import Echo, words
from labreach.output import say
from labreach.targets import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

LINGER = 0.02  # seconds after the last answer, for its duplicates


def run(order: Fields) -> None:
    """`address`, or `name` with `family`; `count`, `interval`, `timeout` (seconds), `size` (bytes), `ttl` or None."""
    address = order["address"] or resolve(order["name"], order["family"])
    with Echo(address, order["size"]) as echo:
        if order["ttl"]:
            echo.set_ttl(order["ttl"])
        say("target", address=address)
        _Train(echo, order).run()


class _Train:
    def __init__(self, echo: Echo, order: Fields) -> None:
        self._echo = echo
        self._count, self._interval, self._timeout = order["count"], order["interval"], order["timeout"]
        self._sent: dict[int, int] = {}  # sequence number: when, ns since the epoch
        self._waiting: dict[int, float] = {}  # sequence number: until when (time.monotonic())
        self._answered: set[int] = set()

    def run(self) -> None:
        due, number = time.monotonic(), 0
        while number < self._count or self._waiting:
            if number < self._count and time.monotonic() >= due:
                number += 1
                due += self._interval
                self._send(number)
            self._expire()
            limits = [*([due] if number < self._count else []), *self._waiting.values()]
            if limits:
                self._hear(min(limits) - time.monotonic())
        self._hear(LINGER)

    def _send(self, seq: int) -> None:
        try:
            self._sent[seq] = self._echo.send(seq)
            self._waiting[seq] = time.monotonic() + self._timeout
        except OSError as problem:
            error, reason = words(problem.errno)
            say("unsent", seq=seq, error=error, reason=reason)

    def _expire(self) -> None:
        now = time.monotonic()
        for seq in [seq for seq, until in self._waiting.items() if until <= now]:
            del self._waiting[seq]
            say("lost", seq=seq)

    def _hear(self, seconds: float) -> None:
        for heard in self._echo.hear(seconds):
            if heard.seq not in self._sent:
                continue
            waited = self._waiting.pop(heard.seq, None) is not None
            fields = {"seq": heard.seq, "from": heard.source, "rtt_ns": max(0, heard.received - self._sent[heard.seq])}
            if heard.kind is not None:
                if heard.kind < 0:
                    error, reason = words(heard.code)
                    say("unsent", seq=heard.seq, error=error, reason=reason)
                elif waited:
                    say("error", **fields, type=heard.kind, code=heard.code)
                continue
            again, late = heard.seq in self._answered, not waited
            self._answered.add(heard.seq)
            fields |= {"ttl": heard.ttl, "bytes": len(heard.data) + 8, "damaged": heard.data != self._echo.payload}
            say("reply", **fields, again=again, late=late and not again)
