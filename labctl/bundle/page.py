"""A run as the document that the page shows (labctl.render.runs.document)."""

from __future__ import annotations

from typing import Any

from labctl.bundle import looks
from labctl.bundle.model import Run
from labctl.render.runs import document as documents


def document(run: Run) -> dict[str, Any]:
    """All of it; a packet's number is the one that `labctl packet --run` has for it."""
    numbered = documents.Packets()
    packets = [numbered.document(arrow, ladder, data=run.payload) for arrow, ladder in looks.packets(run)]
    topology = documents.topology(run.picture)
    made = documents.document(run.lab.name, topology, run.events, packets, run.faults, run.notes)
    sockets = [one.as_json() for one in run.sockets]
    return {**made, "saved": run.saved, "versions": dict(run.versions), "sockets": sockets}
