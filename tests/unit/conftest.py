"""Labs on the in-memory engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from memory_lab import Chat
from recorder_fakes import fakes, lab  # noqa: F401  fixtures, for the tests of recorders
from sampling import examples, seed

from labctl.engine.memory import MemoryEngine
from labctl.lab.model import Lab, find

# How long an example takes says more of what runs beside it. A run that takes a share of the examples has the same ones
# each time, so that what it finds can be found again; `make test-whole` has others in every run.
settings.register_profile(
    "labctl",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=examples(100),
    derandomize=seed() is not None,
)
settings.load_profile("labctl")


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
