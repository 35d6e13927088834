"""The roles of a file's services: what their labels say, found where it is nearest. Never a guess."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labctl.engine.model import LABEL_ROLE, Engine
from labctl.errors import LabError
from labctl.topology import dockerfile
from labctl.topology.model import Member, Topology


class Roles:
    """Looks at the service's own labels, at the Dockerfile that its image is built from, then at the engine's image.

    `connect` is called only where an image must be looked at. `problem` says why that failed, once it has.
    """

    def __init__(self, topology: Topology, connect: Callable[[], Engine]) -> None:
        self._services: Mapping[str, Any] = topology.config["services"]
        self._connect = connect
        self._engine: Engine | None = None
        self._known: dict[str, str | None] = {}
        self.problem: LabError | None = None

    def of(self, member: Member) -> str | None:
        if member.name not in self._known:
            service = self._services[member.name]
            self._known[member.name] = (
                (service.get("labels") or {}).get(LABEL_ROLE) or self._built(service) or self._of_image(member)
            )
        return self._known[member.name]

    def _built(self, service: Mapping[str, Any]) -> str | None:
        build = service.get("build") or {}
        text = build.get("dockerfile_inline")
        if text is None and build.get("context"):
            try:
                text = (Path(build["context"]) / build.get("dockerfile", "Dockerfile")).read_text()
            except (OSError, UnicodeDecodeError):
                return None  # a context at some URL, or a file that Compose will complain of when it builds
        return dockerfile.labels(text or "", build.get("target")).get(LABEL_ROLE)

    def _of_image(self, member: Member) -> str | None:
        if not member.image or self.problem:
            return None
        try:
            self._engine = self._engine or self._connect()
            image = self._engine.image(member.image)
        except LabError as problem:
            self.problem = problem
            return None
        return image.labels.get(LABEL_ROLE) if image else None
