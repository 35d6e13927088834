"""A node of a lab, as a program has it: its keyboard, its life, its programs."""

from __future__ import annotations

import signal as signals
from collections.abc import Callable
from typing import TYPE_CHECKING

from labctl.api.parts.inside import InsideNode
from labctl.api.parts.keyboard import Keyboard
from labctl.api.parts.reach import ReachingNode
from labctl.api.parts.seeing import SeenNode
from labctl.api.times import Since, stamp
from labctl.errors import Cancelled, LabError, LabTimeout
from labctl.lab import model

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.results.executed import Executed
    from labctl.engine.model import Port
    from labctl.events.model import Event
    from labctl.lab.life.status import Status
    from labctl.lab.life.waiting import Waited


class Node(Keyboard, SeenNode, ReachingNode, InsideNode):
    """A node; `Lab.node` and `Lab.nodes` give them. What it is (`role`, `state`, `addresses`, `networks`, `ports`) is
    as of then; how it is, `status` asks anew. All that is done with it raises NodeNotFound once it is gone, LabNotFound
    where the lab is, and EngineError where the engine doesn't answer or refuses."""

    def __init__(self, lab: Lab, found: model.Node) -> None:
        self.lab = lab
        self._found = found
        super().__init__(lab._place, found.name)

    def __repr__(self) -> str:
        return f"<labctl.Node {self.name} of {self.lab.name}>"

    @property
    def name(self) -> str:
        """As its lab, its journal and ladders call it."""
        return self._found.name

    @property
    def role(self) -> str | None:
        """What its program is: `chat`, `echo`, `echo-client`, `http`, `udp`, `router`; None of somebody's own."""
        return self._found.role

    @property
    def host(self) -> str:
        """The host that it is, as ladders call it: nodes that share a network are one, under all their names."""
        return self.lab.snapshot().host(self._found).name

    @property
    def state(self) -> str:
        """The engine's word for how it was then: `running`, `paused`, `exited` ..."""
        return self._found.container.state

    @property
    def addresses(self) -> tuple[str, ...]:
        """On all its networks; empty while it doesn't run."""
        return tuple(self._found.addresses)

    @property
    def networks(self) -> dict[str, tuple[str, ...]]:
        """Its addresses by network."""
        return dict(self._found.container.addresses)

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports that it publishes to the engine's machine."""
        return tuple(port for port in self._found.container.ports if port.public)

    def status(self) -> Status:
        """Its state now, where it listens, how it ended. Raises NodeNotFound."""
        from labctl.lab.life.status import ps

        found = self.lab.snapshot()
        return ps(self.lab.engine, model.Lab(found.name, (found.node(self.name),), found.ours, found.standing))[0]

    # The journal

    def logs(self, *, since: Since | None = None, tail: int | None = None) -> tuple[Event, ...]:
        """What its journal holds; `Lab.journal` also follows it, and several at once. Raises InvalidArgument."""
        from labctl.lab import journal

        found = self.lab.snapshot()
        return tuple(journal.read(self.lab.engine, found, [self.name], since=stamp(since), tail=tail))

    # Its life

    def start(self, *, timeout: float = 30.0) -> tuple[str, ...]:
        """Starts it again, and returns once it is ready; the names of others that were started as they share its
        network. `timeout` is in seconds. Raises NodeError, NodeFailed, LabTimeout, ForeignLab, Cancelled; and so do
        those that follow."""
        return self._change("start", timeout)

    def stop(self, *, timeout: float = 30.0) -> tuple[str, ...]:
        """Stops it in order (SIGTERM)."""
        return self._change("stop", timeout)

    def restart(self, *, timeout: float = 30.0) -> tuple[str, ...]:
        """Stops it in order, and starts it again."""
        return self._change("restart", timeout)

    def kill(self, *, signal: str | int = "KILL", timeout: float = 30.0) -> tuple[str, ...]:
        """Kills it at once, as a crash would, and returns when it has ended; or sends its first process another signal,
        such as `HUP`, and returns at once."""
        from labctl.signals import named

        chosen = named(str(int(signal)) if isinstance(signal, int) else signal)
        others = self._change("kill", timeout, chosen)
        if chosen == "SIGKILL":  # the engine answers before the node's end is known
            self.lab.wait("exited", nodes=(self.name, *others), timeout=timeout)
        return others

    def pause(self, *, timeout: float = 30.0) -> tuple[str, ...]:
        """Freezes its programs; its kernel still answers."""
        return self._change("pause", timeout)

    def unpause(self, *, timeout: float = 30.0) -> tuple[str, ...]:
        """Lets it go on."""
        return self._change("unpause", timeout)

    def _change(self, verb: str, timeout: float, signal: str | None = None) -> tuple[str, ...]:
        from labctl.lab.life.change import change

        found = self.lab.changeable()
        return tuple(change(self.lab.engine, found, verb, self.name, timeout=timeout, signal=signal))

    def wait(self, state: str = "ready", *, timeout: float = 30.0) -> Waited:
        """As Lab.wait, for this node."""
        return self.lab.wait(state, nodes=(self.name,), timeout=timeout)[0]

    def wait_for(self, event: str, *, since: Since | None = None, timeout: float = 30.0) -> Event:
        """As Lab.wait_for, for this node's journal."""
        return self.lab.wait_for(event, nodes=(self.name,), since=since, timeout=timeout)

    # Its programs

    def exec(self, program: str, *arguments: str, input: bytes = b"", timeout: float = 30.0) -> Executed:
        """Runs a command in the node, with `input` as its standard input, and waits for its end; after `timeout`
        seconds, or when it is cancelled, it is ended with SIGTERM, and after five more with SIGKILL.

        A status other than 0 is no error. Raises ProgramNotFound, NotRunning, LabTimeout, CommandLeft where it could
        not be ended, ForeignLab, Cancelled.
        """
        import tempfile

        from labctl.api.results.executed import Executed
        from labctl.lab.inside import execution

        found = self.lab.changeable()
        node = found.running(self.name, "nothing can be run in it")
        written: dict[bool, list[bytes]] = {False: [], True: []}
        show: Callable[[bytes, bool], None] = lambda data, stderr: written[stderr].append(data)  # noqa: E731
        with tempfile.TemporaryFile() as source:
            source.write(input)
            source.seek(0)
            status = execution.run(
                self.lab.engine,
                execution.Place(found, node),
                (program, *arguments),
                source=source.fileno(),
                show=show,
                why_ended=_why_ended,
                limit=timeout,
                late=LabError("not-yet", seconds=timeout, what=f"{program} in {self.name} goes on"),
            )
        return Executed(status, b"".join(written[False]), b"".join(written[True]))


def _why_ended(cause: BaseException) -> int | None:
    """Of what the engine has refused nothing runs."""
    refused = isinstance(cause, LabError) and not isinstance(cause, LabTimeout | Cancelled)
    return None if refused else signals.SIGTERM
