"""A lab, as a program has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from labctl.api.link import LinkedLab
from labctl.api.reach import ReachingLab
from labctl.api.running import RunningLab
from labctl.api.saved.run import SavingLab
from labctl.api.seeing import Place, SeenLab
from labctl.api.times import Since, stamp
from labctl.cancel import Cancel
from labctl.errors import Cancelled
from labctl.lab import model, owners

if TYPE_CHECKING:
    from labctl.api.node import Node
    from labctl.engine.model import Engine
    from labctl.events.model import Event
    from labctl.lab.life.down import Removed
    from labctl.lab.life.status import Status
    from labctl.lab.life.waiting import Waited
    from labctl.lab.owners import Owner

MEND = "labctl.find(NAME, force=True) gives a lab that may be changed all the same"
PROBE_LIMIT = 600.0  # seconds for building the helpers' image


class Lab(SeenLab, ReachingLab, LinkedLab, RunningLab, SavingLab):
    """A lab on an engine; `labctl.up`, `labctl.find` and `labctl.labs` give them.

    It holds a name and no state: each method asks the engine how things are now. Several threads may use one Lab, or
    each its own; `cancel` ends what any of them waits for with this one.
    """

    def __init__(
        self, engine: Engine, name: str, cancel: Cancel, *, takes_down: bool = False, force: bool = False
    ) -> None:
        self.engine = engine
        self.name = name
        self._cancel = cancel
        self._takes_down = takes_down
        self._force = force
        self._place = Place(engine, self.snapshot, self.changeable, self.prepare)

    def __repr__(self) -> str:
        return f"<labctl.Lab {self.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._takes_down:
            self.down()

    def snapshot(self) -> model.Lab:
        """The lab as it is now: its containers with their labels and addresses. Raises LabNotFound."""
        return model.find(self.engine, self.name)

    def changeable(self) -> model.Lab:
        """As `snapshot`, for what changes something. Raises ForeignLab where it is somebody else's, LabNotFound."""
        found = self.snapshot()
        if not self._force:
            owners.refuse_anothers(self.engine, self.name, found.standing, MEND)
        return found

    def prepare(self, report: Callable[[str], None] | None = None) -> None:
        """Sees to it that the helpers' image is there, as faults, captures, pings and traces need it: else the first of
        them builds it. Raises EngineError."""
        from labctl.lab.images.needed import ensure_probe

        ensure_probe(self.engine, report or (lambda text: None), PROBE_LIMIT)

    @property
    def owner(self) -> Owner | None:
        """Who made it; None where that isn't known."""
        return self.snapshot().standing.owner

    @property
    def is_mine(self) -> bool:
        """Whether the caller made it, or nobody is known to have."""
        return owners.is_mine(self.engine, self.owner)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, by name. Raises LabNotFound."""
        from labctl.api.node import Node

        return tuple(Node(self, found) for found in self.snapshot().nodes)

    def node(self, name: str) -> Node:
        """Raises NodeNotFound, which names those whose names are near."""
        from labctl.api.node import Node

        return Node(self, self.snapshot().node(name))

    def status(self) -> tuple[Status, ...]:
        """Each node's state, where it listens and how it ended, as `labctl ps` has it; by name."""
        from labctl.lab.life.status import ps

        return tuple(ps(self.engine, self.snapshot()))

    def journal(
        self,
        *nodes: str,
        follow: bool = False,
        since: Since | None = None,
        tail: int | None = None,
        until: Cancel | None = None,
        timeout: float | None = None,
    ) -> Iterator[Event]:
        """What happened at some nodes, or all, in order of time; `tail` is the number of the last events.

        With `follow` it goes on with what comes, in order within a tenth of a second, until the last of the nodes has
        ended, `until` is cancelled, or `timeout` seconds have passed. Raises NodeNotFound, InvalidArgument, Cancelled
        where it is the lab that was cancelled.
        """
        from labctl.lab import journal

        begin, found = stamp(since), self.snapshot()
        if not follow:
            yield from journal.read(self.engine, found, nodes, since=begin, tail=tail)
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        engine = self.engine.cancelled_by(*self.engine.cancels, *([until] if until else ()))
        try:
            yield from journal.follow(engine, found, nodes, since=begin, tail=tail, deadline=deadline)
        except Cancelled:
            if until is None or not until.is_cancelled:
                raise

    def wait(self, state: str = "ready", *, nodes: tuple[str, ...] = (), timeout: float = 30.0) -> tuple[Waited, ...]:
        """Until some nodes, or all, are `ready`, `running`, `healthy`, `paused` or `exited`; `timeout` in seconds.

        Raises LabTimeout, and at once NodeFailed where it can't come true any more; NodeNotFound, InvalidArgument,
        Cancelled.
        """
        from labctl.lab.life import waiting

        waiting.check_state(state)
        found = self.snapshot()
        chosen = [found.node(name) for name in nodes] or list(found.nodes)
        return tuple(waiting.for_state(self.engine, found, chosen, state, timeout=timeout))

    def wait_for(
        self, event: str, *, nodes: tuple[str, ...] = (), since: Since | None = None, timeout: float = 30.0
    ) -> Event:
        """The next event of that kind at any of some nodes, or of all: its name, then parts of its text and fields, as
        in `message "hi" peer=10.77.0.*`. With `since`, one that has been counts as well.

        Raises LabTimeout, NodeStopped once none of the nodes writes any more, NodeNotFound, InvalidArgument, Cancelled.
        """
        from labctl.lab.life import waiting

        what, begin, found = waiting.event_filter(event), stamp(since), self.snapshot()
        chosen = [found.node(name) for name in nodes] or list(found.nodes)
        return waiting.for_event(self.engine, found, chosen, what, since=begin, timeout=timeout, begun=lambda: None)

    def cancel(self) -> None:
        """Ends what is waited for with this Lab, in whichever thread: it raises Cancelled. `down` works all the same,
        and `labctl.find` gives the lab anew."""
        self._cancel.cancel()

    def down(self, *, report: Callable[[str], None] | None = None) -> Removed:
        """Removes the lab's containers, networks and volumes, and nothing else; how many there were.

        Where it is gone already, nothing is done. Raises ForeignLab, EngineError, LabTimeout where another labctl is at
        work on it.
        """
        from labctl.lab.life.down import down

        return down(self.engine.cancelled_by(), self.name, report or (lambda text: None), force=self._force)
