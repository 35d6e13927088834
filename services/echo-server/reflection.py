"""Datagrams that must get no answer, since one of the kind would come back to it: two echo servers, once told that
each was asked by the other, go on for ever (CERT CA-1996-01). A datagram's source can be forged, so it is looked at.
"""

from __future__ import annotations

from labnode import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.loop import Loop
    from labnode.types import Fields, Timer

# The services of a host that answer every datagram: echo, daytime, qotd, chargen, time (RFC 862, 867, 865, 864, 868);
# nothing can be sent to port 0. What inetd refuses as well.
PORTS = frozenset((0, 7, 13, 17, 19, 37))
SAY_EVERY = 1.0  # seconds: a flood of such datagrams must not become one of events


class Refusals:
    """Tells of the datagrams that get no answer: of the first at once, then once a second how many there were."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._count = 0  # not told yet
        self._last: tuple[Fields, int] | None = None  # ends and size of the latest of them
        self._timer: Timer | None = None

    def add(self, ends: Fields, size: int) -> None:
        self._count += 1
        self._last = ends, size
        if not self._timer:
            self._tell()

    def _tell(self) -> None:
        self._timer = None
        if not self._count or not self._last:
            return
        ends, size = self._last
        reason = f"a datagram from port {ends['peer'][1]} gets no answer: what listens there would answer that in turn"
        journal.event("refuse", ends, bytes=size, datagrams=self._count, reason=reason)
        self._count = 0
        self._timer = self._loop.later(SAY_EVERY, self._tell)

    def close(self) -> None:
        """Tells of those that were not told yet."""
        self._loop.cancel(self._timer)
        self._tell()
        self._loop.cancel(self._timer)
