"""The engine and the lab that a command is about, and the text that it was given."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from labctl.errors import LabError

if TYPE_CHECKING:  # `labctl --help` needs none of it, and importing it takes as long as all the rest
    from labctl.engine.docker import DockerEngine
    from labctl.lab.model import Lab

STDIN_LIMIT = 2 * 1024 * 1024  # bytes


def engine_and_lab(name: str | None) -> tuple[DockerEngine, Lab]:
    from labctl.engine.docker import DockerEngine
    from labctl.lab.model import find

    engine = DockerEngine()
    return engine, find(engine, name)


def prepare_probe(engine: DockerEngine) -> None:
    """The image of the helper containers is there, and built from the sources that are there now. Raises LabError."""
    from labctl.cli.output import Progress
    from labctl.lab.images import ensure_probe

    with Progress("preparing") as report:
        ensure_probe(engine, report, 600)


def text_of(argument: str) -> str:
    """The text of an argument; `-` reads it from standard input, whose last newline is not part of it."""
    if argument == "-":
        data = sys.stdin.buffer.read(STDIN_LIMIT + 1)
        if len(data) > STDIN_LIMIT:
            raise LabError("text-too-long", size=f"over {STDIN_LIMIT}", what="a typed line", limit=STDIN_LIMIT)
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    else:
        # What the shell gave us that was no text in the locale's encoding came as lone surrogates (PEP 383).
        data = os.fsencode(argument)
    from labctl.lab.keyboard import decoded

    text = decoded(data, "the text")
    if "\n" in text:
        raise LabError("newline-in-line")
    return text


def span(option: str, text: str) -> float:
    """What an option says of a time, such as 30s, in seconds. Raises LabError `bad-condition`."""
    from labctl.faults import conditions

    try:
        return conditions.span(option, text)
    except conditions.Malformed as problem:
        raise LabError("bad-condition", why=problem, mend=problem.hint) from None
