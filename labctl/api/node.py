"""A node of a lab, as a program has it: its keyboard, its life, its programs."""

from __future__ import annotations

import signal as signals
from collections.abc import Callable
from typing import TYPE_CHECKING

from labctl.api.inside import Executed, InsideNode
from labctl.api.reach import ReachingNode
from labctl.api.seeing import SeenNode
from labctl.api.times import Since, stamp
from labctl.errors import Cancelled, LabError, LabTimeout
from labctl.lab import model
from labctl.lab.roles import called, typing_of

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.engine.model import Port
    from labctl.events.model import Event
    from labctl.lab.keyboard.delivery import Delivery
    from labctl.lab.keyboard.send import Sent
    from labctl.lab.life.status import Status
    from labctl.lab.life.waiting import Waited
    from labctl.lab.roles.http import Exchange
    from labctl.lab.roles.udp import Train

SENDERS = {"chat": "a chat node", "echo-client": "an echo client", "udp": "a UDP peer"}


class Node(SeenNode, ReachingNode, InsideNode):
    """A node; `Lab.node` and `Lab.nodes` give them. What it is (`role`, `addresses`, `networks`, `ports`) is as of
    then; how it is, `status` asks anew."""

    def __init__(self, lab: Lab, found: model.Node) -> None:
        self.lab = lab
        self._found = found
        self._name, self._place = found.name, lab._place

    def __repr__(self) -> str:
        return f"<labctl.Node {self.name} of {self.lab.name}>"

    @property
    def name(self) -> str:
        return self._found.name

    @property
    def role(self) -> str | None:
        """What its program is: `chat`, `echo`, `echo-client`, `http`, `udp`, `router`; None of somebody's own."""
        return self._found.role

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

    # The keyboard

    def send(self, text: str, *, to: str | None = None, timeout: float = 5.0) -> Delivery:
        """Types a line at a chat node, an echo client or a UDP peer, and gives what came of it at both ends: who got
        it, both addresses, when, its place in the stream, the answer of an echo server. `timeout` is in seconds.

        `to` is the node that a UDP peer sends to, or the HOST:PORT that an echo client talks to (else the one that it
        knows). Raises NodeError where the node can't send or does not run, NotTaken where it did not take the line,
        LineRefused where it answered with an error, NotConfirmed where the line went out, or may, and nothing shows
        that it arrived; InvalidArgument, Cancelled.
        """
        from labctl.lab.roles import chat, echo, udp

        found, engine = self.lab.changeable(), self.lab.engine
        role = found.node(self.name).role
        if role == "udp":
            if to is None:
                raise LabError("bad-option", option="to", why=f"{self.name} is a UDP peer: name the node to send to")
            return udp.send(engine, found, self.name, to, text, timeout=timeout)
        if role == "echo-client":
            sent = echo.send(engine, found, self.name, text, to=to, timeout=timeout)
            if sent is None:
                why = f"{text!r} is a command of an echo client, which nobody answers: Node.type gives it"
                raise LabError("bad-option", option="text", why=why)
            return sent
        if role != "chat":
            if command := typing_of(role):
                return command.act(engine, found, self.name, text, timeout)
            self._refuse_role(found)
        return chat.send(engine, found, self.name, text, timeout=timeout)

    def send_train(
        self, to: str, *, count: int, text: str = "", size: int = 0, rate: float = 100.0, timeout: float = 2.0
    ) -> Train:
        """Sends a numbered train of datagrams from a UDP peer to another one, and gives what that counted: how many it
        received, how many were lost, came twice or out of order.

        `size` is each datagram's payload in bytes (0: as few as possible), `rate` how many a second (0: as fast as the
        socket takes them), `timeout` in seconds comes on top of the time that this takes. Raises as `send` does.
        """
        from labctl.lab.roles import udp

        engine, found = self.lab.engine, self.lab.changeable()
        return udp.send_train(engine, found, self.name, to, text, count=count, size=size, rate=rate, timeout=timeout)

    def get(self, url: str = "/", *, source: str | None = None, timeout: float = 10.0) -> Exchange:
        """GET of a path, or of a whole `http://` URL, at this node: over the port that it publishes, or asked from the
        node `source`; `timeout` in seconds is for all of it. A status of 400 or more is no error.

        Raises ReachError where no response came, NodeError where no port is published, NotRunning, InvalidArgument.
        """
        from labctl.lab.roles import http

        if source:
            self.lab.prepare()  # a helper ends what asks there
        return http.get(self.lab.engine, self.lab.snapshot(), self.name, url, source=source, timeout=timeout)

    def _refuse_role(self, found: model.Lab) -> None:
        others = [node.name for node in found.nodes if node.role in SENDERS]
        role = found.node(self.name).role
        wanted = ", ".join(list(SENDERS.values())[:-1]) + " or " + list(SENDERS.values())[-1]
        raise LabError(
            "wrong-role",
            node=self.name,
            actual=called(role),
            command="send",
            wanted=wanted,
            fitting=f"here: {', '.join(others)}" if others else "Node.type types a line at any node with a keyboard",
        )

    def type(self, text: str, *, timeout: float = 5.0) -> Sent:
        """Types a line at any node with a keyboard, and returns once its journal shows that it took it; somebody's own
        program keeps no journal, which `confirmed` tells. `timeout` is in seconds.

        Raises NodeError, NotTaken, LineRefused, NotConfirmed, InvalidArgument, Cancelled.
        """
        from labctl.lab.keyboard.send import send

        return send(self.lab.engine, self.lab.changeable(), self.name, text, timeout=timeout)

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
        from labctl.lab.life.several import signal_name

        chosen = signal_name(str(int(signal)) if isinstance(signal, int) else signal)
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
