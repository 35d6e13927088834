"""A host that runs somebody's own program, as a program has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labctl.api.node import Node
from labctl.lab.programs.ran import Ran
from labctl.lab.programs.run import run

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.cancel import Cancel
    from labctl.engine.model import Listening
    from labctl.lab import model
    from labctl.lab.programs.wanted import Wanted


class Program(Node):
    """A host that `Lab.run` made, and how its program began."""

    def __init__(self, lab: Lab, found: model.Node, ran: Ran) -> None:
        super().__init__(lab, found)
        self.ran = ran

    @property
    def began(self) -> str:
        """`ready` (it listens, or has printed what was expected), `running` (it listens nowhere), `done` (it has ended
        with status 0), or `started` where nobody waited."""
        return self.ran.state

    @property
    def listening(self) -> tuple[Listening, ...]:
        """Where it listened then, by its kernel's word."""
        return self.ran.seen.listening if self.ran.seen else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What its author should know: that it listens on 127.0.0.1 alone, files that it can't read."""
        return self.ran.notes

    def remove(self) -> None:
        """As Lab.remove."""
        self.lab.remove(self.name)

    def watch(
        self,
        show: Callable[[str, bool], None],
        changed: Callable[[str], None] | None = None,
        *,
        until: Cancel | None = None,
    ) -> None:
        """Starts it again, in its place, whenever a file of its folder changes, until `until` is cancelled. `show` is
        given each line that it prints, and whether that came by its standard error; `changed` what happens. Raises
        InvalidArgument where it has no folder, NodeNotFound where it was removed, Cancelled."""
        from labctl.lab.programs.watch import watch

        watch(self.lab.engine, self.lab.changeable(), self.name, show, changed or (lambda text: None), until=until)


def started(
    lab: Lab,
    what: Wanted,
    *,
    wait: bool,
    timeout: float,
    report: Callable[[str], None] | None,
) -> Program:
    """Raises as Lab.run does."""
    ran = run(lab.engine, lab.name, what, report or (lambda text: None), timeout=timeout, is_awaited=wait)
    return Program(lab, lab.snapshot().node(ran.node), ran)
