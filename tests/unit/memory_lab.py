"""Labs on the in-memory engine: a chat pair, an echo client, UDP peers, as their programs would behave."""

from __future__ import annotations

import json
import time
from typing import Any

from labctl.engine.memory import MemoryContainer, MemoryEngine

ALICE, BOB = ("10.77.0.5", 12345), ("10.77.0.6", 41786)


def stamp() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"


def event(container: MemoryContainer, name: str, **fields: Any) -> None:
    """Prints one event, as a node does."""
    container.print(json.dumps({"ts": stamp(), "node": "whoever", "event": name, **fields}))


def opened(line: bytes) -> dict[str, Any]:
    """What labctl put into the envelope of a typed line."""
    assert line[:1] == b"\x1e"
    found: dict[str, Any] = json.loads(line[1:])
    return found


class Chat:
    """alice and bob in one conversation; a test breaks what it wants to see broken."""

    def __init__(self, engine: MemoryEngine, roles: tuple[str, str] = ("chat", "chat")) -> None:
        self.engine = engine
        self.offset = 0
        self.arrives = True
        self.before: list[dict[str, Any]] = []  # events that bob's journal shows before the message
        self.alice = engine.add("lab", "alice", role=roles[0], addresses={"lab_net": (ALICE[0],)}, program=self.typed)
        self.bob = engine.add("lab", "bob", role=roles[1], addresses={"lab_net": (BOB[0],)}, program=self.typed)

    def typed(self, node: MemoryContainer, line: bytes) -> None:
        typed = opened(line)
        size = len(typed["text"].encode()) + 1
        event(node, "input", id=typed["id"], bytes=size - 1, text=typed["text"])
        ends = {"proto": "tcp", "offset": self.offset, "bytes": size}
        event(node, "send", local=ALICE, peer=BOB, id=typed["id"], text=typed["text"], **ends)
        self.offset += size
        for other in self.before:
            event(self.bob, **other)
        if self.arrives:
            event(self.bob, "message", local=BOB, peer=ALICE, text=typed["text"], **ends)
