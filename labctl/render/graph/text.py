"""A picture for a terminal: each network is a bar with its nodes as boxes on it, or, where many, a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from labctl.lab.drawing.picture import MACHINE, NOWHERE, Attachment, DrawnNetwork, DrawnNode, Picture
from labctl.render.text import colour_of, fitted, padded, paint, printable, width, wrapped

MOST_NAMED = 3  # other networks of a node; more are counted
NARROWEST, USUAL = 40, 80  # columns: less is not asked for, and what there is where nothing tells the width


@dataclass(frozen=True)
class _Item:
    """A node as one network shows it: its name, then what is known of it there."""

    node: DrawnNode
    name: str
    role: str
    addresses: tuple[str, ...]
    elsewhere: tuple[str, ...]
    least: int = 0  # columns

    @property
    def address(self) -> str:
        return ", ".join(self.addresses)

    @property
    def details(self) -> tuple[str, ...]:
        """The lines under its name."""
        return tuple(text for text in (self.role, *self.addresses, *self.elsewhere) if text)

    @property
    def inside(self) -> int:
        """Columns between a box's borders."""
        return max(self.least, *map(width, (self.name, *self.details)))


_CELLS: tuple[Callable[[_Item], str], ...] = (
    lambda item: item.name,
    lambda item: item.role,
    lambda item: item.address,
    lambda item: ", ".join(item.elsewhere),
)


def draw(picture: Picture, *, columns: int | None = None, colour: bool = False) -> str:
    """The picture as text, no line of which is wider than `columns`."""
    room = max(NARROWEST, columns or USUAL)
    lines = [*wrapped(printable(picture.heading), room)]
    if picture.prose:
        lines += wrapped(printable(picture.prose), room)
    everywhere = picture.networks_of()
    nodes = {node.name: node for node in picture.nodes}
    for network in picture.networks:
        items = [_item(nodes[here.node], here, everywhere) for here in picture.attachments_of(network.name)]
        lines += ["", *wrapped(printable(_title(network)), room), *_network(items, room, colour)]
    if not picture.nodes and not picture.networks:
        lines += ["", "no nodes, no networks"]
    lines += _below(picture, everywhere, room)
    return "\n".join(line.rstrip() for line in lines)


def _title(network: DrawnNetwork) -> str:
    return "  ".join((network.name, ", ".join(network.facts))).rstrip()


def _item(node: DrawnNode, here: Attachment, everywhere: dict[str, list[Attachment]]) -> _Item:
    others = [item for item in everywhere[node.name] if item.network != here.network]
    word = "to" if node.is_router else "also on"
    elsewhere = [f"{word} {item.network}" for item in others]
    if len(others) > MOST_NAMED:
        elsewhere = [f"{word} {len(others)} other networks"]
    name = f"{node.name} ({node.note})" if node.note else node.name
    addresses = tuple(map(printable, here.addresses))
    return _Item(node, printable(name), printable(node.kind or ""), addresses, tuple(map(printable, elsewhere)))


def _network(items: Sequence[_Item], room: int, colour: bool) -> list[str]:
    if not items:
        return ["═" * min(room, 24), "(no nodes)"]
    rows = _rows(items, room)
    return _boxes(rows, colour) if rows else _list(items, room, colour)


# Boxes on a bar


def _rows(items: Sequence[_Item], room: int) -> list[Sequence[_Item]]:
    """The items in one row, or in two of about the same length; none where they don't fit."""
    if _row_width(items) <= room:
        return [items]
    widest = max(item.inside for item in items)
    even = [replace(item, least=widest) for item in items]  # two rows of boxes look better when all are of one width
    for some in (even, items):
        for cut in range((len(items) + 1) // 2, len(items)):
            if max(_row_width(some[:cut]), _row_width(some[cut:])) <= room:
                return [some[:cut], some[cut:]]
    return []


def _row_width(row: Iterable[_Item]) -> int:
    return sum(item.inside + 5 for item in row) + 1  # borders, blanks and a gap each; the bar ends beside them


def _boxes(rows: list[Sequence[_Item]], colour: bool) -> list[str]:
    above, below = (rows[0], rows[1]) if len(rows) == 2 else ((), rows[0])
    bar = ["═"] * max(map(_row_width, rows))
    for row, alone, crossed in ((above, "╧", "╪"), (below, "╤", "╪")):
        for at in _taps(row):
            bar[at] = alone if bar[at] == "═" else crossed
    # Those above stand on the bar: the shorter ones get their blank lines on top.
    return [*_row(above, colour, hangs=False), "".join(bar), *_row(below, colour, hangs=True)]


def _taps(row: Iterable[_Item]) -> list[int]:
    found, at = [], 1
    for item in row:
        found.append(at + (item.inside + 4) // 2)
        at += item.inside + 5
    return found


def _row(row: Sequence[_Item], colour: bool, *, hangs: bool) -> list[str]:
    boxes = [_box(item, colour, hangs=hangs) for item in row]
    height = max(map(len, boxes), default=0)
    filled = []
    for item, box in zip(row, boxes, strict=True):
        blank = [" " * (item.inside + 4)] * (height - len(box))
        filled.append(box + blank if hangs else blank + box)
    return [" " + " ".join(parts) for parts in zip(*filled, strict=True)]


def _box(item: _Item, colour: bool, *, hangs: bool) -> list[str]:
    inside = item.inside
    router = item.node.is_router
    line, side, corners = ("═", "║", "╔╗╚╝") if router else ("─", "│", "┌┐└┘")
    tap = ("╧" if hangs else "╤") if router else ("┴" if hangs else "┬")
    plain = line * (inside + 2)
    at = (inside + 4) // 2 - 1
    tapped = plain[:at] + tap + plain[at + 1 :]
    name = paint(padded(item.name, inside), colour_of(item.node.name), colour)
    return [
        corners[0] + (tapped if hangs else plain) + corners[1],
        *(f"{side} {text} {side}" for text in (name, *(padded(text, inside) for text in item.details))),
        corners[2] + (plain if hangs else tapped) + corners[3],
    ]


# A list along a bar


def _list(items: Sequence[_Item], room: int, colour: bool) -> list[str]:
    """A line for each node; one that is too long for its columns takes several."""
    short = [item for item in items if width(item.name) <= room // 3 and width(item.address) <= room // 3]
    columns = [max((width(cell(item)) for item in short), default=0) for cell in _CELLS]
    lines = ["║"]
    for number, item in enumerate(items):
        last = number == len(items) - 1
        tee = ("╚══ " if last else "╠══ ") if item.node.is_router else ("╙── " if last else "╟── ")
        name, *rest = (padded(cell(item), space) for cell, space in zip(_CELLS, columns, strict=True))
        line = "  ".join((name, *rest)).rstrip()
        if item in short and 4 + width(line) <= room:
            lines.append(tee + paint(name, colour_of(item.node.name), colour) + line[len(name) :])
            continue
        lines.append(tee + paint(fitted(item.name, room - 4), colour_of(item.node.name), colour))
        more = wrapped(" ".join(cell(item) for cell in _CELLS[1:]), room - 6)
        lines += [f"{' ' if last else '║'}     {text}" for text in more]
    return lines


# What stands under the networks


def _below(picture: Picture, everywhere: dict[str, list[Attachment]], room: int) -> list[str]:
    alone = [node for node in picture.nodes if not everywhere[node.name]]
    published = [f"{node.name}: {port}" for node in picture.nodes for port in node.published]
    links = [f"{link.a} {'<->' if link.both else '->'} {link.b}: {link.condition}" for link in picture.links]
    parts = (
        (MACHINE, [_alone(node) for node in alone if node.on_machine]),
        (NOWHERE, [_alone(node) for node in alone if not node.on_machine]),
        ("published on this machine", published),
        ("routes", grouped_routes(picture)),
        ("conditions on links", links),
    )
    lines = []
    for title, texts in parts:
        if texts:
            lines += ["", title]
        for text in texts:
            first, *more = wrapped(printable(text), room - 4)
            lines += ["  " + first, *("    " + line for line in more)]
    return lines


def _alone(node: DrawnNode) -> str:
    known = ", ".join(text for text in (node.kind, node.note) if text)
    return f"{node.name} ({known})" if known else node.name


def grouped_routes(picture: Picture) -> list[str]:
    """`alice, bob: default via router`: nodes that have the same routes together."""
    routes: dict[str, list[str]] = {}
    for item in picture.routes:
        routes.setdefault(item.node, []).append(item.route)
    nodes: dict[tuple[str, ...], list[str]] = {}
    for node, found in routes.items():
        nodes.setdefault(tuple(found), []).append(node)
    return [f"{', '.join(names)}: {', '.join(found)}" for found, names in nodes.items()]
