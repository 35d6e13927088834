"""The version of Compose's program, which is asked once: to run it for that takes 20 ms of each `up`.

It is kept in this user's own folder (labctl/private.py), with what the program was: another one is asked anew.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from labctl import private

_MOST = 4096  # bytes


def version(program: str) -> str | None:
    """None where it isn't known of this program as it is now."""
    with contextlib.suppress(OSError, ValueError):
        folder = private.own()
        private.refuse_folder(folder)
        with _opened(folder / private.COMPOSE) as file:
            known, _, found = os.pread(file.fileno(), _MOST, 0).decode().partition("\n")
        if known == _what(program):
            return found or None
    return None


def keep(program: str, version: str) -> None:
    """Where it can't be kept it is asked again."""
    with contextlib.suppress(OSError):
        folder = private.own()
        private.make_folder(folder)
        text = f"{_what(program)}\n{version}".encode()
        with _opened(folder / private.COMPOSE) as file:
            # Who reads it between the two finds another program's, or none.
            os.ftruncate(file.fileno(), 0)
            os.pwrite(file.fileno(), text, 0)


def _opened(path: Path) -> BinaryIO:
    return os.fdopen(private.open_file(path), "r+b", buffering=0)


def _what(program: str) -> str:
    """A program, by what changes with it. Raises OSError."""
    found = os.stat(program)
    return f"{program!r} {found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
