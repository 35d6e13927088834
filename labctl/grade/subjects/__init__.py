"""The kinds of programs that can be graded: one file each, whose SUBJECT is its table of checks."""

from __future__ import annotations

import importlib

from labctl.grade.model import Subject

NAMES = ("echo", "udp", "http", "chat")
SUBJECTS: dict[str, Subject] = {
    name: importlib.import_module(f"labctl.grade.subjects.{name}").SUBJECT for name in NAMES
}
