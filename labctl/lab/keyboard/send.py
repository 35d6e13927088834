"""Types a line at any node that has a keyboard."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.events.model import Event
from labctl.lab.keyboard.typed import Typed, need_keyboard
from labctl.lab.model import Lab, Node
from labctl.lab.roles import outcomes

SETTLE = 0.25  # seconds that labctl looks on for what the line causes at its own node


@dataclass(frozen=True)
class Sent:
    """A line that a node has taken. `confirmed` is False for an image that keeps no journal; `events` followed."""

    node: str
    text: str
    id: str | None
    confirmed: bool
    events: tuple[Event, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As `labctl send --json` has it."""
        from labctl.events.codec import encode

        events = [encode(event) for event in self.events]
        return {"node": self.node, "text": self.text, "id": self.id, "taken": self.confirmed, "events": events}


def send(engine: Engine, lab: Lab, name: str, text: str, *, timeout: float = 5.0) -> Sent:
    """Types `text` at a node and returns when its journal shows that it took the line.

    At somebody's own image the line is typed as a person would, and nothing can confirm it. Raises LabError.
    """
    node = lab.running(name, "nothing can be typed at it")
    if node.role is None:
        type_plain(engine, node, text, timeout)
        return Sent(name, text, None, confirmed=False)
    followed: list[Event] = []
    with Typed(engine, lab, node, text, timeout=timeout) as typed:
        for event in typed.events(within=min(SETTLE, timeout)):
            if event.node == name and event.id == typed.id and event.name != "input":
                followed.append(event)
                if event.name in outcomes():
                    break
        return Sent(name, text, typed.id, confirmed=True, events=tuple(followed))


def type_plain(engine: Engine, node: Node, text: str, timeout: float) -> None:
    """Types a line as a person would, at a node that keeps no contract; returns once the engine has all of it.

    Raises LabError `not-taken`, `maybe-taken`, `node-stopped`.
    """
    if "\n" in text:
        raise LabError("newline-in-line")
    need_keyboard(engine, node)
    stream = engine.attach(node.container.id, keyboard=True)
    try:
        line = text.encode() + b"\n"
        stream.write(line)
        deadline = time.monotonic() + timeout
        while stream.unwritten and time.monotonic() < deadline:
            for happening in engine.wait([stream], min(deadline, time.monotonic() + 0.05)):
                if happening.line is None:
                    begun = stream.unwritten < len(line)
                    raise LabError("node-stopped", node=node.name, may_go_out=begun)
                if not stream.unwritten:
                    break
        if stream.unwritten:
            # A program that reads no lines may make something of a part of one.
            begun = stream.unwritten < len(line)
            code = "maybe-taken" if begun else "not-taken"
            raise LabError(code, node=node.name, seconds=timeout, may_go_out=begun)
    finally:
        stream.close()
