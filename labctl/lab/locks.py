"""Locks between several labctl of one user on one machine (flock(2)): the kernel gives them up when their holder dies.

A node's keyboard: one labctl at a time types there. A lab: one labctl at a time brings it up or down; a Compose that
does the work holds the lock as well, so that even after a SIGKILL nobody else begins before the last of it is gone.
All files of a lab stand in one folder, and go with the lab. That folder is the user's alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from labctl import private
from labctl.cancel import Cancel, sleep
from labctl.errors import LabError

RETRY = 0.002  # seconds between two tries at a keyboard: flock(2) has no limit of its own
PATIENT_RETRY = 0.05  # at a lab, whose holder needs seconds
_FOLDER = re.compile(r"[a-z0-9][a-z0-9_-]{,199}")
_SUFFIX = ".keyboard"
COMPOSING = "composing"


class Lock:
    """An exclusive lock on a file, until `close` or the end of a `with`; taken within some seconds, or never."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def try_once(self) -> bool:
        """Takes the lock where it is free. Raises LabError `lock-failed`."""
        try:
            if self._file < 0:
                private.make_folder(self._path.parent.parent)
                private.make_folder(self._path.parent)
                self._file = private.open_file(self._path)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except FileNotFoundError:
            return False  # the folder went between the two steps: with the lab, as it should
        except OSError as problem:
            self.close()
            with contextlib.suppress(OSError):  # a folder that was just made for it
                private.refuse_folder(self._path.parent.parent)
                self._path.parent.rmdir()
            raise LabError("lock-failed", file=self._path, why=problem.strerror or problem) from None
        if self._is_current():
            return True
        self.close()  # its holder removed the file while we waited: a lock on it is one on nothing
        return False

    def take(
        self, seconds: float, busy: Callable[[], LabError], *, retry: float, cancels: Collection[Cancel] = ()
    ) -> None:
        """Raises what `busy` makes where the lock isn't free within some seconds, LabError `cancelled`."""
        deadline = time.monotonic() + seconds
        while not self.try_once():
            if time.monotonic() > deadline:
                self.close()
                raise busy()
            sleep(retry, cancels)

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def fileno(self) -> int:
        return self._file

    def remove(self) -> None:
        """Removes the file, which the lock must be held for; nothing where its folder is another one's."""
        with contextlib.suppress(OSError):
            private.refuse_folder(self._path.parent.parent)
            private.refuse_folder(self._path.parent)
            self._path.unlink()

    def close(self) -> None:
        """Gives the lock up, unless a child holds it as well."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


class KeyboardLock(Lock):
    """The right to type at a node."""

    def __init__(self, lab: str, container: str) -> None:
        super().__init__(_folder(lab) / f"{container[:24]}{_SUFFIX}")


class LabLock(Lock):
    """The right to bring a lab up or down.

    The file holds a word while a lab is made, and the names of all that is to be made. Where somebody finds that word,
    whoever made it was killed, and the engine may still be busy with what it was asked for last.
    """

    def __init__(self, lab: str) -> None:
        super().__init__(_folder(lab) / "lab")
        self._lab = lab

    def acquire(self, seconds: float, report: Callable[[str], None], cancels: Collection[Cancel] = ()) -> None:
        """Raises LabError `lab-busy`, `cancelled`."""
        if self.try_once():
            return
        report(f"another labctl is at work on {self._lab}; waiting for it")
        self.take(
            seconds,
            lambda: LabError("lab-busy", lab=self._lab, seconds=seconds),
            retry=PATIENT_RETRY,
            cancels=cancels,
        )

    @property
    def is_unfinished(self) -> bool:
        """A lab was made here, and nobody saw the end of it."""
        return os.fstat(self._file).st_size > 0

    @property
    def asked(self) -> frozenset[str]:
        """What was to be made, and nothing more; empty where that isn't known."""
        return frozenset(os.pread(self._file, os.fstat(self._file).st_size, 0).decode().split("\n")[1:-1])

    def begin(self, asked: Iterable[str] = ()) -> None:
        """What has these names is about to be made. Raises LabError `lock-failed`."""
        text = "".join(f"{line}\n" for line in [COMPOSING, *sorted(asked)]).encode()
        try:
            os.pwrite(self._file, text, 0)
            os.ftruncate(self._file, len(text))
        except OSError as problem:  # a full disk
            raise LabError("lock-failed", file=self._path, why=problem.strerror or problem) from None

    def finish(self) -> None:
        """All that was begun has ended, and the engine is not busy any more with what it was asked for."""
        os.ftruncate(self._file, 0)

    def forget(self) -> None:
        """Removes all lock files of the lab that nobody holds, and this one; the lab itself is gone."""
        for file in self._path.parent.glob(f"*{_SUFFIX}"):
            other = Lock(file)
            if other.try_once():
                other.remove()
                other.close()
        self.remove()
        with contextlib.suppress(OSError):  # somebody types at a node of the same name on another engine
            self._path.parent.rmdir()


def forget_keyboard(lab: str, container: str) -> None:
    """Removes the file of the keyboard's lock of a container that is gone."""
    KeyboardLock(lab, container).remove()


def own_folder() -> Path | None:
    """The folder of this user's locks; None where there is none, or another one's stands there."""
    try:
        top = private.top() / f"labctl-{os.getuid()}"
        private.refuse_folder(top)
    except OSError:
        return None
    return top


def forget_all() -> Path | None:
    """Removes all of this user's lock files that nobody holds and that say nothing of a Compose at work, and then their
    folder, which it names; None where something of it stays, or there is none."""
    top = own_folder()
    if top is None:
        return None
    try:
        for file in [*top.glob("*/lab"), *top.glob(f"*/*{_SUFFIX}")]:
            lock = Lock(file)
            if file.stat().st_size == 0 and lock.try_once():
                lock.remove()
                lock.close()
        for folder in top.iterdir():
            with contextlib.suppress(OSError):
                folder.rmdir()
        top.rmdir()
    except (OSError, LabError):
        return None
    return top


def _folder(lab: str) -> Path:
    try:
        top = private.top()
    except OSError as problem:  # it tries to write to each that it knows
        raise LabError("lock-failed", file="a file in TMPDIR", why=problem.strerror or problem) from None
    if not _FOLDER.fullmatch(lab):  # it may come from a label that somebody else wrote
        import hashlib

        lab = hashlib.sha256(lab.encode()).hexdigest()
    return top / f"labctl-{os.getuid()}" / lab
