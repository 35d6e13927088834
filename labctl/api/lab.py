"""A lab, as a program has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from labctl.api.link import LinkedLab
from labctl.api.parts.captures import CapturedLab
from labctl.api.parts.inside import InsideLab
from labctl.api.parts.ladders import DrawnLab
from labctl.api.parts.life import LivingLab
from labctl.api.parts.reach import ReachingLab
from labctl.api.parts.running import RunningLab
from labctl.api.parts.seeing import SeenLab
from labctl.api.parts.telling import ToldLab
from labctl.api.place import Place
from labctl.api.saved.run import SavingLab
from labctl.cancel import Cancel
from labctl.lab import owners

if TYPE_CHECKING:
    from labctl.api.node import Node
    from labctl.engine.model import Engine
    from labctl.lab import model
    from labctl.lab.life.down import Removed
    from labctl.lab.owners import Owner


class Lab(LivingLab, ToldLab, DrawnLab, CapturedLab, SeenLab, InsideLab, ReachingLab, LinkedLab, RunningLab, SavingLab):
    """A lab on an engine; `labctl.up`, `labctl.find` and `labctl.labs` give them.

    It holds a name and no state: each method asks the engine how things are now, so each raises LabNotFound once the
    lab is gone, and EngineError where the engine doesn't answer or refuses. Several threads may use one Lab, or each
    its own; `cancel` ends what any of them waits for with this one.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        cancel: Cancel,
        *,
        takes_down: bool = False,
        force: bool = False,
        found: model.Lab | None = None,
    ) -> None:
        self.engine = engine
        self.name = name
        self._cancel = cancel
        self._takes_down = takes_down
        self._force = force
        self._place = Place(engine, name, force=force, found=found)

    @classmethod
    def at(cls, place: Place) -> Self:
        """The lab of a place, with what that says of how it is found and changed."""
        made = cls(place.engine, place.name, Cancel(), force=place.force)
        made._place = place
        return made

    def __repr__(self) -> str:
        return f"<labctl.Lab {self.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._takes_down:
            self.down()

    def snapshot(self) -> model.Lab:
        """The lab as it is now: its containers with their labels and addresses. Raises LabNotFound."""
        return self._place.find()

    def changeable(self) -> model.Lab:
        """As `snapshot`, for what changes something. Raises ForeignLab where it is somebody else's, LabNotFound."""
        return self._place.changeable()

    def prepare(self, report: Callable[[str], None] | None = None) -> None:
        """Sees to it that the helpers' image is there, as faults, captures, pings and traces need it: else the first of
        them builds it. Raises EngineError."""
        self._place.prepare(report)

    @property
    def owner(self) -> Owner | None:
        """Who made it; None where that isn't known."""
        return self.snapshot().standing.owner

    @property
    def is_mine(self) -> bool:
        """Whether the caller made it, or nobody is known to have."""
        return owners.is_mine(self.engine, self.owner)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, by name. Raises LabNotFound."""
        from labctl.api.node import Node

        return tuple(Node(self, found) for found in self.snapshot().nodes)

    def node(self, name: str) -> Node:
        """Raises NodeNotFound, which names those whose names are near."""
        from labctl.api.node import Node

        return Node(self, self.snapshot().node(name))

    def cancel(self) -> None:
        """Ends what is waited for with this Lab, in whichever thread: it raises Cancelled. `down` works all the same,
        and `labctl.find` gives the lab anew."""
        self._cancel.cancel()

    def down(self, *, report: Callable[[str], None] | None = None) -> Removed:
        """Removes the lab's containers, networks and volumes, and nothing else; how many there were.

        Where it is gone already, nothing is done. Raises ForeignLab, EngineError, LabTimeout where another labctl is at
        work on it.
        """
        from labctl.lab.life.down import down

        return down(self.engine.cancelled_by(), self.name, report or (lambda text: None), force=self._force)
