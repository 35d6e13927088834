"""The lab that a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.api.place import Place, look
from labctl.cli.context import FORCE, asked_name, consent
from labctl.cli.output import Progress, Settings, talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.api.lab import Lab
    from labctl.api.parts.keyboard import Keyboard
    from labctl.api.place import Standing


class Chosen(Place):
    """A lab that is looked for once: a command is short. Before something is done to somebody else's, a terminal is
    asked, and it shows how the helpers' image is made."""

    mend = FORCE

    def __init__(self, name: str | None) -> None:
        engine, found = look(asked_name(name))
        super().__init__(engine, found.name, found=found)
        for machine, why in self.missing().items():
            talk(f"warning: {machine} does not answer, and what it has of {self.name} is left out ({why})")
        Settings.lab = self
        self._may_be_changed = False
        if Settings.changes:
            self.changeable()

    def check(self, standing: Standing) -> None:
        if not self._may_be_changed:
            consent(lambda: super(Chosen, self).check(standing))
            self._may_be_changed = True

    def prepare(self, report: Callable[[str], None] | None = None) -> None:
        with Progress("preparing") as told:
            super().prepare(report or told)


def lab_of(name: str | None) -> Lab:
    """The lab that an option means: that name, LABCTL_LAB's, or the only one. Raises LabError."""
    from labctl.api.lab import Lab

    return Lab.at(Chosen(name))


def keyboard_of(lab: str | None, node: str) -> Keyboard:
    """A node's keyboard, for who needs no more of a lab: the rest of it takes a while to be imported."""
    from labctl.api.parts.keyboard import Keyboard

    return Keyboard(Chosen(lab), node)
