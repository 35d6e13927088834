"""What is typed at a node, and what came of it. `Node` has these as its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.events.model import Event
    from labctl.lab import model
    from labctl.lab.keyboard.delivery import Delivery
    from labctl.lab.keyboard.send import Sent
    from labctl.lab.reach.datagram import Datagram
    from labctl.lab.roles.http import Exchange
    from labctl.lab.roles.udp import Train


class Keyboard:
    """The keyboard of a node; `Node` has all of it as its own."""

    def __init__(self, place: Place, name: str) -> None:
        """`name` is the node's."""
        self._place, self._name = place, name

    def send(self, text: str, *, to: str | None = None, role: str | None = None, timeout: float = 5.0) -> Delivery:
        """Types a line at a chat node, an echo client or a UDP peer, and gives what came of it at both ends: who got
        it, both addresses, when, its place in the stream, the answer of an echo server. `timeout` is in seconds.

        `to` is the node that a UDP peer sends to, or the HOST:PORT that an echo client talks to (else the one that it
        knows). `role`: only where the node is of that one. Raises NodeError where the node can't send or does not run,
        NotTaken where it did not take the line, LineRefused where it answered with an error, NotConfirmed where the
        line went out, or may, and nothing shows that it arrived; InvalidArgument, Cancelled.
        """
        delivery = self._send(text, to, role, timeout)
        if delivery is None:
            why = f"{text!r} is a command of an echo client, which nobody answers: Node.type gives it"
            raise LabError("bad-option", option="text", why=why)
        return delivery

    def echo(self, text: str, *, to: str | None = None, timeout: float = 5.0) -> Delivery | None:
        """As `send`, at an echo client; None where the line is a command of the client's own (`exit`, `connect
        HOST:PORT`), which it took and which nobody answers."""
        return self._send(text, to, "echo-client", timeout)

    def _send(self, text: str, to: str | None, role: str | None, timeout: float) -> Delivery | None:
        from labctl.lab.roles import known

        found = self._place.changeable()
        there = known(role or found.node(self._name).role or "")
        if there is None or there.sending is None:
            raise self._wrong_role(found)
        return there.sending(self._place.engine, found, self._name, text, to=to, timeout=timeout)

    def send_train(
        self, to: str, *, count: int, text: str = "", size: int = 0, rate: float = 100.0, timeout: float = 2.0
    ) -> Train:
        """Sends a numbered train of datagrams from a UDP peer to another one, and gives what that counted: how many it
        received, how many were lost, came twice or out of order.

        `size` is each datagram's payload in bytes (0: as few as possible), `rate` how many a second (0: as fast as the
        socket takes them), `timeout` in seconds comes on top of the time that this takes. Raises as `send` does.
        """
        from labctl.lab.roles import udp

        engine, found = self._place.engine, self._place.changeable()
        return udp.send_train(engine, found, self._name, to, text, count=count, size=size, rate=rate, timeout=timeout)

    def send_datagram(self, to: str, text: str = "", *, timeout: float = 2.0) -> Datagram:
        """Sends one UDP datagram to any HOST:PORT, and gives what came back within `timeout` seconds: a UDP peer sends
        it by itself, for any other node a helper in its network does.

        That nothing came back is no error: `answer` is None then. Raises ReachError (`unreachable`) where a helper
        sends it and the network or the port refuses it, Unresolved, NotRunning, NotConfirmed where a peer did not show
        that it went out; InvalidArgument, ProbeError, Cancelled.
        """
        from labctl.lab.reach import datagram

        if datagram.needs_probe(self._place.engine, self._place.find().node(self._name)):
            self._place.prepare()
        return datagram.send(self._place.engine, self._place.changeable(), self._name, to, text, timeout=timeout)

    def get(self, url: str = "/", *, source: str | None = None, timeout: float = 10.0) -> Exchange:
        """GET of a path, or of a whole `http://` URL, at this node: over the port that it publishes, or asked from the
        node `source`; `timeout` in seconds is for all of it. A status of 400 or more is no error.

        Raises ReachError where no response came, NodeError where no port is published, NotRunning, InvalidArgument.
        """
        from labctl.lab.roles import http

        if source:
            self._place.prepare()  # a helper ends what asks there
        return http.get(self._place.engine, self._place.find(), self._name, url, source=source, timeout=timeout)

    def _wrong_role(self, found: model.Lab) -> LabError:
        from labctl.lab.roles import called, senders

        sending = senders()
        others = [node.name for node in found.nodes if node.role in sending]
        *most, last = [role.called for role in sending.values()]
        return LabError(
            "wrong-role",
            node=self._name,
            actual=called(found.node(self._name).role),
            command="send",
            wanted=f"{', '.join(most)} or {last}",
            fitting=f"here: {', '.join(others)}" if others else "Node.type types a line at any node with a keyboard",
        )

    def type(self, text: str, *, timeout: float = 5.0) -> Sent:
        """Types a line at any node with a keyboard, and returns once its journal shows that it took it; somebody's own
        program keeps no journal, which `confirmed` tells. `timeout` is in seconds.

        Raises NodeError, NotTaken, LineRefused, NotConfirmed, InvalidArgument, Cancelled.
        """
        from labctl.lab.keyboard.send import send

        return send(self._place.engine, self._place.changeable(), self._name, text, timeout=timeout)

    def attach(
        self,
        source: BinaryIO,
        show: Callable[[Event], object],
        *,
        ready: Callable[[], object] = lambda: None,
        timeout: float = 5.0,
    ) -> None:
        """Types each line of `source` at the node, and gives its journal to `show` meanwhile, until the source or the
        node ends. `ready` is called once it is heard, and before anything is typed; `timeout` in seconds is for each
        line.

        Raises NodeError (`no-keyboard`), NodeStopped, NotRunning, ForeignLab, what `type` raises of a line, Cancelled.
        """
        from labctl.lab.keyboard.attach import attach

        lab = self._place.changeable()
        attach(self._place.engine, lab, self._name, source, show, ready=ready, timeout=timeout)
