"""Where everything of a ladder stands in a picture: time runs downwards, long pauses are drawn short.

What is said of a packet stands outside the lifeline that it starts from, beside its start, so that labels cover
neither each other nor any arrow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log10

from labctl.packets.ladder.ladder import Arrow, Ladder, Moment
from labctl.packets.tcp.segment import milliseconds
from labctl.render.graph.metrics import Style
from labctl.render.text import fitted, printable, quoted, wrapped

HEAD = Style("head", 13, bold=True)
NUMBERS = Style("numbers", 11, fixed=True)
SAID = Style("said", 12)
MARK = Style("mark", 12, bold=True)
PAUSE = Style("pause", 11)
NAME = Style("name", 15, bold=True)
ADDRESS = Style("address", 12, fixed=True)
NOTE = Style("note", 12)

SPAN = 330.0  # pixels between the lifelines
PAD, GAP = 18.0, 12.0
_LINE = 46  # columns of a label's line
_PAUSE = 20_000_000  # ns: a pause that is named


@dataclass(frozen=True, slots=True)
class Text:
    style: Style
    text: str
    x: float
    y: float
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow's line; `end`: head, cross or open."""

    x1: float
    y1: float
    x2: float
    y2: float
    phase: str
    end: str
    trouble: bool


@dataclass(frozen=True, slots=True)
class Dot:
    """Where a node did something, on its lifeline."""

    x: float
    y: float
    kind: str
    trouble: bool


@dataclass(slots=True)
class Drawing:
    width: float = 0
    height: float = 0
    left: float = 0
    right: float = 0
    top: float = 0
    bottom: float = 0
    texts: list[Text] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)


@dataclass(slots=True)
class _Block:
    """What is said of one arrow, and on which side (0 left, 1 right)."""

    side: int
    lines: list[tuple[Style, str]]

    @property
    def width(self) -> float:
        return max((style.extent(text) for style, text in self.lines), default=0)

    @property
    def height(self) -> float:
        return sum(style.pitch for style, _ in self.lines)


def arrange(ladder: Ladder) -> Drawing:
    """The ladder's drawing, in pixels."""
    blocks = _blocks(ladder) + [_told(moment, ladder.begin_ns) for moment in ladder.moments]
    heads = [_names(ladder, side) for side in (0, 1)]
    margins = [
        max([120.0, *(block.width for block in blocks if block.side == side), heads[side].width]) + PAD + GAP
        for side in (0, 1)
    ]
    drawing = Drawing(width=margins[0] + SPAN + margins[1], left=margins[0], right=margins[0] + SPAN)
    y = PAD
    for side, block in enumerate(heads):
        _place(drawing, block, side, y + NAME.ascent)
    drawing.top = y + max(block.height for block in heads) + 6
    starts, ends = _down(ladder, blocks, drawing.top)
    reach = [drawing.top + 30, *ends]
    for number, arrow in enumerate(ladder.arrows):
        block = blocks[number]
        told = (ends if _is_told_at_its_end(arrow) else starts)[number]
        reach.append(told + block.height)
        _place(drawing, block, block.side, told + 4)
        drawing.lines.append(_line(drawing, arrow, starts[number], ends[number]))
    for number, event in enumerate(ladder.moments, len(ladder.arrows)):
        block, y = blocks[number], starts[number]
        reach.append(y + block.height)
        _place(drawing, block, block.side, y + 4)
        drawing.dots.append(Dot(drawing.right if event.on_right else drawing.left, y, event.kind, event.trouble))
    _pauses(drawing, ladder, starts, ends)
    drawing.bottom = max(reach) + 10
    _foot(drawing, ladder)
    return drawing


def _names(ladder: Ladder, side: int) -> _Block:
    line = ladder.right if side else ladder.left
    addresses = [(ADDRESS, fitted(printable(text), 40)) for text in line.addresses[:3]]
    return _Block(side, [(NAME, fitted(printable(line.name), 30)), *addresses])


def _blocks(ladder: Ladder) -> list[_Block]:
    out: list[_Block] = []
    flow = ""
    for arrow in ladder.arrows:
        lines: list[tuple[Style, str]] = []
        if not arrow.copy:
            if arrow.flow != flow:
                flow = arrow.flow
                lines += [(NOTE, line) for line in wrapped(printable(flow), _LINE)]
            lines += _said(arrow, ladder.begin_ns, ladder.clock_error_ns)
        lines += [(MARK, line) for mark in arrow.marks for line in wrapped(printable(str(mark)), _LINE)]
        starts_left = arrow.rightwards != _is_told_at_its_end(arrow)
        out.append(_Block(0 if starts_left else 1, lines))
    return out


def _told(moment: Moment, begin: int) -> _Block:
    style = MARK if moment.trouble else NUMBERS
    lines = [(style, line) for line in wrapped(printable(moment.text), _LINE)[:3]]
    return _Block(int(moment.on_right), [*lines, (PAUSE, f"{(moment.at_ns - begin) / 1e9:.6f} s")])


def _is_told_at_its_end(arrow: Arrow) -> bool:
    """What is said of it stands where it arrives: its start is told already, or nobody knows it."""
    return arrow.copy or arrow.fate == "elsewhere"


def _said(arrow: Arrow, begin: int, error: int) -> list[tuple[Style, str]]:
    latency = arrow.took(error)
    took = "" if latency is None else f"  took {milliseconds(latency)}"
    lines: list[tuple[Style, str]] = [(HEAD, fitted(printable(arrow.label.head), _LINE))]
    if arrow.label.parts:
        lines += [(NUMBERS, line) for line in wrapped(printable("  ".join(arrow.label.parts)), _LINE)]
    if arrow.label.text:
        lines.append((SAID, fitted(quoted(arrow.label.text), 40)))
    lines.append((NUMBERS, f"{(arrow.at_ns - begin) / 1e9:.6f} s{took}"))
    return lines


def _place(drawing: Drawing, block: _Block, side: int, y: float) -> None:
    x, anchor = (drawing.right + GAP, "start") if side else (drawing.left - GAP, "end")
    for number, (style, text) in enumerate(block.lines):
        y += style.pitch if number else 0
        drawing.texts.append(Text(style, text, x, y, anchor))


def _down(ladder: Ladder, blocks: list[_Block], top: float) -> tuple[list[float], list[float]]:
    """How far down each arrow, and then each moment, starts and ends: in order of time, with room for what is said."""
    moments = [(moment.at_ns, number, False) for number, moment in enumerate(ladder.moments, len(ladder.arrows))]
    for number, arrow in enumerate(ladder.arrows):
        start = arrow.sent_ns if arrow.sent_ns is not None else arrow.at_ns
        end = start if arrow.arrived_ns is None else max(start, arrow.arrived_ns)
        moments.append((start, number, False))
        moments.append((end, number, True))
    moments.sort()
    starts, ends = [0.0] * len(blocks), [0.0] * len(blocks)
    free = [top + 16, top + 16]  # per side, where the last label ends
    y, before = top, moments[0][0] if moments else 0
    for moment, number, is_end in moments:
        if moment > before:
            y += 3 + min(42.0, 9 * log10(1 + (moment - before) / 20_000))
        block = blocks[number]
        packet = ladder.arrows[number] if number < len(ladder.arrows) else None
        if is_end == (packet is not None and _is_told_at_its_end(packet)):  # here the label stands
            y = max(y, free[block.side])
            free[block.side] = y + block.height + 8
        if is_end:
            y = max(y, starts[number] + (0 if packet is not None and packet.fate == "seen" else 7))
            ends[number] = y
        else:
            starts[number] = y
        before = moment
    return starts, ends


def _line(drawing: Drawing, arrow: Arrow, start: float, end: float) -> Line:
    x1, x2 = (drawing.left, drawing.right) if arrow.rightwards else (drawing.right, drawing.left)
    kind, y2 = "head", end
    middle = (x1 + x2) / 2
    if arrow.fate in ("lost", "unknown") and not arrow.copy:
        kind, x2 = ("cross" if arrow.fate == "lost" else "open"), middle
    elif arrow.fate == "elsewhere" and not arrow.copy:
        x1 = middle
    trouble = arrow.fate in ("lost", "elsewhere", "unknown") or arrow.copy
    return Line(x1, start, x2, y2, arrow.label.phase or "data", kind, trouble)


def _pauses(drawing: Drawing, ladder: Ladder, starts: list[float], ends: list[float]) -> None:
    """Says how long a pause is in which nothing was on its way."""
    spans = []
    for number, arrow in enumerate(ladder.arrows):
        first = arrow.sent_ns if arrow.sent_ns is not None else arrow.at_ns
        last = first if arrow.arrived_ns is None else max(first, arrow.arrived_ns)
        spans.append((first, last, starts[number], ends[number]))
    spans.sort()
    reached, down = (spans[0][1], spans[0][3]) if spans else (0, 0.0)
    for first, last, start, end in spans[1:]:
        if first - reached >= _PAUSE and start - down >= 18:
            middle = (drawing.left + drawing.right) / 2
            y = (start + down) / 2 + 4
            drawing.texts.append(Text(PAUSE, f"⋮ {milliseconds(first - reached)} ⋮", middle, y, "middle"))
        reached, down = max(reached, last), max(down, end)


def _foot(drawing: Drawing, ladder: Ladder) -> None:
    notes = []
    if not ladder.arrows:
        notes.append("No packet between the two.")
    if ladder.cut:
        notes.append(f"Cut here: {ladder.cut} more beyond the limit of {len(ladder.arrows)} arrows.")
    if ladder.hidden:
        notes.append(f"Not shown: {ladder.hidden} pure acknowledgements.")
    y = drawing.bottom + 20
    columns = max(40, int((drawing.width - 2 * PAD) / (NOTE.size * 0.66)))
    for text in (*notes, *ladder.notes):
        for line in wrapped(printable(text), columns):
            drawing.texts.append(Text(NOTE, line, PAD, y))
            y += NOTE.pitch
    drawing.height = y + PAD - 8
