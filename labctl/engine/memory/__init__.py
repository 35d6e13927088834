"""An engine that lives in this process: for examples, and for trying what stands above the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.engine.memory.containers import Execution, MemoryContainer, MemoryStream
from labctl.engine.memory.engine import MemoryEngine

__all__ = ["Execution", "MemoryContainer", "MemoryEngine", "MemoryStream"]

if TYPE_CHECKING:  # that it is an engine, in all of its methods, is for mypy to see
    from labctl.engine.model import Engine

    _seen: Engine = MemoryEngine()
