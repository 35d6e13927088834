"""A picture as a Mermaid flowchart: networks are hexagons, addresses stand on the lines."""

from __future__ import annotations

from labctl.lab.drawing.picture import DrawnNetwork, DrawnNode, Picture
from labctl.render.text import printable

_PLAIN = frozenset(" .:/-_,()+@*")


def draw(picture: Picture) -> str:
    """The picture as Mermaid text, for a fence of Markdown or a .mmd file."""
    nets = {net.name: f"net{number}" for number, net in enumerate(picture.networks)}
    nodes = picture.ids()
    routes: dict[str, list[str]] = {}
    for route in picture.routes:
        routes.setdefault(route.node, []).append(route.route)
    lines = ["flowchart TB", f"  accTitle: {_escaped(picture.heading)}"]
    if picture.prose:
        lines.append(f"  accDescr: {_escaped(picture.prose)}")
    lines += [f'  {nets[net.name]}{{{{"{_network(net)}"}}}}:::network' for net in picture.networks]
    for node in picture.nodes:
        label = _node(node, routes.get(node.name, []))
        shape = f'(["{label}"]):::router' if node.is_router else f'["{label}"]'
        lines.append(f"  {nodes[node.name]}{shape}{':::quiet' if node.note and not node.is_router else ''}")
    for item in picture.attachments:
        address = f'|"{_lines(*item.addresses)}"|' if item.addresses else ""
        lines.append(f"  {nets[item.network]} ---{address} {nodes[item.node]}")
    for link in picture.links:
        # A condition on a name that is no node here (of a service that runs several times, say) has no line.
        if link.a in nodes and link.b in nodes:
            arrow = f'{"<" if link.both else ""}-. "{_escaped(link.condition)}" .->'
            lines.append(f"  {nodes[link.a]} {arrow} {nodes[link.b]}")
    lines += [
        "  classDef network stroke-width:3px",
        "  classDef router stroke-width:3px",
        "  classDef quiet stroke-dasharray:5 4",
    ]
    return "\n".join(lines)


def _network(net: DrawnNetwork) -> str:
    return _lines(net.name, *net.facts)


def _node(node: DrawnNode, routes: list[str]) -> str:
    name = f"<b>{_escaped(node.name)}</b>"
    rest = _lines(*(text for text in (node.kind, node.where, node.note, *node.published, *routes) if text))
    return f"{name}<br/>{rest}" if rest else name


def _lines(*texts: str) -> str:
    return "<br/>".join(map(_escaped, texts))


def _escaped(text: str) -> str:
    """Everything that could mean something to Mermaid or to HTML as the number of its character."""
    return "".join(
        character if character.isalnum() or character in _PLAIN else f"#{ord(character)};"
        for character in printable(text)
    )
