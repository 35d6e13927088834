"""Labs on the in-memory engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from memory_lab import Chat
from recorder_fakes import fakes, lab  # noqa: F401  fixtures, for the tests of recorders

from labctl.engine.memory import MemoryEngine
from labctl.lab.model import Lab, find


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def chat(engine: MemoryEngine) -> Chat:
    return Chat(engine)


@pytest.fixture
def lab_of(engine: MemoryEngine) -> Callable[..., Lab]:
    """The lab as it stands on the engine now."""
    return lambda name=None: find(engine, name)
