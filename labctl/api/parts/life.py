"""How the nodes of a lab are, what is awaited of them, what several of them are told. `Lab` has these as its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from labctl.api.times import Since, stamp

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.events.model import Event
    from labctl.lab.inside.top import Running
    from labctl.lab.life.inspecting import Inspected
    from labctl.lab.life.several import Outcome
    from labctl.lab.life.status import Status
    from labctl.lab.life.waiting import Answered, Waited


class LivingLab:
    """See Lab."""

    _place: Place

    def choose(self, *names: str, to: str | None = None) -> tuple[str, ...]:
        """The nodes that some names mean, each once: the name of a scaled service stands for all of its nodes, no name
        for all of the lab. `to`: of these, those that can be told so now (a verb of `change`). Raises NodeNotFound."""
        from labctl.lab.choosing import several

        nodes = several(self._place.find(), names, everything=not names)
        if to is not None:
            from labctl.lab.life.several import fitting

            nodes, _ = fitting(to, nodes)
        return tuple(node.name for node in nodes)

    def status(self) -> tuple[Status, ...]:
        """Each node's state, where it listens and how it ended, as `labctl ps` has it; by name."""
        from labctl.lab.life.status import ps

        return tuple(ps(self._place.engine, self._place.find()))

    def inspect(self, *names: str) -> tuple[Inspected, ...]:
        """All that is known of some nodes, or all: program, addresses, ports, limits, rights, files, how the last run
        ended. Raises NodeNotFound, EngineError."""
        from labctl.lab.life.inspecting import inspect

        return tuple(inspect(self._place.engine, self._place.find(), names))

    def top(self, *names: str) -> tuple[Running, ...]:
        """What runs in some nodes, or in all that run, as the engine's machine counts processes. Raises NodeNotFound,
        NotRunning, EngineError."""
        from labctl.lab.inside.top import top

        return tuple(top(self._place.engine, self._place.find(), names))

    def change(
        self,
        verb: str,
        *names: str,
        signal: str | None = None,
        timeout: float = 30.0,
        report: Callable[[Outcome], None] | None = None,
    ) -> tuple[Outcome, ...]:
        """Does one thing to several nodes at once: `start`, `stop`, `restart`, `kill`, `pause` or `unpause`; what came
        of it at each, in the order of the names, and to `report` as soon as it is known. What fails at one
        (`problem`) keeps it from no other. `signal` is that of `kill`, if another than KILL; `timeout` in seconds is
        each one's own. Raises InvalidArgument, NodeNotFound, ForeignLab, Cancelled.
        """
        from labctl.lab.life.change import check_verb
        from labctl.lab.life.several import change_all
        from labctl.signals import named

        check_verb(verb)
        chosen, lab = named(signal) if signal else None, self._place.changeable()
        nodes, tell = [lab.node(name) for name in self.choose(*names)], report or (lambda outcome: None)
        return tuple(change_all(self._place.engine, lab, verb, nodes, tell, timeout=timeout, signal=chosen))

    def wait(self, state: str = "ready", *, nodes: Sequence[str] = (), timeout: float = 30.0) -> tuple[Waited, ...]:
        """Until some nodes, or all, are `ready`, `running`, `healthy`, `paused` or `exited`; `timeout` in seconds.

        Raises LabTimeout, and at once NodeFailed where it can't come true any more; NodeNotFound, InvalidArgument,
        Cancelled.
        """
        from labctl.lab.choosing import several
        from labctl.lab.life import waiting

        waiting.check_state(state)
        found = self._place.find()
        chosen = several(found, nodes, everything=not nodes)
        return tuple(waiting.for_state(self._place.engine, found, chosen, state, timeout=timeout))

    def wait_for(
        self,
        event: str,
        *,
        nodes: Sequence[str] = (),
        since: Since | None = None,
        timeout: float = 30.0,
        ready: Callable[[], object] = lambda: None,
    ) -> Event:
        """The next event of that kind at any of some nodes, or of all: its name, then parts of its text and fields, as
        in `message "hi" peer=10.77.0.*`. With `since`, one that has been counts as well; `ready` is called once none
        can be missed any more.

        Raises LabTimeout, NodeStopped once none of the nodes writes any more, NodeNotFound, InvalidArgument, Cancelled.
        """
        from labctl.lab.choosing import several
        from labctl.lab.life import waiting

        what, begin, found = waiting.event_filter(event), stamp(since), self._place.find()
        chosen = several(found, nodes, everything=not nodes)
        return waiting.for_event(self._place.engine, found, chosen, what, since=begin, timeout=timeout, begun=ready)

    def wait_for_answer(self, to: str, *, source: str | None = None, timeout: float = 30.0) -> Answered:
        """Until somebody takes a TCP connection at HOST:PORT, asked from the node `source`, else from this machine,
        where a node's name stands for the port that it publishes; `timeout` in seconds.

        Raises LabTimeout, Unresolved, NodeNotFound, NotRunning, InvalidArgument, ProbeError, Cancelled.
        """
        from labctl.lab.life import waiting

        found = self._place.prepared() if source else self._place.find()
        return waiting.for_answer(self._place.engine, found, to, source, timeout=timeout)
