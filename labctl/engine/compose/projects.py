"""Whole topologies on a Docker engine: Compose reads, builds and makes them, and images come over the engine's API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.engine.projects import Reading, Report

if TYPE_CHECKING:
    from labctl.cancel import Cancel
    from labctl.engine.compose.command import Compose
    from labctl.engine.compose.question import Question
    from labctl.engine.docker.endpoint import Endpoint
    from labctl.errors import LabError
    from labctl.topology.builtin import Source


class ComposeProjects:
    """The half of a Docker engine that is Compose's. See labctl.engine.projects.Projects.

    What it needs is imported when it is needed: most commands ask nothing of Compose.
    """

    endpoint: Endpoint
    cancels: tuple[Cancel, ...]
    _known: tuple[Source, str] | None = None  # what was read last
    # What is being read, or was before, for a project of which name.
    _begun: tuple[Source, str | None, Question | Reading] | None = None

    def compose_version(self) -> tuple[int, int]:
        return self._command(None, {}).version()

    def read(
        self,
        source: Source,
        *,
        name: str | None = None,
        text: str | None = None,
        variables: Mapping[str, str] = {},
        before: Callable[[], None] | None = None,
    ) -> Reading:
        begun = None
        if self._begun and self._begun[:2] == (source, name) and text is None and not variables:
            begun, self._begun = self._begun[2], None
        text = source.text if text is None else text
        compose = self._command(source, variables)
        found = compose.config(source.file, more=source.more, name=name, text=text, begun=begun, before=before)
        if text == source.text and not variables:
            self._known = source, found.text
        return found

    @contextlib.contextmanager
    def preparing(self, source: Source, name: str | None) -> Iterator[None]:
        begun = self._command(source, {}).begin(source.files, name) if source.text is None else None
        if begun:  # what has a text has to be sent, too
            self._begun = source, name, begun
        try:
            yield
        finally:
            begun, self._begun = self._begun[2] if self._begun else None, None
            if begun and not isinstance(begun, Reading):
                begun.close()

    def hashes(self, source: Source, config: Mapping[str, Any]) -> dict[str, str]:
        import json

        return self._command(source, {}).hashes(str(config["name"]), source.file.parent, json.dumps(config))

    def build(
        self,
        source: Source,
        services: Sequence[str],
        report: Report,
        limit: float,
        *,
        name: str | None = None,
        variables: Mapping[str, str] = {},
    ) -> None:
        compose = self._command(source, variables)
        compose.build(source.file, services, report, limit, more=source.more, name=name, text=source.text)

    def bring_up(
        self,
        source: Source,
        config: Mapping[str, Any],
        report: Report,
        limit: float,
        *,
        unfinished: set[str],
        hold: Sequence[int] = (),
        start: bool = True,
    ) -> None:
        import json

        compose = self._command(source, {})
        try:
            text = json.dumps(config)
            compose.up(str(config["name"]), source.file.parent, text, report, limit, hold=hold, start=start)
        finally:
            unfinished.clear()
            unfinished |= compose.unfinished

    def unmake(self, project: str, problem: LabError) -> bool:
        return False

    def registry_answers(self, image: str) -> str | None:
        from labctl.engine.docker import images

        return images.registry_answers(self.endpoint, image)

    def pull(self, image: str, limit: float) -> str | None:
        from labctl.engine.docker import images

        return images.pull(self.endpoint, image, int(limit))

    def import_image(self, archive: Path, name: str, limit: float) -> str | None:
        from labctl.engine.docker import images

        return images.import_image(self.endpoint, archive, name, int(limit))

    def client(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        return self._command(None, {}).client(arguments)

    def _command(self, source: Source | None, variables: Mapping[str, str]) -> Compose:
        """Compose with what a source says of variables, profiles among them, and more."""
        from labctl.engine.compose.command import Compose

        if source is None:
            return Compose(self.endpoint, variables)
        given = {**dict(source.variables), **variables}
        return Compose(self.endpoint, given, source.env_files, cancels=self.cancels)
