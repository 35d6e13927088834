"""What a command that follows says when it has begun: what happens from then on isn't missed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from labctl.cli import output
from labctl.errors import LabError

ReadyFd = Annotated[
    int | None,
    typer.Option("--ready-fd", metavar="N", min=0, help="Write a line of JSON to this descriptor once it has begun."),
]


class Ready:
    """Says it once: on stderr to people, and as JSON on a descriptor that a script gave, which is then closed."""

    def __init__(self, fd: int | None, *, follows: bool = True) -> None:
        """`follows`: there is something that begins. Raises LabError `bad-option`."""
        self._fd, self._said = fd, False
        if fd is None:
            return
        if not follows:
            raise typer.BadParameter("--ready-fd goes with a command that goes on, such as --follow")
        try:
            os.fstat(fd)
        except OSError:
            raise LabError("bad-option", option="--ready-fd", why=f"{fd} is no open file descriptor") from None

    def say(self, nodes: Sequence[str], text: str = "") -> None:
        if self._said:
            return
        self._said = True
        if text:
            output.talk(text)
        if self._fd is not None:
            self._write({"event": "ready", "nodes": list(nodes)})

    def _write(self, event: dict[str, Any]) -> None:
        assert self._fd is not None
        try:
            os.write(self._fd, json.dumps(event).encode() + b"\n")
            if self._fd > 2:
                os.close(self._fd)
        except OSError as problem:
            if problem.errno != errno.EPIPE:  # else whoever wanted to know has gone
                why = f"{self._fd} can't be written to: {problem.strerror}"
                raise LabError("bad-option", option="--ready-fd", why=why) from None
