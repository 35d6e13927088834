"""What the log of a node's present run says of its being ready, also where the log has lost its beginning."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from labctl.engine.at_once import at_once
from labctl.engine.model import LABEL_PROGRAM, Details, Engine, Line, Stream
from labctl.errors import LabError
from labctl.events.codec import decode, normalise
from labctl.lab.model import Node
from labctl.lab.written import BEGINNINGS, NEARLY, weight
from labctl.named import NamedTuple

AT_ONCE = 4  # nodes that are asked about: by ssh each takes a connection, and a server lets few in at a time


class Run:
    """Takes the lines of a log, oldest first, from when the run before this one ended (`since`) on."""

    def __init__(self, node: Node, details: Details) -> None:
        self.since = since(details)
        self._ours = LABEL_PROGRAM in node.container.labels
        size, files = details.log or (0, 0)
        self._full = NEARLY * size * (files - 1) if size else None  # bytes; a log with as many may have lost some
        self._weight = 0
        self._begun = False  # an event of this run was seen

    def is_ready(self, line: Line) -> bool:
        """Whether by this line the node has said that it is ready, or can have said so in what the log has lost."""
        event = decode(line.text, node="")
        # By one clock: that of the engine. Events go by the node's own word.
        if (normalise(line.stamp) or event.ts) <= (self.since or ""):
            return False
        if event.name == "ready" or self._full is None:
            return event.name == "ready"
        if self._ours and not self._begun and event.name != "log":  # a traceback, say, is no word of its program's
            if event.name not in BEGINNINGS:
                return True
            self._begun = True
        self._weight += weight(line)
        return 0 < self._full <= self._weight


class Look(NamedTuple):
    """What the engine says of nodes, and the logs of their present runs from where these begin; why one of both isn't
    there. All by container."""

    details: dict[str, Details]
    logs: dict[str, Stream]
    problems: dict[str, LabError]

    def close(self) -> None:
        for stream in self.logs.values():
            stream.close()


def look_at(engine: Engine, nodes: Iterable[Node], heard: Iterable[Node], *, follow: bool) -> Look:
    """Asks about some nodes, several at once, and for the logs of those of them that are `heard`; who asks closes the
    look."""
    found, listened = Look({}, {}, {}), {node.container.id for node in heard}

    def look(ident: str) -> None:
        try:
            details = found.details[ident] = engine.details(ident)
            if ident in listened:
                found.logs[ident] = engine.logs(ident, follow=follow, since=since(details))
        except LabError as problem:
            found.problems[ident] = problem

    try:
        at_once([partial(look, node.container.id) for node in nodes], AT_ONCE, patience=0)
    except BaseException:
        found.close()
        raise
    return found


def since(details: Details) -> str | None:
    """When the run before the present one ended; None where it is the first."""
    return normalise(details.finished) or None
