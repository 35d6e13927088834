"""Echo round trips a second: echo-server, which also keeps a journal, beside asyncio streams, which don't."""

from __future__ import annotations

from collections.abc import Iterator

from bench import load
from bench.model import Result, Setting


def measure(setting: Setting) -> Iterator[Result]:
    yield from load.measure(setting, "echo", "echo", 7, "echo round trips a second")
