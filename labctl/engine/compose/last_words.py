"""What Compose's output says of how it failed: the reason, the step of a build, the signal that ended it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from labctl import signals

STEP_LINES = 20  # of a build's step, at most
_REASON = re.compile(r"error|failed|invalid|denied|already|cannot|undefined|no such", re.I)
_PROGRESS = re.compile(r"(?:Network|Volume|Container|Image) \S+ +[A-Z][a-z]+(?: [\d.]+s)?")
_RULE = "------"  # what BuildKit puts around the output of the step that failed
_STEP = re.compile(r"Step \d+/\d+ : ")  # how the builder before BuildKit begins one
_PLUGIN_KILLED = 255  # what `docker` ends with where a signal has ended its plugin, which is Compose
_INTERRUPTED = 130


def reason(text: str) -> str:
    """The line that says why: the error without the progress before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if "level=warning" not in line and not _PROGRESS.fullmatch(line)]
    errors = [line for line in lines if _REASON.search(line)]
    return (errors or lines or ["it gave no reason"])[-1]


def killed_by(status: int, text: str) -> str | None:
    """The signal that ended Compose, by its name where that is known; None where it ended by itself."""
    if status < 0:
        return signals.name_of(-status)
    said = reason(text)
    if status == _PLUGIN_KILLED and not _REASON.search(said):
        return "a signal"
    return "SIGINT or SIGTERM" if status == _INTERRUPTED and said == "canceled" else None


def failed_step(lines: Sequence[str]) -> list[str]:
    """The step of a build that failed, and the last lines that it printed; where there is none, the last lines."""
    rules = [at for at, line in enumerate(lines) if line == _RULE]
    if len(rules) >= 2:
        head, *rest = lines[rules[-2] + 1 : rules[-1]] or [""]
        return [head, *rest[-STEP_LINES:]]
    steps = [at for at, line in enumerate(lines) if _STEP.match(line)]
    if steps:
        head, *rest = lines[steps[-1] :]
        return [head, *rest[-STEP_LINES:]]
    return list(lines[-STEP_LINES:])
