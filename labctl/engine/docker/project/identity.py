"""What Compose would write on a project's containers: asked of Compose itself, while other things are made."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from labctl.engine.making.labels import Origin
from labctl.engine.making.references import resolved
from labctl.topology.model import load, owner_of

if TYPE_CHECKING:
    from labctl.engine.compose.command import Compose
    from labctl.topology.builtin import Source


class Identity:
    """`name` is the project's. Two runs of Compose begin at once; whoever needs what they say waits for them."""

    def __init__(self, compose: Compose, source: Source, name: str) -> None:
        self._compose, self._source, self._name = compose, source, name
        self._said: dict[str, Any] = {}
        self._problems: list[Exception] = []
        self._threads = [self._begin("version", self._version), self._begin("hashes", self._hashes)]
        self._plain: dict[str, Any] | None = None

    @property
    def version(self) -> str:
        """Raises LabError."""
        return str(self._get(0, "version"))

    @property
    def hashes(self) -> Mapping[str, str]:
        """The digests of the services as the files have them. Raises LabError."""
        found: Mapping[str, str] = self._get(1, "hashes")
        return found

    def origin(self, owners: Mapping[str, str]) -> Origin:
        """`owners` are containers by service: what shares something with one is compared with that container's id.

        Raises LabError.
        """
        source = self._source
        return Origin(
            version=self.version,
            folder=str(source.file.parent),
            files="-" if source.text is not None else ",".join(map(str, source.files)),
            environment=",".join(map(str, source.env_files)),
            hashes=self._joined(owners) if owners else self.hashes,
        )

    def _joined(self, owners: Mapping[str, str]) -> dict[str, str]:
        source = self._source
        if self._plain is None:
            reading = self._compose.config(source.file, more=source.more, name=self._name, text=source.text)
            self._plain = load(reading.text)
        services: Mapping[str, Mapping[str, Any]] = self._plain["services"]
        known = {
            name: resolved(service, owners) if owner_of(service.get("network_mode")) in owners else service
            for name, service in services.items()
        }
        return self._compose.hashes(self._name, source.file.parent, json.dumps({**self._plain, "services": known}))

    def _version(self) -> str:
        return self._compose.full_version()

    def _hashes(self) -> dict[str, str]:
        source = self._source
        return self._compose.own_hashes(source.files, name=self._name, text=source.text)

    def _begin(self, key: str, ask: Callable[[], Any]) -> threading.Thread:
        def run() -> None:
            try:
                self._said[key] = ask()
            except Exception as problem:  # noqa: BLE001 - raised by who waits for it
                self._problems.append(problem)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _get(self, thread: int, key: str) -> Any:
        self._threads[thread].join()
        if self._problems:
            raise self._problems[0]
        return self._said[key]
