"""Compose: it reads, merges and builds, and makes the containers of a project."""

from labctl.engine.compose.command import Compose, Reading

__all__ = ["Compose", "Reading"]
