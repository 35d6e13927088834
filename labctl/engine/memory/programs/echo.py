"""The echo protocol's two ends (RFC 862)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from labctl.engine.memory.containers import MemoryContainer
from labctl.engine.memory.programs.base import NodeProgram, ends, target
from labctl.engine.memory.programs.net import Net, Unreachable

PORT = 7


class EchoServer(NodeProgram):
    """Gives back what it gets."""

    listens = (("tcp", PORT), ("udp", PORT))


@dataclass
class _Connection:
    server: EchoServer
    local: tuple[str, int]
    peer: tuple[str, int]
    sent: int = 0


class EchoClient(NodeProgram):
    """Sends each line, and waits for it to come back."""

    def __init__(self, container: MemoryContainer, net: Net) -> None:
        super().__init__(container, net)
        self._target = container.environment.get("TARGET") or f"echo:{PORT}"
        self._connections: dict[tuple[str, int], _Connection] = {}

    def typed(self, text: str, known: dict[str, Any], options: dict[str, Any]) -> None:
        if text == "exit":
            for connection in self._connections.values():
                self.event("close", **ends("tcp", connection.local, connection.peer), sent=connection.sent)
            self._connections.clear()
            return
        if text.startswith("connect "):
            self._target = text.removeprefix("connect ").strip()
        name = str(options.get("to") or self._target)
        try:
            connection = self._connected(name)
        except Unreachable as problem:
            self.error(problem.error, problem.reason, **known, name=name)
            return
        if not text.startswith("connect "):
            self._ask(connection, text, known)

    def _connected(self, name: str) -> _Connection:
        host, port = target(name, PORT)
        address = self.net.resolve(self.container, host)
        server = self.net.at(address, EchoServer)
        if server is None or port != PORT:
            self._connections.pop((address, port), None)
            raise Unreachable("ECONNREFUSED", f"connect: nobody listens at {name}")
        found = self._connections.get((address, port))
        if found and found.server is server:
            return found
        local = (self.net.local(self.container, address), self.net.port())
        made = self._connections[address, port] = _Connection(server, local, (address, port))
        self.event("connect", **ends("tcp", local, made.peer), name=name, attempt=1)
        server.event("accept", **ends("tcp", made.peer, local))
        return made

    def _ask(self, connection: _Connection, text: str, known: dict[str, Any]) -> None:
        begun = time.monotonic()
        mine, theirs = (
            ends("tcp", connection.local, connection.peer),
            ends("tcp", connection.peer, connection.local),
        )
        size = len(text.encode()) + 1
        span = {"offset": connection.sent, "bytes": size, "text": text + "\n"}
        connection.sent += size
        self.event("send", **mine, **known, **span)
        connection.server.event("recv", **theirs, **span)
        connection.server.event("send", **theirs, **span)
        self.event("recv", **mine, **span)
        took = round((time.monotonic() - begun) * 1000, 3)
        self.event("answer", **mine, **known, bytes=size - 1, text=text, rtt_ms=took)
