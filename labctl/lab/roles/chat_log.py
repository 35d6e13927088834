"""The chat as its journal tells it: who said what to whom, and when conversations began and ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.events.model import Event
from labctl.lab import journal
from labctl.lab.model import Lab
from labctl.lab.roles.chat import CHAT


@dataclass(frozen=True)
class Said:
    """`kind` is `message` (with `text`), `open`, `ended` (with `reason`), or `missing`: something is gone of what
    `source` heard."""

    ts: str
    kind: str
    source: str
    target: str
    text: str = ""
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """As `labctl chat log --json` has it."""
        out = {"ts": self.ts, "kind": self.kind, "from": self.source, "to": self.target}
        if self.kind == "message":
            out["text"] = self.text
        if self.reason:
            out["reason"] = self.reason
        return out


def lines(
    engine: Engine,
    lab: Lab,
    *,
    follow: bool = False,
    since: str | None = None,
    deadline: float | None = None,
    ready: Callable[[], object] = lambda: None,
) -> Iterator[Said]:
    """What was said, as it arrived; `since`, `deadline` and `ready` are as in `journal.follow`. A conversation is told
    once, by the side that was called. Raises LabError."""
    nodes = [node.name for node in lab.nodes if node.role == CHAT.word]
    if not nodes:
        raise LabError(
            "wrong-role", node=lab.name, actual="a lab", command="chat log", wanted="a chat node", fitting="it has none"
        )
    open_at: dict[tuple[Any, Any], str] = {}
    if follow:
        events = journal.follow(engine, lab, nodes, since=since, deadline=deadline, ready=ready)
    else:
        events = iter(journal.read(engine, lab, nodes, since=since))
    for event in events:
        found = _said(lab, event, open_at)
        if found:
            yield found


def _said(lab: Lab, event: Event, open_at: dict[tuple[Any, Any], str]) -> Said | None:
    if event.name == "message" and event.get("text") is not None:
        return Said(event.ts, "message", _who(lab, event), event.node, text=str(event.get("text")))
    if event.name == "missing":
        return Said(event.ts, "missing", event.node, event.node, reason=str(event.get("reason")))
    if event.name != "session":
        return None
    state, ends = str(event.get("state")), (event.local, event.peer)
    if state == "open":
        if (event.peer, event.local) in open_at:
            return None  # the other side has told it already
        open_at[ends] = event.node
        return Said(event.ts, "open", _who(lab, event), event.node)
    if open_at.pop(ends, None) is None and (event.peer, event.local) in open_at:
        return None  # told by the side that told its beginning
    source = event.node if event.get("by") == "local" else _who(lab, event)
    return Said(event.ts, "ended", source, event.node, reason=str(event.get("reason") or ""))


def _who(lab: Lab, event: Event) -> str:
    if event.peer is None:
        return "?"
    owner = lab.partner(event.peer[0], CHAT.word)
    return owner.name if owner else event.peer[0]
