"""Where a lab is, for all that is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.engine.model import Engine
    from labctl.errors import LabError
    from labctl.lab.model import Lab as Lab
    from labctl.lab.model import Node
    from labctl.lab.owners import Standing as Standing

    FoundNode = Node

MEND = "labctl.find(NAME, force=True) gives a lab that may be changed all the same"
PROBE_LIMIT = 600.0  # seconds for building the helpers' image


class Place:
    """A lab on its engine, as it is found whenever something is done: nodes come and go.

    `found`: it is looked for no more, which saves who does one thing a way to the engine each time. `force`: somebody
    else's may be changed, too.
    """

    mend = MEND  # what to do where it is somebody else's

    def __init__(self, engine: Engine, name: str, *, force: bool = False, found: Lab | None = None) -> None:
        self.engine, self.name, self.force = engine, name, force
        self._found = found

    def find(self) -> Lab:
        """Raises LabNotFound."""
        from labctl.lab.model import find

        return self._found or find(self.engine, self.name)

    def changeable(self) -> Lab:
        """The lab, for what changes something. Raises ForeignLab where it is somebody else's, LabNotFound."""
        found = self.find()
        self.check(found.standing)
        return found

    def check(self, standing: Standing) -> None:
        """Raises ForeignLab where it is somebody else's, and may not be changed."""
        if not self.force:
            from labctl.lab.owners import refuse_anothers

            refuse_anothers(self.engine, self.name, standing, self.mend)

    def missing(self) -> dict[str, str]:
        """The machines of the lab that do not answer, and why."""
        from labctl.lab import spanning

        return spanning.missing(self.engine, self.find())

    def told(self, problem: LabError) -> LabError:
        """An error, which begins with what became of the nodes that it is about, where any of them has ended."""
        from labctl.lab.life import fate

        return fate.told(self.engine, self.find(), problem)

    def prepare(self, report: Callable[[str], None] | None = None) -> None:
        """Sees to it that the image of helpers is there: they hold the privileges that nodes don't have."""
        from labctl.lab.images.needed import ensure_probe

        ensure_probe(self.engine, report or (lambda text: None), PROBE_LIMIT)

    def prepared(self) -> Lab:
        """The lab, once the image of helpers is there."""
        self.prepare()
        return self.find()

    def breakable(self) -> Lab:
        """The same, for what changes something. Raises ForeignLab where it is somebody else's."""
        self.prepare()
        return self.changeable()


def look(name: str | None, engine: Engine | None = None) -> tuple[Engine, Lab]:
    """The lab that is meant, as `labctl.find` has it: what a Place is made of that looks no more. Raises LabNotFound,
    EngineError."""
    from labctl.engine import connect_all
    from labctl.lab import spanning

    return spanning.find(engine or connect_all(), name)
