"""`labctl --help` beside a Python that does nothing, and the plugin that pytest loads: what importing costs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.commands import labctl, run
from bench.model import Result, Setting, Target

# What pytest does with it in each run, also in one of tests that want no lab.
PLUGIN = """
import time, pytest
begun = time.process_time()
import labctl.testing.plugin, labctl.testing.labs
print(time.process_time() - begun)
"""


def measure(setting: Setting) -> Iterator[Result]:
    ours, theirs = setting.alternate(
        "help, ms",
        lambda: run([labctl(), "--help"], 30).seconds * 1000,
        lambda: run([sys.executable, "-c", "pass"], 30).seconds * 1000,
        runs=setting.runs * 3,  # short, so more of them
    )
    [loads] = setting.alternate("plugin, ms of a core", _plugin, runs=setting.runs * 3)
    yield Result("plugin", "the plugin loaded by pytest", "ms", loads, (), "", Target(10.0, absolute=True))
    yield Result("help", "labctl --help", "ms", ours, theirs, "python -c pass", Target(6.0))


def _plugin() -> float:
    return float(run([sys.executable, "-c", PLUGIN], 30).out) * 1000
