"""What an engine does with whole topologies: it reads and merges their files, builds and pulls images, makes projects.

With Docker that is Compose's work (`labctl.engine.compose`); the engine in memory has a reader of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labctl.named import NamedTuple

if TYPE_CHECKING:
    from labctl.engine.model import Image
    from labctl.errors import LabError
    from labctl.topology.builtin import Source

Report = Callable[[str], None]  # takes a line of progress, for people
# What the engine was doing where `bring_up` took too long
BY_COMPOSE = "docker compose"
MAKING = "make the lab"

_SUBNET_TAKEN = r"(?i)overlaps with other one|pool overlaps"
_PORT_TAKEN = r"(?i)port is already allocated|address already in use"


def is_subnet_taken(problem: LabError) -> bool:
    """Whether the engine refused because another network has a subnet by now."""
    return bool(re.search(_SUBNET_TAKEN, str(problem.values.get("why", ""))))


def is_port_taken(problem: LabError) -> bool:
    """Whether the engine refused because somebody else has a published port, or an address, by now."""
    return bool(re.search(_PORT_TAKEN, str(problem.values.get("why", ""))))


class Reading(NamedTuple):
    """What Compose makes of files, as YAML, and the variables in them that are not set. `asks` is a digest of all that
    this depends on (labctl.kept); empty where it may be another one the next time."""

    text: str
    unset: tuple[str, ...] = ()
    asks: str = ""


class Projects(Protocol):
    """Topologies go in as `Source` says where their text is, and come out as Compose's normalised YAML.

    `variables` are set for interpolation on top of the source's own. Times are in seconds; all raise LabError.
    """

    def compose_version(self) -> tuple[int, int]:
        """Of what reads topologies: major and minor number. Raises `compose-missing` also where it is too old."""

    def read(
        self,
        source: Source,
        *,
        name: str | None = None,
        text: str | None = None,
        variables: Mapping[str, str] = {},
        before: Callable[[], None] | None = None,
    ) -> Reading:
        """The files merged, interpolated and normalised, for a project of that name or of their own.

        `text` stands for the content of all of them. `before` is called where they have to be read for that: where what
        they make isn't known from before. Raises `topology-invalid`.
        """

    def hashes(self, source: Source, config: Mapping[str, Any]) -> dict[str, str]:
        """The digest of each service of a configuration: a container whose label (`COMPOSE_HASH`) has another one is
        made anew by `bring_up`."""

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
        """Builds the images of some services; those without a name get the project's, `name` or the file's own.

        Raises `build-failed` with the step that failed and its last lines.
        """

    def preparing(self, source: Source, name: str | None) -> AbstractContextManager[None]:
        """In the block a project is made of a source, for a lab of that name or of its own: what takes time may begin,
        and the first `read` of the same has less to wait for. Nothing of it goes on behind the block. Raises
        LabError."""

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
        """Makes the project that has the configuration's name be as that says; containers that stay the same are left
        alone. Builds and removes nothing. What is reported are Compose's own lines: `Network NAME Created`,
        `Container NAME Started`.

        Without `start`, containers are made and not started. Whoever makes them holds the file descriptors of `hold`,
        and their locks, while it lives. At the end, also at a failure or an interruption, `unfinished` holds the names
        of what the engine was asked for and was not seen to have made: it may still be at work on it.

        Raises `compose-failed`, `start-failed`, `compose-killed`, `engine-refused`, `disk-full`, `engine-timeout`.
        """

    def unmake(self, project: str, problem: LabError) -> bool:
        """Where a new project failed by what making it anew mends, its containers and networks are removed: the caller
        makes it once more. Else False, and nothing is done."""

    def registry_answers(self, image: str) -> str | None:
        """None where the image's registry answers the engine in time, else why not. Raises nothing."""

    def pull(self, image: str, limit: float) -> str | None:
        """Has an image come from its registry; None when it is there now, else why not."""

    def import_image(self, archive: Path, name: str, limit: float) -> str | None:
        """Makes an image of a file system's tar archive; None when it is there now, else why not."""

    def distribute(self, images: Sequence[str], report: Report, limit: float) -> None:
        """Of an engine that is several: all machines get these images, which the first one has. Raises LabError."""

    def client(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The command line of the engine's own client with some arguments, and its environment: what knows of
        terminals. Raises `docker-missing` where there is none."""

    def images_with(self, labels: Sequence[str]) -> list[Image]:
        """Images that carry all the labels, with their names."""

    def remove_image(self, image: str) -> None:
        """Takes a name from an image, and removes it with its last one; or removes one by its id. No error where it is
        gone. Raises LabError `engine-refused` where a container is made of it."""
