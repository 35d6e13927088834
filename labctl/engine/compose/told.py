"""What Compose has told that it will tell again: a file of this user's, $XDG_CACHE_HOME/labctl/compose.json (~/.cache
by default; XDG Base Directory Specification).

To ask takes a twentieth of a second of a core, while the engine needs both. An answer counts for as long as the program
is the same file, written at the same time. Without the file, or where it can't be read, Compose is asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from labctl.engine.compose import plugin
from labctl.sha import sha256

VERSION = "version"  # a question
FORMAT = 1
MOST = 16  # answers; the oldest go
LONGEST = 1 << 14  # characters of one: every `up` reads the file
_ELSEWHERE = re.compile(r"env_file|label_file|include|extends")  # what is in other files, too


def about(
    options: Iterable[str], files: Iterable[Path], text: str | None, reading: str, variables: Mapping[str, str]
) -> str | None:
    """A question about files, or a text in their place, of which Compose has just made a `reading`: a digest of all
    that the answer depends on. None where that is more than can be seen here."""
    try:
        written = [file.read_text(errors="surrogateescape") for file in files] if text is None else [text]
    except OSError:
        return None
    if any(_ELSEWHERE.search(one) for one in written):
        return None
    parts = (*options, "", *written, "", reading, "", *(f"{name}={value}" for name, value in sorted(variables.items())))
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def answer(question: str) -> str | None:
    """What was told the last time; None where that isn't known, or was told by another program."""
    return _load(_state()).get(question)


def note(question: str, told: str) -> None:
    """What can't be written isn't known the next time; of two who write at once the later one's stays."""
    state = _state()
    known = {**_load(state), question: told}
    if state is None or len(told) > LONGEST:
        return
    with contextlib.suppress(OSError):
        place = _file()
        _make_folder(os.path.dirname(place))
        new = f"{place}.{os.getpid()}"
        content = {"format": FORMAT, "program": state, "answers": dict(list(known.items())[-MOST:])}
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
            json.dump(content, file, indent=1)
        os.replace(new, place)  # whole, or not at all


def _load(state: list[int | str] | None) -> dict[str, str]:
    if state is None:
        return {}
    try:
        with open(_file(), encoding="utf-8") as file:
            found = json.load(file)
        if found["format"] != FORMAT or found["program"] != state:
            return {}
        return {str(question): str(told) for question, told in found["answers"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _state() -> list[int | str] | None:
    """Which program Compose is; None where Docker's client chooses it."""
    program = plugin.find()
    try:
        found = os.stat(program or "")
    except OSError:
        return None
    return [program or "", found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _file() -> str:
    """Raises FileNotFoundError where nothing says whose home this is."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(chosen):  # the specification has it ignored
        home = os.environ.get("HOME", "")
        if not os.path.isabs(home):
            raise FileNotFoundError
        chosen = os.path.join(home, ".cache")
    return os.path.join(chosen, "labctl", "compose.json")


def _make_folder(folder: str) -> None:
    """Raises OSError. Nothing is made in another user's home (after `sudo`), who couldn't remove it."""
    there = folder
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    if os.stat(there).st_uid != os.geteuid():
        raise PermissionError
    os.makedirs(folder, mode=0o700, exist_ok=True)
