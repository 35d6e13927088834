"""The roles of a file's services: what their labels say, found where it is nearest. Never a guess.

A role is its program's: an image of labctl's that runs another command is somebody's own program, of which nobody knows
that it says `ready` or takes lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labctl.engine.model import LABEL_PROGRAM, LABEL_ROLE, Engine, Image
from labctl.errors import LabError
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
            role = (service.get("labels") or {}).get(LABEL_ROLE)
            self._known[member.name] = role or self._built(service) or self._of_image(member)
        return self._known[member.name]

    def _built(self, service: Mapping[str, Any]) -> str | None:
        build = service.get("build") or {}
        text = build.get("dockerfile_inline")
        if text is None and build.get("context"):
            try:
                text = (Path(build["context"]) / build.get("dockerfile", "Dockerfile")).read_text()
            except (OSError, UnicodeDecodeError):
                return None  # a context at some URL, or a file that Compose will complain of when it builds
        from labctl.topology import dockerfile  # most that is brought up is built already

        return role_of(service, Image("", dockerfile.labels(text or "", build.get("target"))))

    def _of_image(self, member: Member) -> str | None:
        if not member.image or self.problem:
            return None
        service = self._services[member.name]
        try:
            self._engine = self._engine or self._connect()
            image = self._engine.image(member.image)
        except LabError as problem:
            self.problem = problem
            return None
        return role_of(service, image) if image else None


def role_of(service: Mapping[str, Any], image: Image) -> str | None:
    """The role of a service with this image; None where its program is another than the one that has the role.

    Our own images say which program that is; of anybody else's it is what the image runs by itself.
    """
    role = (service.get("labels") or {}).get(LABEL_ROLE) or image.labels.get(LABEL_ROLE)
    entrypoint, command = _words(service.get("entrypoint")), _words(service.get("command"))
    program = image.labels.get(LABEL_PROGRAM)
    if program:
        runs = (*(entrypoint or image.entrypoint), *(command or (() if entrypoint else image.command)))
        return role if program in runs or not runs else None
    other_entry = entrypoint and entrypoint != image.entrypoint
    other_command = command and not image.entrypoint and image.command and command != image.command
    return None if other_entry or other_command else role or None


def _words(value: Any) -> tuple[str, ...]:
    """A command as Compose's configuration has it, where `$` is written twice."""
    return tuple(str(word).replace("$$", "$") for word in value or ())
