"""The Docker engine, over its API."""

from labctl.engine.docker.client import DockerEngine

__all__ = ["DockerEngine"]
