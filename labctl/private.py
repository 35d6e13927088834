"""Folders and files that are this user's alone, in places where others may write as well, such as /tmp.

Whoever may make names there could have made ours before us, as a link to a file that only we may write to. So a folder
counts only where it is a real one, our own, and closed to all others; and a file only where it is a plain one in it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_USUAL = "/tmp"


def top() -> Path:
    """Where this user's folder for what lives no longer than the machine stands: XDG_RUNTIME_DIR, where that is the
    user's own (after `su` it is often another one's), else the folder for temporary files. Raises OSError."""
    chosen = os.environ.get("XDG_RUNTIME_DIR")
    if chosen:
        found = Path(chosen)
        try:
            if found.stat().st_uid == os.getuid():
                return found
        except OSError:
            pass
    if not any(map(os.environ.get, ("TMPDIR", "TEMP", "TMP"))) and os.access(_USUAL, os.W_OK | os.X_OK):
        return Path(_USUAL)
    import tempfile  # which takes a while, and would say the same of the usual one

    return Path(tempfile.gettempdir())


def make_folder(path: Path) -> None:
    """Sees to it that a folder is there, and is ours alone; what it stands in must be there. Raises OSError."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        refuse_folder(path)


def refuse_folder(path: Path) -> None:
    """Raises OSError where a folder isn't ours alone."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, f"{path} is a link, and should be a folder of this user's own")
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.ENOTDIR, f"{path} is no folder")
    if found.st_uid != os.getuid():
        raise OSError(errno.EPERM, f"{path} is another user's")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise OSError(errno.EPERM, f"{path} is open to other users (its mode is {stat.S_IMODE(found.st_mode):o})")


def open_file(path: Path) -> int:
    """A descriptor of a plain file of ours, made where there is none; what it holds stays. Raises OSError."""
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    found = os.fstat(number)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and found.st_nlink <= 1:
        return number
    os.close(number)
    raise OSError(errno.EPERM, f"{path} is no plain file of this user's own")
