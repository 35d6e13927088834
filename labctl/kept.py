"""What labctl need not find out a second time: files of this user's, in $XDG_CACHE_HOME/labctl/compose (~/.cache by
default; XDG Base Directory Specification). Whoever asks makes of all that an answer depends on a digest: that is the
file's name.
"""

from __future__ import annotations

import contextlib
import os
from threading import get_ident

MOST = 256  # answers; the oldest go
LONGEST = 1 << 18  # bytes of one


def answer(question: str | None) -> str | None:
    """What was told the last time; None where that isn't known."""
    if question is None:
        return None
    try:
        with open(os.path.join(_folder(), question), "rb") as file:
            return file.read(LONGEST).decode()
    except (OSError, UnicodeDecodeError):
        return None


def note(question: str | None, told: str) -> None:
    """What can't be written isn't known the next time; of two who write at once the later one's stays."""
    content = told.encode("utf-8", "surrogateescape")
    if question is None or len(content) >= LONGEST:
        return
    with contextlib.suppress(OSError):
        folder = _folder()
        _make(folder)
        _drop_oldest(folder)
        new = os.path.join(folder, f"new.{os.getpid()}.{get_ident()}")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(content)
        os.replace(new, os.path.join(folder, question))  # whole, or not at all


def folder() -> str | None:
    """Where answers are, or None where there are none."""
    with contextlib.suppress(OSError):
        return found if os.path.isdir(found := _folder()) else None
    return None


def forget_all() -> None:
    """Removes them, with the folders that hold nothing else. Raises OSError."""
    place = _folder()
    for name in os.listdir(place):
        with contextlib.suppress(FileNotFoundError):  # another labctl makes room there
            os.unlink(os.path.join(place, name))
    os.rmdir(place)
    with contextlib.suppress(OSError):  # it holds something of another version's
        os.rmdir(os.path.dirname(place))


def _folder() -> str:
    """Raises FileNotFoundError where nothing says whose home this is."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(chosen):  # the specification has it ignored
        home = os.environ.get("HOME", "")
        if not os.path.isabs(home):
            raise FileNotFoundError
        chosen = os.path.join(home, ".cache")
    return os.path.join(chosen, "labctl", "compose")


def _make(folder: str) -> None:
    """Raises OSError. Nothing is made in another user's home (after `sudo`), who couldn't remove it."""
    there = folder
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    if os.stat(there).st_uid != os.geteuid():
        raise PermissionError
    os.makedirs(folder, mode=0o700, exist_ok=True)


def _drop_oldest(folder: str) -> None:
    """So that there is room for one more. What others take away meanwhile is no matter. Raises OSError."""
    ages = []
    for path in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            ages.append((os.lstat(os.path.join(folder, path)).st_mtime_ns, path))
    for _, path in sorted(ages)[: max(0, len(ages) - MOST + 1)]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, path))
