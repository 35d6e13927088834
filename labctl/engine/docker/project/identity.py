"""What Compose would write on a project's containers: asked of Compose itself, while other things are made."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from labctl.engine.making.labels import Origin
from labctl.engine.making.references import resolved
from labctl.topology.model import owner_of

if TYPE_CHECKING:
    from labctl.engine.compose.command import Compose
    from labctl.topology.builtin import Source

T = TypeVar("T")
PATIENCE = 2.0  # seconds for a Compose that nobody waits for any more


class Later(Generic[T]):
    """What a function gives, that runs meanwhile."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._said: list[T] = []
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def get(self) -> T:
        """Raises what the function raised."""
        self._thread.join()
        if self._problem:
            raise self._problem
        return self._said[0]

    def settle(self) -> None:
        """Returns when the function has ended; or soon, where it doesn't."""
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            self._said.append(self._ask())
        except Exception as problem:  # noqa: BLE001 - raised by who waits for it
            self._problem = problem


class Identity:
    """`name` is the project's, `version` that of Compose, `reading` what it made of the source, where that is known.
    Whoever needs what Compose says waits for it."""

    def __init__(
        self, compose: Compose, source: Source, name: str, version: Later[str], reading: str | None = None
    ) -> None:
        self._compose, self._source, self._name, self._reading = compose, source, name, reading
        self._version = version
        self._hashes: Later[dict[str, str]] | None = None
        self._plain: dict[str, Any] | None = None

    def begin(self) -> Later[dict[str, str]]:
        """Compose is asked for the digests from now on: while the engine makes what needs none. Before, it would take
        the core of who gets the engine to work."""
        if self._hashes is None:
            source = self._source
            ask = partial(
                self._compose.own_hashes, source.files, name=self._name, text=source.text, reading=self._reading
            )
            self._hashes = Later(ask)
        return self._hashes

    def settle(self) -> None:
        """Returns when Compose is asked nothing more."""
        if self._hashes:
            self._hashes.settle()

    @property
    def version(self) -> str:
        """Raises LabError."""
        return self._version.get()

    @property
    def hashes(self) -> Mapping[str, str]:
        """The digests of the services as the files have them. Raises LabError."""
        return self.begin().get()

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
            from labctl.topology.normalised import load  # few labs share namespaces

            reading = self._compose.config(source.file, more=source.more, name=self._name, text=source.text)
            self._plain = load(reading.text)
        services: Mapping[str, Mapping[str, Any]] = self._plain["services"]
        known = {
            name: resolved(service, owners) if owner_of(service.get("network_mode")) in owners else service
            for name, service in services.items()
        }
        return self._compose.hashes(self._name, source.file.parent, json.dumps({**self._plain, "services": known}))
