"""Reads Compose files where there is no Compose: merged, with `extends`, interpolated, normalised as Compose does it.

It knows what labctl's own topologies need and what is usual beside that. What it doesn't know, it names and refuses:
`include`, tags such as `!reset`, variables within variables.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from labctl import environment
from labctl.engine.making.values import replaced
from labctl.engine.memory.interpolation import Unreadable, Variables, of_file
from labctl.engine.memory.normal import normalised, pairs, resolved
from labctl.engine.projects import Reading
from labctl.errors import LabError
from labctl.topology.model import project_name
from labctl.topology.normalised import load

PAIRS = ("environment", "labels", "extra_hosts")  # merged by their names, whichever form they have
_NESTED = 16  # levels of `extends`


def read(
    files: Sequence[Path],
    *,
    text: str | None,
    name: str | None,
    variables: Mapping[str, str],
    env_files: Sequence[Path],
) -> Reading:
    """What Compose would make of files, each laid over those before it; `text` stands for the content of all.

    `variables` go before the environment, that before `env_files`, or else the folder's `.env`. Raises LabError
    `topology-invalid`.
    """
    folder = files[0].parent
    kept: dict[str, str] = {}
    for file in env_files or [folder / ".env"]:
        kept |= of_file(file)
    values = Variables({**kept, **environment.variables(), **variables})
    try:
        loaded = [_Source(file, values, text).whole() for file in ([files[0]] if text is not None else files)]
        merged = loaded[0]
        for over in loaded[1:]:
            merged = merge(merged, over)
        written = name or os.environ.get("COMPOSE_PROJECT_NAME") or merged.get("name") or folder.name
        profiles = values.fill("${COMPOSE_PROFILES:-}").split(",")
        config = normalised(merged, project_name(str(written)), profiles)
    except Unreadable as problem:
        raise LabError(
            "topology-invalid", file=files[0], why=str(problem), compose="", unset=tuple(values.unset)
        ) from None
    return Reading(json.dumps(replaced(config, "$", "$$")), tuple(values.unset))


class _Source:
    """One file, or `text` in its place."""

    def __init__(self, file: Path, variables: Variables, text: str | None = None) -> None:
        self._file, self._variables = file, variables
        self._data = self._load(text)

    def _load(self, text: str | None) -> dict[str, Any]:
        try:
            found = load(self._file.read_text(encoding="utf-8-sig") if text is None else text)
        except OSError as problem:
            raise Unreadable(f"open {self._file}: {os.strerror(problem.errno or 0).lower()}") from None
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as problem:
            raise Unreadable(f"{self._file.name}: {' '.join(str(problem).split())}") from None
        if not isinstance(found, dict):
            raise Unreadable(f"{self._file.name}: top-level object must be a mapping")
        if "include" in found:
            raise Unreadable(f"{self._file.name}: the engine in memory reads no `include`")
        return found

    def whole(self) -> dict[str, Any]:
        """All of the file, with what its services extend."""
        data = {key: value if key == "services" else self._variables.fill(value) for key, value in self._data.items()}
        services = _mapping(data.get("services") or {}, "services")
        return {**data, "services": {name: self.service(name) for name in services}}

    def service(self, name: str, depth: int = 0) -> dict[str, Any]:
        """A service, laid over the one that it extends; its relative paths begin in this file's folder."""
        services = _mapping(self._data.get("services") or {}, "services")
        if name not in services:
            raise Unreadable(f"cannot extend service {name!r} in {self._file}: service not found")
        if depth > _NESTED:
            raise Unreadable(f"service {name!r} extends itself")
        mine = resolved(self._variables.fill(_mapping(services[name] or {}, f"services.{name}")), self._file.parent)
        extended = mine.pop("extends", None)
        if extended is None:
            return mine
        how = {"service": extended} if isinstance(extended, str) else _mapping(extended, f"services.{name}.extends")
        there = _Source(self._file.parent / str(how["file"]), self._variables) if how.get("file") else self
        return merge(there.service(str(how.get("service")), depth + 1), mine)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings in one, as Compose merges files: mappings by key, lists one behind the other, all else replaced."""
    out = dict(base)
    for key, value in over.items():
        before = out.get(key)
        if key in PAIRS and before is not None and value is not None:
            out[key] = {**pairs(before), **pairs(value)}
        elif isinstance(before, dict) and isinstance(value, dict):
            out[key] = merge(before, value)
        elif isinstance(before, list) and isinstance(value, list) and key not in ("command", "entrypoint"):
            out[key] = [*before, *(item for item in value if item not in before)]
        elif value is not None or key not in out:
            out[key] = value
    return out


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{where} must be a mapping")
    return value
