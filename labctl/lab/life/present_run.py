"""What the log of a node's present run says of its being ready, also where the log has lost its beginning."""

from __future__ import annotations

from labctl.engine.model import LABEL_PROGRAM, Details, Line
from labctl.events.codec import decode, normalise
from labctl.lab.model import Node
from labctl.lab.written import BEGINNINGS, NEARLY, weight


class Run:
    """Takes the lines of a log, oldest first, from when the run before this one ended (`since`) on."""

    def __init__(self, node: Node, details: Details) -> None:
        self.since = normalise(details.finished) or None
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
