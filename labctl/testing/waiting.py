"""Waiting for what becomes true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_AGAIN = 0.05  # seconds from one look to the next


def eventually(check: Callable[[], T], *, within: float = 5.0) -> T:
    """What `check` gives once that is true; it may raise AssertionError until then, too.

    After `within` seconds the last AssertionError is raised, or one that says what `check` gave. Other errors are
    raised at once.
    """
    __tracebackhide__ = True  # the failure is the caller's line
    deadline = time.monotonic() + within
    while True:
        problem: AssertionError | None = None
        found: T | None = None
        try:
            found = check()
        except AssertionError as failed:
            problem = failed
        if problem is None and found:
            return found
        if time.monotonic() >= deadline:
            if problem is not None:
                raise problem
            raise AssertionError(f"not within {within:g} s: {getattr(check, '__name__', 'it')} gave {found!r}")
        time.sleep(_AGAIN)
