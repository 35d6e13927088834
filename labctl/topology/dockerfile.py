"""What a Dockerfile gives an image: labels, what it runs, as whom. Text to data; no I/O."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

_FROM = re.compile(r"(?:--\S+\s+)*(?P<base>\S+)(?:\s+as\s+(?P<name>\S+))?", re.I)


@dataclass
class Stage:
    """What its instructions say; empty where they say nothing. `user` is a name or a number, with a group or without.
    A label's value that depends on a variable is left out: what it will be is the build's business."""

    labels: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""


def stage(text: str, target: str | None = None) -> Stage:
    """A stage (the last one, where no target is named), with what it has of the stages that it is built on."""
    stages: dict[str, Stage] = {}
    current, said = Stage(), False  # whether the stage has a command of its own
    for word, rest in _instructions(text):
        if word == "FROM" and (found := _FROM.fullmatch(rest)):
            base = stages.get(found["base"].lower(), Stage())
            current = stages[(found["name"] or str(len(stages))).lower()] = replace(base, labels=dict(base.labels))
            said = False
        elif word == "LABEL":
            current.labels.update(_pairs(rest))
        elif word == "ENTRYPOINT":
            current.entrypoint, current.command = _command(rest), current.command if said else ()
        elif word == "CMD":
            current.command, said = _command(rest), True
        elif word == "USER":
            current.user = rest
    return stages.get(target.lower(), Stage()) if target else current


def labels(text: str, target: str | None = None) -> dict[str, str]:
    """A stage's labels."""
    return stage(text, target).labels


def _command(text: str) -> tuple[str, ...]:
    """A list of words is run as it is, anything else by a shell."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and all(isinstance(word, str) for word in found):
        return tuple(found)
    return ("/bin/sh", "-c", text) if text else ()


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
