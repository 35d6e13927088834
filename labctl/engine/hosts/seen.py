"""Which ways between machines were seen to be open, and when: a file beside the list of machines.

It spares looking again for a while, and nothing else: without it, or where it can't be read, they are looked at.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Iterable
from itertools import combinations
from pathlib import Path

from labctl.engine.hosts import inventory

HOLDS = 3600.0  # seconds that what was seen is taken for true
VERSION = 1


def file() -> Path:
    """Where it is, or would be."""
    return inventory.file().with_name("ports.json")


def all_open(ends: Collection[str]) -> bool:
    """Whether all ways between some machines were seen to be open a while ago. An end is a machine's id in its swarm
    with its address there."""
    known, now = _load(), time.time()
    return all(0 <= now - known.get(pair, 0.0) < HOLDS for pair in _pairs(ends))


def note(ends: Collection[str]) -> None:
    """That all ways between some machines are open now. What can't be written isn't known the next time."""
    now = time.time()
    known = {pair: when for pair, when in _load().items() if 0 <= now - when < HOLDS}
    _write({**known, **dict.fromkeys(_pairs(ends), now)})


def forget() -> None:
    """That ways between machines may have changed."""
    with contextlib.suppress(OSError):
        file().unlink(missing_ok=True)


def _pairs(ends: Iterable[str]) -> list[str]:
    return [" ".join(pair) for pair in combinations(sorted(ends), 2)]


def _load() -> dict[str, float]:
    try:
        found = json.loads(file().read_text(encoding="utf-8"))
        return {str(pair): float(when) for pair, when in found["open"].items()} if found["version"] == VERSION else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _write(known: dict[str, float]) -> None:
    """Whole, or not at all; of two at once the later one's stays."""
    place = file()
    new = place.with_name(f"{place.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        new.write_text(json.dumps({"version": VERSION, "open": known}, indent=2) + "\n", encoding="utf-8")
        new.replace(place)
