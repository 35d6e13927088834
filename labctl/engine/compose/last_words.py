"""What Compose's output says of how it failed: the reason, the step of a build, the signal that ended it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from labctl import signals

STEP_LINES = 20  # of a build's step, at most
# Compiled where one is needed, which `re` keeps: few commands need any.
_REASON = r"(?i)error|failed|invalid|denied|already|cannot|undefined|no such"
_PROGRESS = r"(?:Network|Volume|Container|Image) \S+ +[A-Z][a-z]+(?: [\d.]+s)?"
_RULE = "------"  # what BuildKit puts around the output of the step that failed
_STEP = r"Step \d+/\d+ : "  # how the builder before BuildKit begins one
_PLUGIN_KILLED = 255  # what `docker` ends with where a signal has ended its plugin, which is Compose
_INTERRUPTED = 130


def reason(text: str) -> str:
    """The line that says why: the error without the progress before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if "level=warning" not in line and not re.fullmatch(_PROGRESS, line)]
    errors = [line for line in lines if re.search(_REASON, line)]
    return (errors or lines or ["it gave no reason"])[-1]


def killed_by(status: int, text: str) -> str | None:
    """The signal that ended Compose, by its name where that is known; None where it ended by itself."""
    if status < 0:
        return signals.name_of(-status)
    said = reason(text)
    if status == _PLUGIN_KILLED and not re.search(_REASON, said):
        return "a signal"
    return "SIGINT or SIGTERM" if status == _INTERRUPTED and said == "canceled" else None


def failed_step(lines: Sequence[str]) -> list[str]:
    """The step of a build that failed, and the last lines that it printed; where there is none, the last lines."""
    rules = [at for at, line in enumerate(lines) if line == _RULE]
    if len(rules) >= 2:
        head, *rest = lines[rules[-2] + 1 : rules[-1]] or [""]
        return [head, *rest[-STEP_LINES:]]
    steps = [at for at, line in enumerate(lines) if re.match(_STEP, line)]
    if steps:
        head, *rest = lines[steps[-1] :]
        return [head, *rest[-STEP_LINES:]]
    return list(lines[-STEP_LINES:])
