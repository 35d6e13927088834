"""The two ends of a chat: one listens, the other calls, and lines that nobody can hear wait."""

from __future__ import annotations

from typing import Any

from labctl.engine.memory.containers import MemoryContainer
from labctl.engine.memory.programs.base import NodeProgram, ends, target
from labctl.engine.memory.programs.net import Net, Unreachable

PORT = 12345
LIMIT = 64 * 1024  # bytes of a line, its newline not counted
BYE = "byebye"
WAITING = 100  # lines


class Chat(NodeProgram):
    """A server where no TARGET is set, else a client of that."""

    def __init__(self, container: MemoryContainer, net: Net) -> None:
        super().__init__(container, net)
        self._target = container.environment.get("TARGET")
        self.port = int(container.environment.get("PORT") or PORT)
        self.listens = () if self._target else (("tcp", self.port),)
        self.partner: Chat | None = None
        self._ends: dict[str, Any] = {}
        self._sent = 0  # bytes in this conversation
        self._waiting: list[tuple[str, dict[str, Any]]] = []

    def begin(self) -> None:
        super().begin()
        for caller in [self] if self._target else self.net.all(Chat):
            caller.call()

    def call(self) -> None:
        """Calls the target, where nobody is talked to yet."""
        if not self._target or self.partner:
            return
        host, port = target(self._target, PORT)
        try:
            address = self.net.resolve(self.container, host)
            local = (self.net.local(self.container, address), self.net.port())
            server = self.net.at(address, Chat)
            if not server or server._target or server.port != port:
                raise Unreachable("ECONNREFUSED", f"nobody listens at {host}:{port}")
            if server.partner:
                raise Unreachable("EBUSY", f"{host} talks to somebody else")
        except Unreachable as problem:
            retry = {"name": self._target, "attempt": 1, "delay_s": 0.1}
            self.event("retry", error=problem.error, reason=problem.reason, **retry)
            return
        self.event("connect", **ends("tcp", local, (address, port)), name=self._target, attempt=1)
        server.event("accept", **ends("tcp", (address, port), local))
        self._open(server, ends("tcp", local, (address, port)))
        server._open(self, ends("tcp", (address, port), local))
        self._flush()
        server._flush()

    def _open(self, partner: Chat, found: dict[str, Any]) -> None:
        self.partner, self._ends, self._sent = partner, found, 0
        self.event("session", **found, state="open")

    def typed(self, text: str, known: dict[str, Any], options: dict[str, Any]) -> None:
        size = len(text.encode())
        if options.get("to"):
            self.error("EISCONN", "a chat has one partner", **known)
        elif size > LIMIT:
            self.error("EMSGSIZE", f"a line over {LIMIT} bytes", **known, bytes=size, call="send")
        elif self.partner:
            self._say(text, known)
        elif text == BYE:
            self.error("ENOTCONN", "nobody is there", **known)
        elif len(self._waiting) >= WAITING:
            self.error("ENOBUFS", "no room to wait", **known)
        else:
            self._waiting.append((text, known))
            reason = "nobody has called yet" if not self._target else "nobody answers yet"
            self.event("queued", **known, bytes=size + 1, waiting=len(self._waiting), reason=reason)

    def _flush(self) -> None:
        while self.partner and self._waiting:
            self._say(*self._waiting.pop(0))

    def _say(self, text: str, known: dict[str, Any]) -> None:
        partner = self.partner
        assert partner
        span = {"offset": self._sent, "bytes": len(text.encode()) + 1}
        self._sent += span["bytes"]
        self.event("send", **self._ends, **known, **span, text=text)
        partner.event("recv", **partner._ends, **span)
        partner.event("message", **partner._ends, **span, text=text)
        if text == BYE:
            self._part("byebye", by="local")
            self.call()
            partner.call()

    def _part(self, reason: str, *, by: str) -> None:
        """The conversation ends, for both."""
        partner, self.partner = self.partner, None
        self.event("session", **self._ends, state="ended", by=by, reason=reason)
        if partner and partner.partner:
            partner._part(reason, by="peer" if by == "local" else "local")

    def end(self) -> None:
        partner, self.partner = self.partner, None
        if partner:
            partner.partner = None
            partner.event("session", **partner._ends, state="ended", by="peer", reason="closed")
            for caller in [partner] if partner._target else self.net.all(Chat):
                caller.call()
