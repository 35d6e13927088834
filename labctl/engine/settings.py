"""How a container was made: what `labctl inspect` shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Mount:
    """What stands at `target` in a container: `kind` is volume, bind or tmpfs, `source` the volume's name or the path
    on the engine's machine."""

    kind: str
    source: str
    target: str
    writable: bool


@dataclass(frozen=True)
class Settings:
    """How a container was made. `memory` in bytes and `cpus` are None without a limit; `restart` is Docker's policy,
    `macs` are its hardware addresses by network."""

    created: str
    command: tuple[str, ...]
    user: str
    hostname: str
    environment: Mapping[str, str]
    read_only: bool
    privileged: bool
    added: tuple[str, ...]
    dropped: tuple[str, ...]
    memory: int | None
    cpus: float | None
    restart: str
    stop_signal: str
    mounts: tuple[Mount, ...]
    macs: Mapping[str, str]
