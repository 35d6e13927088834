"""An engine that lives in this process: for examples, and for trying what stands above the engine."""

from labctl.engine.memory.containers import Execution, MemoryContainer, MemoryStream
from labctl.engine.memory.engine import MemoryEngine

__all__ = ["Execution", "MemoryContainer", "MemoryEngine", "MemoryStream"]
