"""Takes back what labctl leaves on a machine when all labs are gone: images, the folder of its locks, and what it keeps
of Compose's answers.

Images count as labctl's by their label, and one that somebody else has built on them, who has the label as well, by its
names. What else there is, and isn't labctl's alone, is told with the command that removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from labctl import kept
from labctl.engine.hosts import inventory
from labctl.engine.model import COMPOSE_IMAGE, LABEL_SOURCE, Engine, Image
from labctl.errors import EngineRefused, LabError
from labctl.lab import locks
from labctl.lab.images.base import MADE, OFFICIAL
from labctl.lab.life.down import known
from labctl.lab.recording import wireshark

DIGEST, SHORT = "sha256:", 19  # an image's id, and how much of it people read
OURS = "labctl/"  # what the names of labctl's own images begin with


@dataclass(frozen=True)
class Left:
    """Something that is, or would be, removed; or that stays, with the reason."""

    kind: str  # image, folder, cache, file
    name: str
    stays: str = ""

    @property
    def shown(self) -> str:
        return f"{self.name[:SHORT]} (an older build)" if self.name.startswith(DIGEST) else self.name

    def as_json(self) -> dict[str, str | None]:
        return {"kind": self.kind, "name": self.name, "stays": self.stays or None}


def clean_images(engine: Engine, report: Callable[[str], None], *, force: bool, dry_run: bool) -> list[Left]:
    """Removes labctl's images, and what else nothing needs then. With `force` also while labs are there, all but what
    they are made of; with `dry_run` nothing.

    Raises LabError `labs-there`, and the engine's own (EngineError).
    """
    labs = known(engine)
    if labs and not force:
        raise LabError("labs-there", labs=", ".join(labs))
    found = list(_images(engine, report, dry_run=dry_run))
    if not labs:
        found += _lock_files(dry_run=dry_run)
    found += _answers(dry_run=dry_run)
    return [*found, *_others(engine)]


def _images(engine: Engine, report: Callable[[str], None], *, dry_run: bool) -> Iterator[Left]:
    """The base image comes last: the others are made of it."""
    used = {container.labels.get(COMPOSE_IMAGE) for container in engine.containers()}
    for image in sorted(engine.images_with([LABEL_SOURCE]), key=lambda image: (MADE in image.names, image.names)):
        for name in _names(image):
            if image.id in used:
                yield Left("image", name, "a node is made of it")
                continue
            why = ""
            if not dry_run:
                report(name)
                try:
                    engine.remove_image(name)
                except EngineRefused as problem:
                    why = str(problem.values["why"])
            yield Left("image", name, why)


def _names(image: Image) -> list[str]:
    """Those of an image's names that are labctl's; its id where it has none, as each older build of one."""
    return [name for name in image.names if name.startswith(OURS)] if image.names else [image.id]


def _lock_files(*, dry_run: bool) -> Iterator[Left]:
    folder = locks.own_folder() if dry_run else locks.forget_all()
    if folder:
        yield Left("folder", str(folder))


def _answers(*, dry_run: bool) -> Iterator[Left]:
    folder, why = kept.folder(), ""
    if folder is None:
        return
    if not dry_run:
        try:
            kept.forget_all()
        except OSError as problem:
            why = problem.strerror or str(problem)
    yield Left("folder", folder, why)


def _others(engine: Engine) -> Iterator[Left]:
    base = engine.image(MADE)
    if base and LABEL_SOURCE not in base.labels:
        yield Left("image", MADE, f"an older labctl made it, without a label; `docker rmi {MADE}`")
    if engine.image(OFFICIAL):
        yield Left("image", OFFICIAL, f"it may be for others, too; `docker rmi {OFFICIAL}`")
    yield Left("cache", "Docker's build cache", "it is everybody's; `docker builder prune`")
    machines = inventory.file()
    if machines.is_file():
        yield Left("file", str(machines), f"your list of machines; `rm {machines}`")
    file = wireshark.installed()
    if file:
        yield Left("file", str(file), f"Wireshark asks it for nodes; `rm {file}`")
