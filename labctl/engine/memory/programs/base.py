"""What all of these programs have in common: the keyboard's envelope, events, `ready`."""

from __future__ import annotations

import json
from typing import Any

from labctl.engine.memory.containers import MemoryContainer, stamp
from labctl.engine.memory.programs.net import Net
from labctl.engine.model import LABEL_NODE

RECORD_SEPARATOR = b"\x1e"
Ends = dict[str, Any]  # proto, local and peer of an event


class NodeProgram:
    """A node's program, which runs from `begin` to `end`; called with each line that is typed."""

    listens: tuple[tuple[str, int], ...] = ()  # protocol and port

    def __init__(self, container: MemoryContainer, net: Net) -> None:
        self.container, self.net = container, net

    def begin(self) -> None:
        """Its sockets, and `ready`."""
        for proto, port in self.listens:
            for address in ("0.0.0.0", "::"):
                self.event("bind", proto=proto, local=[address, port])
                if proto == "tcp":
                    self.event("listen", proto=proto, local=[address, port], backlog=128)
                self.container.listen(proto, port, address)
        self.event("ready")

    def end(self) -> None:
        """It has ended, in order or not."""

    def __call__(self, container: MemoryContainer, line: bytes) -> None:
        options: dict[str, Any] = {}
        text = line.decode(errors="replace")
        if line.startswith(RECORD_SEPARATOR):
            try:
                options = json.loads(line[1:])
                text = str(options.pop("text"))
            except (ValueError, KeyError, AttributeError):
                self.error("EBADMSG", "a typed line whose envelope is broken")
                return
        known = {key: options[key] for key in ("id", "to") if key in options}
        self.event("input", **known, bytes=len(text.encode()), text=text)
        self.typed(text, {key: known[key] for key in known if key == "id"}, options)

    def typed(self, text: str, known: dict[str, Any], options: dict[str, Any]) -> None:
        """A line: `known` holds its id, where it has one, `options` the rest of its envelope."""

    def event(self, name: str, /, **fields: Any) -> None:
        node = self.container.record.labels.get(LABEL_NODE) or self.container.record.name
        self.container.print(json.dumps({"ts": stamp(), "node": node, "event": name, **fields}, ensure_ascii=False))

    def error(self, error: str, reason: str, **fields: Any) -> None:
        self.event("error", error=error, reason=reason, **fields)


class Ready(NodeProgram):
    """One that is ready and takes lines: a router, an HTTP server that nobody asks."""


def target(text: str, port: int) -> tuple[str, int]:
    """`HOST:PORT`, `[ADDRESS]:PORT`, or a host alone, with the port that it then has."""
    host, colon, number = text.rpartition(":")
    if not colon or not number.isdigit() or (":" in host and not host.startswith("[")):
        return text.strip("[]"), port
    return host.strip("[]"), int(number)


def ends(proto: str, local: tuple[str, int], peer: tuple[str, int]) -> Ends:
    return {"proto": proto, "local": list(local), "peer": list(peer)}
