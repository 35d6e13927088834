"""A run as the document that the page shows (labctl.render.runs.document)."""

from __future__ import annotations

from typing import Any

from labctl.bundle import garbage, looks
from labctl.bundle.model import Run
from labctl.render.runs import document as documents
from labctl.render.runs.shapes import Shapes


def document(run: Run) -> dict[str, Any]:
    """All of it; a packet's number is the one that `labctl packet --run` has for it."""
    shapes = Shapes()
    numbered = documents.Packets(shapes=shapes)
    with garbage.left_alone():
        packets = [numbered.document(arrow, ladder) for arrow, ladder in looks.packets(run)]
        topology = documents.topology(run.picture)
        made = documents.document(run.lab.name, topology, run.events, packets, run.faults, run.notes, shapes)
        sockets = [one.as_json() for one in run.sockets]
    return {**made, "saved": run.saved, "versions": dict(run.versions), "sockets": sockets}
