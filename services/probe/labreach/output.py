"""What is printed: one JSON object a line, as soon as it is known."""

from __future__ import annotations

import json


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class Refused(Exception):
    """What was asked for can't be done: the name of an error (`ENETUNREACH`, `EAI_NONAME`), and why in words."""

    def __init__(self, error: str, reason: str) -> None:
        super().__init__(reason)
        self.error, self.reason = error, reason
