"""Where everything of a picture goes: networks are bars one below the other, and no label can meet another.

The nodes of one network hang in rows on its bar. A node on several networks (a router, mostly) stands to their right in
a lane of its own width, on a line that goes up and down to the bars of its networks and passes behind those of others.
Two such nodes share a lane where one ends above the bar at which the other begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from labctl.lab.drawing.picture import MACHINE, NOWHERE, Attachment, DrawnNetwork, DrawnNode, Picture
from labctl.render.graph.card import Card, card
from labctl.render.graph.metrics import ADDRESS, HEADING, NETWORK, PROSE, ROLE, SUBNET, TOPIC, Style
from labctl.render.graph.shapes import Dot, Drawing, Label, Line
from labctl.render.text import printable

MARGIN = 28.0
GAP = 14.0  # between frames, side by side
STEM = 18.0  # from a bar to the frames on it
ROW = 22.0  # between a row of frames and the next bar of the same network
BAND = 30.0  # between a network's lowest frame and the next network's name
TITLE = 30.0  # from a network's name to its bar
LANE = 34.0  # between lanes
AIR = 9.0  # around an address on a line
PASS = 6.0  # what a line leaves free of a bar that it passes behind
NARROWEST, USUAL = 560.0, 1000.0
SHAPE = 1.6  # a large picture is about so much wider than high


@dataclass
class _Lane:
    """A node on several networks, with its place: the lane's number, and the network under whose bar it stands."""

    card: Card
    at: dict[int, tuple[str, ...]]  # its addresses on each network, by number
    column: int = 0

    @property
    def first(self) -> int:
        return min(self.at)

    @property
    def last(self) -> int:
        return max(self.at)

    @property
    def home(self) -> int:
        return sorted(self.at)[(len(self.at) - 1) // 2]

    @property
    def width(self) -> float:
        texts = [address for addresses in self.at.values() for address in addresses]
        return max(self.card.width, *(ADDRESS.extent(text) + 8 for text in texts), 0)

    def room(self, network: int) -> float:
        """What its addresses on a network take along the line."""
        return len(self.at[network]) * ADDRESS.pitch + 2 * AIR if self.at[network] else 2 * AIR


def arrange(picture: Picture) -> Drawing:
    """The drawing of a picture; the same for the same picture, always."""
    return _Arrangement(picture).run()


class _Arrangement:
    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._drawing = Drawing()
        self._number = {net.name: number for number, net in enumerate(picture.networks)}
        links: dict[str, list[int]] = {}
        for number, link in enumerate(picture.links, 1):
            for end in dict.fromkeys((link.a, link.b)):
                links.setdefault(end, []).append(number)
        everywhere = picture.networks_of()
        self._hosts: list[list[Card]] = [[] for _ in picture.networks]
        self._lanes: list[_Lane] = []
        self._alone: list[Card] = []
        for node in picture.nodes:
            mine = {number for name in (node.name, *node.members) for number in links.get(name, [])}
            self._sort_in(node, everywhere[node.name], sorted(mine))
        cards = [card for row in (*self._hosts, self._alone) for card in row]
        area = sum((card.width + GAP) * (card.height + STEM + ROW) for card in cards)
        self._room = max(USUAL, math.sqrt(area * SHAPE), *(card.width for card in cards), 0)

    def _sort_in(self, node: DrawnNode, attachments: list[Attachment], links: list[int]) -> None:
        if not attachments:
            self._alone.append(card(node, (), links))
        elif len(attachments) == 1:
            own = attachments[0]
            self._hosts[self._number[own.network]].append(card(node, own.addresses, links))
        else:
            at = {self._number[item.network]: tuple(map(printable, item.addresses)) for item in attachments}
            self._lanes.append(_Lane(card(node, (), links), at))

    def run(self) -> Drawing:
        left = self._grid_width() + MARGIN
        lanes = self._place_lanes(left)
        right = max([left, *(middle + width / 2 for middle, width in lanes)])
        self._drawing.width = max(right + MARGIN, NARROWEST, self._heading_width())
        y = self._head()
        y = self._networks(y, left, [middle for middle, _ in lanes])
        y = self._foot(y)
        self._drawing.height = y + MARGIN - BAND
        return self._drawing

    # Widths

    def _grid_width(self) -> float:
        titles = [_title_width(net) for net in self._picture.networks]
        rows = [row_width for cards in (*self._hosts, self._alone) for _, row_width in _rows(cards, self._room)]
        return max([160.0, *titles, *rows])

    def _heading_width(self) -> float:
        # A heading may be long: it is wrapped, at its longest word in the worst case.
        words = [HEADING.extent(word) for word in self._picture.heading.split()]
        return min(USUAL, max(words, default=0)) + 2 * MARGIN

    def _place_lanes(self, left: float) -> list[tuple[float, float]]:
        """Each lane's middle and width."""
        ends: list[int] = []
        widths: list[float] = []
        for lane in sorted(self._lanes, key=lambda lane: (lane.first, lane.last)):
            free = next((number for number, end in enumerate(ends) if end < lane.first), len(ends))
            if free == len(ends):
                ends.append(0)
                widths.append(0.0)
            lane.column = free
            ends[free] = lane.last
            widths[free] = max(widths[free], lane.width)
        found, x = [], left
        for width in widths:
            found.append((x + LANE + width / 2, width))
            x += LANE + width
        return found

    # From top to bottom

    def _head(self) -> float:
        y = self._prose(printable(self._picture.heading), HEADING, MARGIN - 14)
        if self._picture.prose:
            y = self._prose(printable(self._picture.prose), PROSE, y)
        return y + 20

    def _prose(self, text: str, style: Style, y: float, indent: float = 0.0) -> float:
        """Adds a text in as many lines as it takes; where it ends. All but the first line are indented."""
        x = MARGIN
        for line in _wrapped(text, style, self._drawing.width - 2 * MARGIN - indent):
            y += style.pitch
            self._drawing.labels.append(Label(line, style, x, y))
            x = MARGIN + indent
        return y

    def _networks(self, y: float, right: float, middles: Sequence[float]) -> float:
        bars: list[float] = []
        for number, network in enumerate(self._picture.networks):
            bar = max(y + TITLE, self._after_lanes(number, bars))
            bars.append(bar)
            self._title(network, bar - 12)
            reached = [middles[lane.column] for lane in self._lanes if number in lane.at]
            y = self._rows(self._hosts[number], number, bar, right, reached) + BAND
        for lane in self._lanes:
            self._lane(lane, middles[lane.column], bars)
        if not self._number and not self._alone:
            self._drawing.labels.append(Label("no nodes, no networks", ROLE, MARGIN, y + 16))
            return y + 16 + BAND
        for title, on_machine in ((MACHINE, True), (NOWHERE, False)):
            cards = [card for card in self._alone if card.node.on_machine is on_machine]
            if cards:
                self._drawing.labels.append(Label(title, ROLE, MARGIN, y + 16))
                y = self._frames(cards, None, y + 26 - STEM) + BAND
        return y

    def _title(self, network: DrawnNetwork, y: float) -> None:
        name = printable(network.name)
        self._drawing.labels.append(Label(name, NETWORK, MARGIN, y))
        if network.facts:
            x = MARGIN + NETWORK.extent(name) + 12
            self._drawing.labels.append(Label(printable(", ".join(network.facts)), SUBNET, x, y))

    def _after_lanes(self, number: int, bars: list[float]) -> float:
        """The earliest place for a bar that leaves the lanes between it and the bar before their room."""
        needed = 0.0
        for lane in self._lanes:
            if lane.first < number <= lane.last:
                before = number - 1
                room = lane.room(before) if before in lane.at and before <= lane.home else PASS
                room += lane.card.height if before == lane.home else 0
                room += lane.room(number) if number in lane.at and number > lane.home else STEM
                needed = max(needed, bars[before] + room + STEM)
        return needed

    def _rows(self, cards: list[Card], number: int, bar: float, right: float, reached: list[float]) -> float:
        self._drawing.lines.append(Line("bar", number, MARGIN, bar, max([right, *reached]), bar))
        if cards:
            return self._frames(cards, number, bar)
        if not reached:
            self._drawing.labels.append(Label("no nodes", ROLE, MARGIN, bar + 22))
        return bar + 24

    def _frames(self, cards: list[Card], number: int | None, bar: float) -> float:
        """The frames of one network in rows, each under a bar of its own, all of which are one; where they end."""
        top = end = bar
        for place, (row, _) in enumerate(_rows(cards, self._room)):
            bar = end + ROW if place else bar
            x = middle = MARGIN + (GAP if number is not None else 0)
            for item, wide in row:
                middle = x + wide / 2
                if number is not None:
                    self._drawing.lines.append(Line("stem", number, middle, bar, middle, bar + STEM))
                item.place(self._drawing, x, bar + STEM, wide)
                end = max(end, bar + STEM + item.height)
                x += wide + GAP
            if number is not None and place:
                self._drawing.lines.append(Line("bar", number, MARGIN, bar, middle, bar))
        if number is not None and bar > top:
            self._drawing.lines.append(Line("bar", number, MARGIN, top, MARGIN, bar))
        return end

    def _lane(self, lane: _Lane, x: float, bars: list[float]) -> None:
        """A node on several networks: its frame, the line through it, and its addresses where it meets the bars."""
        top = bars[lane.home] + lane.room(lane.home)
        bottom = top + lane.card.height
        lane.card.place(self._drawing, x - lane.card.width / 2, top, lane.card.width)
        # What the line leaves free: the frame, addresses near their bars, and bars that it passes behind.
        free = [(top, bottom)]
        for number in range(lane.first, lane.last + 1):
            bar = bars[number]
            if number not in lane.at:
                free.append((bar - PASS, bar + PASS))
                continue
            self._drawing.dots.append(Dot(number, x, bar))
            height = len(lane.at[number]) * ADDRESS.pitch
            first = bar + AIR if number <= lane.home else bar - AIR - height
            free.append((first, first + height))
            for place, text in enumerate(lane.at[number]):
                base = first + (place + 0.5) * ADDRESS.pitch + (ADDRESS.ascent - ADDRESS.descent) / 2
                self._drawing.labels.append(Label(text, ADDRESS, x, base, True))
        at = bars[lane.first]
        for start, end in (*sorted(free), (bars[lane.last], 0.0)):
            if start > at:
                self._drawing.lines.append(Line("spine", lane.home, x, at, x, start))
            at = max(at, end)

    def _foot(self, y: float) -> float:
        from labctl.render.graph.text import grouped_routes

        links = [
            f"{number}.  {link.a} {'↔' if link.both else '→'} {link.b}:  {link.condition}"
            for number, link in enumerate(self._picture.links, 1)
        ]
        for topic, texts in (("Conditions on links", links), ("Routes", grouped_routes(self._picture))):
            if texts:
                y = self._prose(topic, TOPIC, y)
                for text in texts:
                    y = self._prose(printable(text), PROSE, y + 2, indent=20.0)
                y += 16
        return y + BAND - 16 if self._picture.links or self._picture.routes else y


def _title_width(network: DrawnNetwork) -> float:
    subnets = printable(", ".join(network.facts))
    return NETWORK.extent(printable(network.name)) + (12 + SUBNET.extent(subnets) if subnets else 0)


def _rows(cards: list[Card], room: float) -> list[tuple[list[tuple[Card, float]], float]]:
    """The cards, each with its width, in rows of about the same length that fit; and each row's width."""
    if not cards:
        return []
    usual = sorted(card.width for card in cards)[len(cards) // 2]
    widest = max(card.width for card in cards)
    common = widest if widest <= 1.3 * usual else 0.0  # few wide ones don't make all wide
    sized = [(card, max(common, card.width)) for card in cards]
    count = max(1, math.ceil(sum(width + GAP for _, width in sized) / (room + GAP)))
    rows: list[list[tuple[Card, float]]] = [[]]
    most = math.ceil(len(cards) / count)
    for item in sized:
        used = sum(width + GAP for _, width in rows[-1])
        if rows[-1] and (used + item[1] > room or (common and len(rows[-1]) >= most)):
            rows.append([])
        rows[-1].append(item)
    return [(row, GAP + sum(width + GAP for _, width in row)) for row in rows]


def _wrapped(text: str, style: Style, room: float) -> list[str]:
    """The text in lines that fit, cut between words, and inside one only where it is longer itself."""
    lines = [""]
    for word in text.split(" "):
        grown = f"{lines[-1]} {word}" if lines[-1] else word
        if style.extent(grown) <= room:
            lines[-1] = grown
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and style.extent(lines[-1] + character) > room:
                lines.append("")
            lines[-1] += character
    return lines
