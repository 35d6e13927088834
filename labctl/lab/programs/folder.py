"""The folder that a program is run in, as its host will see it: read-only, by a user who is nobody on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from labctl.engine.nodes import USER
from labctl.errors import LabError

UID = int(USER.partition(":")[0])
SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")  # of the engine: who can talk to it can do anything
UNSEEN = ("__pycache__", "node_modules", "venv")  # beside what begins with a dot: nobody's program is in there
MOST = 5000  # entries that are looked at
SHOWN = 3


def check(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder's own path, and what there is to know of it. Raises LabError `folder-missing`, `folder-too-wide`,
    `folder-closed`."""
    try:
        found = folder.resolve(strict=True)
        mode = found.stat().st_mode
    except OSError as problem:
        raise LabError("folder-missing", folder=folder, why=problem.strerror or problem) from None
    except (ValueError, RuntimeError) as problem:  # a NUL in it, a loop of links
        raise LabError("folder-missing", folder=folder, why=problem) from None
    if not stat.S_ISDIR(mode):
        raise LabError("folder-missing", folder=folder, why="it is no folder")
    if found == Path("/") or any(Path(name).is_relative_to(found) for name in SOCKETS):
        raise LabError("folder-too-wide", folder=found)
    if not can_enter(found):
        mend = f"`chmod o+rx {found}` lets others read it"
        if found == Path.home():
            mend = "put the program into a folder of its own in there, which others may read; --folder names it"
        raise LabError("folder-closed", what=found, mode=_mode(found), mend=mend)
    notes = []
    if found == Path.home():
        notes.append(
            f"{found} is all of your home folder: the program can read what everybody may; --folder takes less"
        )
    closed = list(_closed(found))
    if closed:
        names = ", ".join(closed[:SHOWN]) + (f" and {len(closed) - SHOWN} more" if len(closed) > SHOWN else "")
        notes.append(
            f"the program can't read {names}: its host is not you, but user {UID} (`chmod o+r`, of folders o+rx)"
        )
    return found, tuple(notes)


def can_read(file: Path) -> bool:
    """Whether the host can: by its mode for all others."""
    return _may(file, stat.S_IROTH, stat.S_IRUSR)


def can_run(file: Path) -> bool:
    return _may(file, stat.S_IXOTH, stat.S_IXUSR)


def can_enter(folder: Path) -> bool:
    return can_read(folder) and can_run(folder)


def _may(file: Path, others: int, owners: int) -> bool:
    try:
        found = file.stat()
    except OSError:
        return False
    return bool(found.st_mode & (owners if found.st_uid == UID else others))


def _mode(file: Path) -> str:
    return f"{stat.S_IMODE(file.stat().st_mode):03o}"


def files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a folder and the folders in it, but for hidden ones and those that tools keep; at most MOST entries.
    What can't be listed is left out."""
    waiting, count = [str(folder)], 0
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            count += 1
            if count > MOST:
                return
            if entry.name.startswith(".") or entry.name in UNSEEN:
                continue
            yield entry
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)


def _closed(folder: Path) -> Iterator[str]:
    for entry in files(folder):
        path = Path(entry.path)
        if entry.is_symlink():
            continue
        if not (can_enter(path) if entry.is_dir() else can_read(path)):
            yield str(path.relative_to(folder))
