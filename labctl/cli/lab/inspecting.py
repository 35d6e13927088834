"""The command that tells all of a node: inspect."""

from __future__ import annotations

from labctl.cli import output
from labctl.cli.lab.looking import Nodes
from labctl.cli.options import Json, LabName


def inspect(nodes: Nodes = None, lab: LabName = None, as_json: Json = False) -> None:
    """Show all that is known of nodes: program, addresses, ports, limits, rights, files, how the last run ended."""
    from labctl.cli.chosen import lab_of
    from labctl.render.inside.inspected import node

    found = lab_of(lab)
    inspected = found.inspect(*nodes or ())
    if as_json:
        output.document({"lab": found.name, "nodes": [item.as_json() for item in inspected]})
    else:
        output.data("\n\n".join(node(item, colour=output.colour()) for item in inspected))
