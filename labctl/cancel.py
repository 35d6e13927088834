"""How a program ends what it waits for in another thread."""

from __future__ import annotations

import os
import select
from collections.abc import Collection, Iterable

from labctl.errors import LabError

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from typing import Protocol

    class HasFileno(Protocol):
        def fileno(self) -> int: ...


class Cancel:
    """One decision to stop waiting, which any thread, and a signal's handler, may take: `cancel()`.

    Whoever waits with it ends at once: it raises `Cancelled`, or, where it is the `until` of a journal, just ends. It
    can't be taken back; the next wait needs a new one.
    """

    def __init__(self) -> None:
        self._is_cancelled = False
        self._reader, self._writer = os.pipe()

    def cancel(self) -> None:
        """Ends what waits with it, now and from now on; again it changes nothing."""
        if not self._is_cancelled:
            self._is_cancelled = True
            os.write(self._writer, b".")  # read by nobody: the other end can be read from for good

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has decided so."""
        return self._is_cancelled

    def fileno(self) -> int:
        """Can be read from once it is cancelled: for a selector that waits for other things as well."""
        return self._reader

    def __del__(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


def check(cancels: Collection[Cancel]) -> None:
    """Raises LabError `cancelled` where one of them is."""
    if any(one.is_cancelled for one in cancels):
        raise LabError("cancelled")


def sleep(seconds: float, cancels: Collection[Cancel]) -> None:
    """Raises LabError `cancelled`, before the time is over if need be."""
    _poll(list(cancels), seconds, cancels)


def await_readable(source: HasFileno, seconds: float, cancels: Collection[Cancel]) -> None:
    """Returns once there is something to read, or the time is over. Raises LabError `cancelled`."""
    _poll([source, *cancels], seconds, cancels)


def _poll(sources: Iterable[HasFileno], seconds: float, cancels: Collection[Cancel]) -> None:
    poll = select.poll()
    for one in sources:
        poll.register(one, select.POLLIN)
    poll.poll(max(0.0, seconds) * 1000)
    check(cancels)
