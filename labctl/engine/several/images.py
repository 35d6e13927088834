"""Images for all machines, where there is no registry: what one has, the others get by save and load."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from labctl.engine.at_once import at_once
from labctl.engine.projects import Report
from labctl.engine.swarm import MachineEngine
from labctl.errors import LabError


def missing(source: MachineEngine, targets: Mapping[str, MachineEngine], names: Sequence[str]) -> dict[str, list[str]]:
    """Which of some images, that the source has, each machine has not, or another one of that name. Raises LabError."""
    wanted = {name: image.id for name in dict.fromkeys(names) if (image := source.image(name))}
    found: dict[str, list[str]] = {}

    def look(machine: str, engine: MachineEngine) -> None:
        lacking = [name for name, ident in wanted.items() if (there := engine.image(name)) is None or there.id != ident]
        if lacking:
            found[machine] = lacking

    at_once([partial(look, machine, engine) for machine, engine in targets.items()])
    return {machine: found[machine] for machine in targets if machine in found}


def send(
    source: MachineEngine, targets: Mapping[str, MachineEngine], names: Sequence[str], report: Report, limit: float
) -> None:
    """What is missing is saved once, to a file that is gone afterwards, and loaded by each that lacks some of it.

    Raises LabError `image-not-sent`.
    """
    lacking = missing(source, targets, names)
    if not lacking:
        return
    every = sorted({name for several in lacking.values() for name in several})
    report(f"sending {', '.join(every)} to {', '.join(lacking)}")
    with tempfile.TemporaryDirectory(prefix="labctl-images-") as folder:
        archive = Path(folder, "images.tar")
        source.save_images(every, archive, limit)

        def load(machine: str) -> None:
            why = targets[machine].load_images(archive, limit)
            if why:
                raise LabError("image-not-sent", images=", ".join(lacking[machine]), machine=machine, why=why)
            report(f"{machine} has {', '.join(lacking[machine])}")

        at_once([partial(load, machine) for machine in lacking])
