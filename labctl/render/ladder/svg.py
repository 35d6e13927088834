"""A ladder as one SVG file: no script, nothing from outside, light or dark as the viewer is."""

from __future__ import annotations

from math import hypot
from xml.sax.saxutils import escape

from labctl.packets.ladder.ladder import Ladder
from labctl.render.graph.svg import DARK, LIGHT, MONO, SANS
from labctl.render.ladder.layout import PAUSE, Dot, Line, Text, arrange
from labctl.render.text import printable

# For each phase of a conversation, on light and on dark.
_HUES = {
    "handshake": ("#047857", "#34d399"),
    "data": ("#2563eb", "#60a5fa"),
    "close": ("#7c3aed", "#a78bfa"),
    "reset": ("#b91c1c", "#f87171"),
}


def draw(ladder: Ladder) -> str:
    """The ladder as SVG."""
    drawing = arrange(ladder)
    width, height = _number(drawing.width), _number(drawing.height)
    stays = [
        f'<path class="life" d="M{_number(x)} {_number(drawing.top)}V{_number(drawing.bottom)}"/>'
        for x in (drawing.left, drawing.right)
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="labctl-ladder" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-labelledby="labctl-ladder-title labctl-ladder-desc">',
        f'<title id="labctl-ladder-title">{_text(f"{ladder.left.name} and {ladder.right.name}")}</title>',
        f'<desc id="labctl-ladder-desc">{_text(_description(ladder))}</desc>',
        f"<style>{_style()}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="10"/>',
        *stays,
        *map(_arrow, drawing.lines),
        *map(_dot, drawing.dots),
        *map(_label, drawing.texts),
        "</svg>",
    ]
    return "\n".join(parts)


def _description(ladder: Ladder) -> str:
    lost = sum(arrow.fate == "lost" for arrow in ladder.arrows)
    return (
        f"{len(ladder.arrows)} packets between {ladder.left.name} and {ladder.right.name}, in order of time downwards; "
        f"{lost} of them lost. Long pauses are drawn short."
    )


def _arrow(line: Line) -> str:
    kind = f"p-{line.phase}" + (" trouble" if line.trouble else "")
    x1, y1, x2, y2 = line.x1, line.y1, line.x2, line.y2
    length = hypot(x2 - x1, y2 - y1) or 1.0
    along, down = (x2 - x1) / length, (y2 - y1) / length
    end = f"{_number(x2 - 3 * along)} {_number(y2 - 3 * down)}"
    out = f'<path class="{kind}" d="M{_number(x1)} {_number(y1)}L{end}"/>'
    if line.end == "cross":
        return (
            out
            + f'<path class="cross" d="M{_corner(x2, y2, -6, -6)}L{_corner(x2, y2, 6, 6)}'
            + (f'M{_corner(x2, y2, -6, 6)}L{_corner(x2, y2, 6, -6)}"/>')
        )
    if line.end == "open":
        return out + f'<circle class="open" cx="{_number(x2)}" cy="{_number(y2)}" r="5"/>'
    wings = [(x2 - 10 * along + side * 4.5 * down, y2 - 10 * down - side * 4.5 * along) for side in (1, -1)]
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in ((x2, y2), *wings))
    return out + f'<polygon class="{kind}" points="{points}"/>'


def _dot(dot: Dot) -> str:
    kind = f"dot {dot.kind}" + (" trouble" if dot.trouble else "")
    if dot.kind == "call":
        return f'<circle class="{kind}" cx="{_number(dot.x)}" cy="{_number(dot.y)}" r="4.5"/>'
    return f'<rect class="{kind}" x="{_number(dot.x - 4.5)}" y="{_number(dot.y - 4.5)}" width="9" height="9"/>'


def _corner(x: float, y: float, right: float, down: float) -> str:
    return f"{_number(x + right)} {_number(y + down)}"


def _label(text: Text) -> str:
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    return (
        f'<text class="{text.style.name}" x="{_number(text.x)}" y="{_number(text.y)}"{anchor}>{_text(text.text)}</text>'
    )


def _style() -> str:
    fixed = (
        f".labctl-ladder text{{font-family:{SANS};white-space:pre;direction:ltr}}"
        f".labctl-ladder .numbers,.labctl-ladder .address{{font-family:{MONO}}}"
        ".labctl-ladder .name{font-size:15px}.labctl-ladder .head{font-size:13px}"
        ".labctl-ladder .said,.labctl-ladder .mark,.labctl-ladder .note,.labctl-ladder .address{font-size:12px}"
        f".labctl-ladder .numbers,.labctl-ladder .pause{{font-size:{PAUSE.size}px}}"
        ".labctl-ladder .name,.labctl-ladder .head,.labctl-ladder .mark{font-weight:bold}"
        ".labctl-ladder path{fill:none;stroke-width:1.8}.labctl-ladder .life{stroke-width:2}"
        ".labctl-ladder path.trouble{stroke-dasharray:6 4}.labctl-ladder path.cross{stroke-width:2.6}"
        ".labctl-ladder .open{fill:none;stroke-width:1.8}"
    )
    dark = f"@media (prefers-color-scheme:dark){{{_colours(DARK, 1)}}}"
    return f"{fixed}{_colours(LIGHT, 0)}{dark}"


def _colours(tone: dict[str, str], place: int) -> str:
    rules = {
        ".ground": f"fill:{tone['ground']}",
        "text": f"fill:{tone['ink']}",
        "text.numbers": f"fill:{tone['soft']}",
        "text.note": f"fill:{tone['soft']}",
        "text.address": f"fill:{tone['soft']}",
        "text.pause": f"fill:{tone['soft']}",
        "text.mark": f"fill:{tone['warn']}",
        ".life": f"stroke:{tone['edge']}",
        ".dot.call": f"fill:{_HUES['data'][place]}",
        ".dot.state": f"fill:{_HUES['handshake'][place]}",
        ".dot.trouble": f"fill:{_HUES['reset'][place]}",
        ".cross": f"stroke:{_HUES['reset'][place]}",
        ".open": f"stroke:{tone['soft']}",
    }
    rules |= {f"path.p-{phase}": f"stroke:{hue[place]}" for phase, hue in _HUES.items()}
    rules |= {f"polygon.p-{phase}": f"fill:{hue[place]}" for phase, hue in _HUES.items()}
    return "".join(f".labctl-ladder {selector}{{{rule}}}" for selector, rule in rules.items())


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape(printable(text))
