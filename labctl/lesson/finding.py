"""Where lessons lie: the built-in ones, and somebody's own files."""

from __future__ import annotations

import os
from pathlib import Path

from labctl.errors import LabError, brief, nearest
from labctl.lesson.written import reading
from labctl.lesson.written.model import LANGUAGES, Lesson
from labctl.topology.shipped import root

# In the order of the text that they follow; others come after them by name.
ORDER = (
    "layers", "addresses", "ip", "tcp", "udp", "udp-or-tcp", "families", "listen", "connect", "send", "recv",
    "datagrams", "close", "names", "options", "blocking", "makefile", "http", "client", "chat",
)  # fmt: skip


def folder() -> Path:
    return root() / "lessons"


def names() -> tuple[str, ...]:
    found = {path.parent.name for path in folder().glob("*/en.md")}
    return tuple([name for name in ORDER if name in found] + sorted(found - set(ORDER)))


def find(name: str, *, parity: bool = False) -> Lesson:
    """A built-in lesson by its name, or the lesson of a folder or a file; with `parity` all languages must be there and
    say the same. Raises LabError `lesson-missing`, `lesson-invalid`."""
    if name in names():
        return reading.read(folder() / name, parity=parity)
    path = Path(name)
    if os.path.isfile(path / "en.md"):  # pathlib's own raise where a name is too long for any file
        return reading.read(path, parity=parity)
    if os.path.isfile(path) and path.stem in LANGUAGES and os.path.isfile(path.parent / "en.md"):
        return reading.read(path.parent, parity=parity)
    if os.path.isfile(path):
        return reading.file_alone(path)
    raise LabError("lesson-missing", name=brief(name), near=nearest(name, names()), known=", ".join(names()))


def every() -> list[Lesson]:
    """All built-in ones, in their order. Raises LabError `lesson-invalid`."""
    return [find(name) for name in names()]
