"""The engine: what runs containers. Nothing above this room knows which one it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.engine.model import Engine


def connect() -> Engine:
    """The engine in use, as DOCKER_HOST, the Docker context or the usual sockets choose it. Nothing is sent to it yet.

    Raises LabError `engine-endpoint` where what chooses it can't be understood.
    """
    from labctl.engine.docker.client import DockerEngine

    return DockerEngine()
