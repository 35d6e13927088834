"""A ladder, as a program gets it: rows to look at, and pictures to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl.packets.ladder import ladder
    from labctl.packets.ladder.ladder import Arrow, Moment


@dataclass(frozen=True)
class Ladder:
    """What two nodes sent each other, as both of them saw it.

    `drawn` is the ladder as data (labctl.packets.ladder): times in nanoseconds since the epoch, UTC, by the nodes'
    clock; lengths in bytes; latencies in nanoseconds.
    """

    drawn: ladder.Ladder = field(repr=False)

    @property
    def left(self) -> str:
        """The name of the node at the left."""
        return self.drawn.left.name

    @property
    def right(self) -> str:
        """The name of the node at the right."""
        return self.drawn.right.name

    @property
    def rows(self) -> tuple[Arrow | Moment, ...]:
        """Packets (`Arrow`), and of an x-ray also system calls and changes of state (`Moment`), in order of time."""
        return tuple(self.drawn.rows)

    @property
    def arrows(self) -> tuple[Arrow, ...]:
        """The packets, in order of time: `fate`, `marks`, `faults`, `segment` say what became of each, and why."""
        return self.drawn.arrows

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Of an x-ray: system calls and changes of sockets' states that no packet tells of, in order of time."""
        return self.drawn.moments

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of it besides, as sentences: what could not be recorded, what was left out."""
        return self.drawn.notes

    def text(self, *, columns: int = 100, colour: bool = False) -> str:
        """As `labctl ladder` prints it, in lines of at most so many columns (60 at least); `colour` by ECMA-48."""
        from labctl.render.ladder import text

        return text.draw(self.drawn, columns=columns, colour=colour)

    def svg(self) -> str:
        """As a picture that stands alone."""
        from labctl.render.ladder import svg

        return svg.draw(self.drawn)

    def mermaid(self) -> str:
        """As a sequence diagram of Mermaid, cut where it would be too long for that."""
        from labctl.render.ladder import mermaid

        return mermaid.draw(self.drawn)

    def as_json(self) -> dict[str, Any]:
        """As `labctl ladder --json` has it: all of it, payloads in base64."""
        from labctl.render.ladder.document import document

        return document(self.drawn)

    def __str__(self) -> str:
        return self.text()
