"""An engine that lives in this process."""

from labctl.engine.memory.engine import Execution, MemoryContainer, MemoryEngine, MemoryStream

__all__ = ["Execution", "MemoryContainer", "MemoryEngine", "MemoryStream"]
