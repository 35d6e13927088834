"""The labels that a Dockerfile gives an image. Text to data; no I/O."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

_FROM = re.compile(r"(?:--\S+\s+)*(?P<base>\S+)(?:\s+as\s+(?P<name>\S+))?", re.I)


def labels(text: str, target: str | None = None) -> dict[str, str]:
    """The labels of a stage (the last one, where no target is named) and of the stages that it is built on.

    A value that depends on a variable is left out: what it will be is the build's business.
    """
    stages: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for word, rest in _instructions(text):
        if word == "FROM" and (found := _FROM.fullmatch(rest)):
            current = dict(stages.get(found["base"].lower(), {}))
            stages[(found["name"] or str(len(stages))).lower()] = current
        elif word == "LABEL":
            current.update(_pairs(rest))
    return stages.get(target.lower(), {}) if target else current


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        yield word.upper(), rest.strip()


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    try:
        words = shlex.split(text)
    except ValueError:
        return
    for word in words:
        key, equals, value = word.partition("=")
        if equals and "$" not in value:
            yield key, value
