"""A picture of a lab or of a topology, as a program gets it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl.lab.drawing.picture import Picture


@dataclass(frozen=True)
class Graph:
    """Nodes, networks, addresses, routers, routes and conditions of links, of a lab or of a topology.

    `picture` is all of it as data (labctl.lab.drawing.picture); `notes` say what could not be found out.
    """

    picture: Picture = field(repr=False)
    notes: tuple[str, ...] = ()

    def text(self, *, columns: int | None = None, colour: bool = False) -> str:
        """As `labctl graph` prints it, in lines of at most so many columns; `colour` by ECMA-48."""
        from labctl.render.graph import text

        return text.draw(self.picture, columns=columns, colour=colour)

    def svg(self) -> str:
        """As a picture that stands alone."""
        from labctl.render.graph import svg

        return svg.draw(self.picture)

    def mermaid(self) -> str:
        """As a flowchart of Mermaid."""
        from labctl.render.graph import mermaid

        return mermaid.draw(self.picture)

    def dot(self) -> str:
        """For Graphviz."""
        from labctl.render.graph import dot

        return dot.draw(self.picture)

    def as_json(self) -> dict[str, Any]:
        """As `labctl graph --json` has it."""
        from labctl.render.graph.document import document

        return document(self.picture)

    def __str__(self) -> str:
        return self.text()
