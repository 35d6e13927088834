"""Modules that will be needed soon, imported while labctl waits for somebody else."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterable

# pytest compiles what it imports, from a syntax tree. CPython 3.11 keeps one count of such trees for all threads, and
# raises SystemError where two are made at once (its issue 106905): in the test's own imports, too.
COMPILES = "_pytest.assertion.rewrite"


def imported(*names: str) -> None:
    """Begins to import modules, in a thread, and says nothing where one can't be: who needs it imports it as ever, and
    hears then what is wrong with it."""
    if COMPILES not in sys.modules:
        threading.Thread(target=_import, args=(names,), daemon=True).start()


def _import(names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
