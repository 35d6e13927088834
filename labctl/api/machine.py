"""What of labctl's is on a machine: labs by their names, also those of which little is left, images and caches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.engine import connect, connect_all
from labctl.named import NamedTuple

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.errors import LabError
    from labctl.lab.life.down import Removed
    from labctl.lab.life.status import Summary
    from labctl.lab.machine.clean import Left


class TakenDown(NamedTuple):
    """What was removed, and what could not be."""

    removed: tuple[Removed, ...]
    problems: tuple[LabError, ...]


def names(*, engine: Engine | None = None) -> tuple[str, ...]:
    """The names of all labs of which anything is left. Raises EngineError."""
    from labctl.lab.life.down import known

    return tuple(known(engine or connect()))


def listing(*, engine: Engine | None = None) -> tuple[Summary, ...]:
    """All labs of the engine by name: whose each is, what it was made from, how many of its nodes run, as `labctl ls`
    has them. Raises EngineError."""
    from labctl.lab.life.status import labs

    return tuple(labs(engine or connect_all()))


def meant(
    *, everything: bool = False, force: bool = False, engine: Engine | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labs that are to be taken down where none is named: the caller's only one, with `everything` all of the
    caller's, with `force` as well everybody's; and those that are left, as they are others'. Raises InvalidArgument
    (`ambiguous-lab`), EngineError."""
    from labctl.lab.life import down

    found, left = down.meant(engine or connect_all(), everything=everything, force=force)
    return tuple(found), tuple(left)


def check_name(name: str) -> None:
    """Raises InvalidArgument (`bad-lab-name`) where no lab can be called so."""
    from labctl.lab import model

    model.check_name(name)


def refuse_anothers(name: str, *, engine: Engine | None = None) -> None:
    """Raises ForeignLab where somebody else's lab has that name, by all that is there of it."""
    from labctl.lab.life import down

    using = engine or connect_all()
    down.refuse_others(using, name)


def take_down(
    *labs: str, force: bool = False, engine: Engine | None = None, report: Callable[[str], None] | None = None
) -> TakenDown:
    """Removes labs by their names, also those of which no container is left; one that can't be removed whole keeps no
    other from it. `force`: somebody else's, too. Raises EngineUnreachable."""
    from labctl.lab.life.down import down_all

    removed, problems = down_all(engine or connect_all(), labs, report or (lambda text: None), force=force)
    return TakenDown(tuple(removed), tuple(problems))


def clean(
    *,
    force: bool = False,
    dry_run: bool = False,
    staying: Mapping[Path, str] = {},
    engine: Engine | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[Left, ...]:
    """Removes labctl's images and caches, and says what stays and why; `report` is given the name of each that is gone.
    `force`: also while labs are there, all but what they are made of. `dry_run`: nothing is removed.
    `staying`: folders of the caller's own that are told of where they are there, each with the reason why it stays.

    Raises EngineError, LabError (`labs-there`).
    """
    from labctl.lab.machine.clean import Left, clean_images

    found = clean_images(engine or connect(), report or (lambda name: None), force=force, dry_run=dry_run)
    return *found, *(Left("folder", str(folder), why) for folder, why in staying.items() if folder.is_dir())


def prepare(engine: Engine | None = None, report: Callable[[str], None] | None = None) -> None:
    """Sees to it that the helpers' image is there. Raises EngineError."""
    from labctl.api.place import PROBE_LIMIT
    from labctl.lab.images.needed import ensure_probe

    ensure_probe(engine or connect(), report or (lambda text: None), PROBE_LIMIT)
