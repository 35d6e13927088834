"""What the nodes of a lab tell: the journal, and the chat as it tells it. `Lab` has these as its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labctl.api.times import Since, stamp
from labctl.errors import Cancelled

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.cancel import Cancel
    from labctl.engine.model import Engine
    from labctl.events.model import Event
    from labctl.lab.roles.chat_log import Said


class ToldLab:
    """See Lab."""

    _place: Place

    def journal(
        self,
        *nodes: str,
        follow: bool = False,
        since: Since | None = None,
        tail: int | None = None,
        until: Cancel | None = None,
        timeout: float | None = None,
        ready: Callable[[], object] = lambda: None,
    ) -> Iterator[Event]:
        """What happened at some nodes, or all, in order of time; `tail` is the number of the last events.

        With `follow` it goes on with what comes, in order within a tenth of a second, until the last of the nodes has
        ended, `until` is cancelled, or `timeout` seconds have passed; `ready` is called once what comes is heard.
        Raises NodeNotFound, InvalidArgument, Cancelled where it is the lab that was cancelled.
        """
        from labctl.lab import journal

        begin, found = stamp(since), self._place.find()
        if not follow:
            yield from journal.read(self._place.engine, found, nodes, since=begin, tail=tail)
            return
        with self._listening(until, timeout) as (engine, deadline):
            yield from journal.follow(engine, found, nodes, since=begin, tail=tail, deadline=deadline, ready=ready)

    def clocks(self, *nodes: str) -> str:
        """What is to be said of the times of nodes, or of all, on several machines, each of which has a clock of its
        own; "" for those on one. Raises EngineError."""
        from labctl.lab import spanning

        there = self._place.find().nodes
        return spanning.clocks(self._place.engine, [node for node in there if not nodes or node.name in nodes])

    def chat_log(
        self,
        *,
        follow: bool = False,
        since: Since | None = None,
        until: Cancel | None = None,
        timeout: float | None = None,
        ready: Callable[[], object] = lambda: None,
    ) -> Iterator[Said]:
        """The conversation of the chat nodes: who said what to whom (`kind` is `message`), when conversations began and
        ended (`open`, `ended`), and where something is gone of what was heard (`missing`). `follow` and the others are
        as in `journal`. Raises NodeError (`wrong-role`) where the lab has no chat node, and what `journal` raises."""
        from labctl.lab.roles import chat_log

        begin, found = stamp(since), self._place.find()
        if not follow:
            yield from chat_log.lines(self._place.engine, found, since=begin)
            return
        with self._listening(until, timeout) as (engine, deadline):
            yield from chat_log.lines(engine, found, follow=True, since=begin, deadline=deadline, ready=ready)

    @contextmanager
    def _listening(self, until: Cancel | None, timeout: float | None) -> Iterator[tuple[Engine, float | None]]:
        """An engine whose waits end with `until`, and the deadline, of time.monotonic(); `until` ends it in silence."""
        deadline = None if timeout is None else time.monotonic() + timeout
        engine = self._place.engine
        try:
            yield engine.cancelled_by(*engine.cancels, *([until] if until else ())), deadline
        except Cancelled:
            if until is None or not until.is_cancelled:
                raise
