"""Writes docs/claims.md: each claim of the text that labctl grew out of, the lesson that shows it and how to see it;
and where each of the twenty socket functions is used. `python -m labctl.lesson.claims > docs/claims.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from labctl.lesson import finding
from labctl.lesson.written.model import Lesson
from labctl.lesson.written.reading import FUNCTIONS

HEAD = """# Claims, and where each can be seen

labctl grew out of a beginners' text on TCP/IP, UDP and Python's sockets. Each of its claims is shown by a lesson, on
real hosts, and judged by what was on the wire: `labctl lesson run NAME` plays it ([lessons.md](lessons.md)). The
commands are those with which the lesson makes it visible; they can be typed in any lab, with hosts of that lab in place
of the lesson's.

This page is written from the lessons themselves (`python -m labctl.lesson.claims`).
"""


def page() -> str:
    lessons = finding.every()
    lines = [HEAD, "| claim | lesson | seen by |", "| --- | --- | --- |"]
    lines += [
        f"| {claim} | [{lesson.name}](../lessons/{lesson.name}/en.md) | {_seen_by(lesson)} |"
        for lesson in lessons
        for claim in lesson.claims
    ]
    lines += ["", "## The twenty functions of a socket", "", "| function | lessons |", "| --- | --- |"]
    for function in FUNCTIONS:
        names = [
            f"[{lesson.name}](../lessons/{lesson.name}/en.md)" for lesson in lessons if function in lesson.functions
        ]
        lines.append(f"| `{function}` | {', '.join(names)} |")
    return "\n".join(lines)


def _seen_by(lesson: Lesson) -> str:
    """The commands that draw what its steps show, each once."""
    found: dict[str, None] = {}
    for step in lesson.steps:
        for one in step.show:
            commands = {
                "journal": [f"labctl logs {' '.join(one.names)}"],
                "calls": [f"labctl syscalls {name}" for name in one.names],  # which takes one node
                "sockets": [f"labctl sockets {' '.join(one.names)}"],
                "packet": ["labctl packet last"],
                "bytes": ["labctl packet last"],
                "values": [],
            }.get(one.kind, [f"labctl {one.kind} {' '.join(one.names[:2])}"])
            found.update((f"`{command}`", None) for command in commands)
    return ", ".join(list(found)[:3])


def called_in(lesson: Lesson) -> set[str]:
    """The socket functions that the lesson's own programs call, or those of the beginner's programs that it plays."""
    files: Iterator[Path] = lesson.folder.glob("*.py")
    if lesson.topology == "tutorial":
        files = (finding.folder().parent / "services" / "tutorial").glob("*.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return {name for name in FUNCTIONS if re.search(rf"\.{name}\(", text)}


if __name__ == "__main__":
    print(page())
