"""The Docker engine, over its API."""

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from labctl.engine.docker.client import DockerEngine

__all__ = ["DockerEngine"]


def __getattr__(name: str) -> object:
    """PEP 562: where the engine is, is asked by some who have nothing to say to it."""
    if name not in __all__:
        raise AttributeError(f"module 'labctl.engine.docker' has no attribute {name!r}")
    from labctl.engine.docker.client import DockerEngine

    return DockerEngine
