"""Web requests a second: http-hello, which parses and keeps a journal, beside a fixed answer by asyncio streams."""

from __future__ import annotations

from collections.abc import Iterator

from bench import load
from bench.model import Result, Setting


def measure(setting: Setting) -> Iterator[Result]:
    yield from load.measure(setting, "web", "web", 8080, "web requests a second", {"mem_limit": "128m"})
