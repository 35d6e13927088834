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
    told = _Told(lab)
    if follow:
        events = journal.follow(engine, lab, nodes, since=since, deadline=deadline, ready=ready)
    else:
        events = iter(journal.read(engine, lab, nodes, since=since))
    for event in events:
        found = told.said(event)
        if found:
            yield found


class _Told:
    """Each conversation's beginning and end are told once, although both of its sides write them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        # As the side that told it has the two ends.
        self._open: set[tuple[Any, Any]] = set()
        self._ended: set[tuple[Any, Any]] = set()

    def said(self, event: Event) -> Said | None:
        if event.name == "message" and event.get("text") is not None:
            return Said(event.ts, "message", _who(self._lab, event), event.node, text=str(event.get("text")))
        if event.name == "missing":
            return Said(event.ts, "missing", event.node, event.node, reason=str(event.get("reason")))
        if event.name != "session" or not self._is_news(event):
            return None
        if event.get("state") == "open":
            return Said(event.ts, "open", _who(self._lab, event), event.node)
        source = event.node if event.get("by") == "local" else _who(self._lab, event)
        return Said(event.ts, "ended", source, event.node, reason=str(event.get("reason") or ""))

    def _is_news(self, event: Event) -> bool:
        """Whether the other side hasn't told it, or isn't the one that tells it."""
        ends, theirs = (event.local, event.peer), (event.peer, event.local)
        if theirs in self._open:
            return False
        if event.get("state") == "open":
            self._open.add(ends)
            self._ended.discard(ends)
            return True
        if theirs in self._ended:
            self._ended.discard(theirs)
            return False
        self._open.discard(ends)
        self._ended.add(ends)
        return True


def _who(lab: Lab, event: Event) -> str:
    if event.peer is None:
        return "?"
    owner = lab.partner(event.peer[0], CHAT.word)
    return owner.name if owner else event.peer[0]
