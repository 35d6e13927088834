"""Modules that will be needed soon, imported while labctl waits for somebody else."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading

# pytest compiles what it imports, from a syntax tree. CPython 3.11 keeps one count of such trees for all threads, and
# raises SystemError where two are made at once (its issue 106905): in the test's own imports, too.
COMPILES = "_pytest.assertion.rewrite"


def imported(name: str) -> None:
    """Begins to import a module, in a thread, and says nothing where it can't be: who needs it imports it as ever, and
    hears then what is wrong with it."""
    if COMPILES not in sys.modules:
        threading.Thread(target=_import, args=(name,), daemon=True).start()


def _import(name: str) -> None:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
