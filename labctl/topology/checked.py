"""What was found right stays so: of files in which labctl's checks have found nothing, what Compose makes of them is
kept as JSON (labctl.kept). To read their YAML and check it again takes a fifth of the time before the engine has work.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import labctl
from labctl import kept
from labctl.sha import sha256

# What decides whether files are right: another labctl may know better.
_CHECKS = ("topology", "faults", "lab/validate.py")


def configuration(asks: str) -> dict[str, Any] | None:
    """What Compose made of files the last time; None where that isn't known, or they may not be right any more. `asks`
    is a digest of all that Compose goes by, or empty."""
    if not asks:
        return None
    try:
        found = json.loads(kept.answer(_question(asks)) or "null")
        right = isinstance(found, dict) and not any(is_missing(source) for source in _mounted(found))
    except (ValueError, LookupError, TypeError, AttributeError):  # no JSON, or of another shape: it is no file of ours
        return None
    return found if right else None


def note(asks: str, config: Mapping[str, Any]) -> None:
    """That nothing was found in files of which Compose makes that. What JSON can't hold is not kept."""
    try:
        text = json.dumps(config, allow_nan=False)
    except (TypeError, ValueError):
        return
    if asks and json.loads(text) == config:  # else a key was no text
        kept.note(_question(asks), text)


def is_missing(file: str) -> bool:
    """Whether what is to be mounted is not there. Not so where a folder on the way is closed to us: the engine may
    enter it."""
    try:
        os.lstat(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return True
    except OSError:
        pass
    return False


def _mounted(config: Mapping[str, Any]) -> Iterator[str]:
    for service in config["services"].values():
        for mount in service.get("volumes") or ():
            if mount.get("type") == "bind":
                yield mount["source"]


def _question(asks: str) -> str:
    return sha256("\0".join([asks, *_state()]).encode()).hexdigest()


def _state() -> Iterator[str]:
    yield labctl.__version__
    package = Path(labctl.__file__).parent
    for name in _CHECKS:
        yield from _files(os.path.join(package, name))


def _files(path: str) -> Iterator[str]:
    """The modules there, and which state they have."""
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            if name.endswith(".py") or "." not in name:
                yield from _files(os.path.join(path, name))
    elif path.endswith(".py"):
        found = os.stat(path)
        yield f"{path} {found.st_size} {found.st_mtime_ns}"
