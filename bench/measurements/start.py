"""`labctl --help` beside a Python that does nothing: what importing costs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.commands import labctl, run
from bench.model import Result, Setting, Target


def measure(setting: Setting) -> Iterator[Result]:
    ours, theirs = setting.alternate(
        "help, ms",
        lambda: run([labctl(), "--help"], 30).seconds * 1000,
        lambda: run([sys.executable, "-c", "pass"], 30).seconds * 1000,
        runs=setting.runs * 3,  # short, so more of them
    )
    yield Result("help", "labctl --help", "ms", ours, theirs, "python -c pass", Target(6.0))
