"""A picture for Graphviz: networks are coloured bars, addresses stand on the lines."""

from __future__ import annotations

from labctl.lab.drawing.picture import DrawnNode, Picture
from labctl.render.text import printable

MANY = 8  # nodes on one network: more are spread around it, else they would all stand in one long row


def draw(picture: Picture) -> str:
    """The picture in Graphviz's language."""
    nets = {net.name: f"net{number}" for number, net in enumerate(picture.networks)}
    nodes = picture.ids()
    routes: dict[str, list[str]] = {}
    for route in picture.routes:
        routes.setdefault(route.node, []).append(route.route)
    crowded = any(len(picture.attachments_of(name)) > MANY for name in nets)
    layout = "neato, overlap=false, sep=0.2, splines=true, len=2" if crowded else "dot, ranksep=0.6"
    lines = [
        f"graph {_quoted(picture.name)} {{",
        f"  graph [label={_quoted(picture.heading)}, labelloc=t, fontname={_quoted('sans-serif')}, layout={layout}]",
        '  node [shape=box, style="rounded,filled", fillcolor="#f8fafc", fontname="sans-serif", fontsize=11]',
        '  edge [fontname="monospace", fontsize=9]',
    ]
    for net in picture.networks:
        label = _quoted(net.name, *net.facts)
        lines.append(f'  {nets[net.name]} [label={label}, shape=hexagon, style=filled, fillcolor="#dbeafe"]')
    for node in picture.nodes:
        lines.append(f"  {nodes[node.name]} [label={_node(node, routes.get(node.name, []))}{_shape(node)}]")
    for item in picture.attachments:
        label = f" [label={_quoted(*item.addresses)}]" if item.addresses else ""
        lines.append(f"  {nets[item.network]} -- {nodes[item.node]}{label}")
    for link in picture.links:
        # A condition on a name that is no node here (of a service that runs several times, say) has no line.
        if link.a in nodes and link.b in nodes:
            ways = "both" if link.both else "forward"
            look = f'dir={ways}, style=dashed, color="#b45309", fontcolor="#b45309", constraint=false'
            lines.append(f"  {nodes[link.a]} -- {nodes[link.b]} [label={_quoted(link.condition)}, {look}]")
    return "\n".join([*lines, "}"])


def _node(node: DrawnNode, routes: list[str]) -> str:
    return _quoted(*(text for text in (node.name, node.kind, node.where, node.note, *node.published, *routes) if text))


def _shape(node: DrawnNode) -> str:
    if node.is_router:
        return ', shape=doubleoctagon, style=filled, fillcolor="#eef2ff"'
    return ', style="rounded,filled,dashed"' if node.note else ""


def _quoted(*lines: str) -> str:
    """One string of Graphviz: its own escapes (`\\n`, `\\N`, ...) and HTML's entities are text here."""
    safe = (printable(line).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(safe) + '"'
