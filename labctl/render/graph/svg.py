"""A picture as one SVG file: no script, nothing from outside, light or dark as the viewer is."""

from __future__ import annotations

from xml.sax.saxutils import escape

from labctl.lab.drawing.picture import MACHINE, NOWHERE, Picture
from labctl.render.graph.layout import arrange
from labctl.render.graph.shapes import Box, Drawing, Label
from labctl.render.text import printable

SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"

# For each network in turn, on light and on dark; all have a contrast of 3 or more to the ground.
_HUES = (
    ("#2563eb", "#60a5fa"),
    ("#c2410c", "#fb923c"),
    ("#047857", "#34d399"),
    ("#7c3aed", "#a78bfa"),
    ("#be185d", "#f472b6"),
    ("#0e7490", "#22d3ee"),
    ("#4d7c0f", "#a3e635"),
    ("#b91c1c", "#f87171"),
)
LIGHT = {
    "ground": "#ffffff",
    "frame": "#f8fafc",
    "edge": "#94a3b8",
    "router": "#eef2ff",
    "router-edge": "#4f46e5",
    "ink": "#0f172a",
    "soft": "#475569",
    "warn": "#b45309",
}
DARK = {
    "ground": "#0d1117",
    "frame": "#161b22",
    "edge": "#4b5563",
    "router": "#1e1b4b",
    "router-edge": "#a5b4fc",
    "ink": "#f1f5f9",
    "soft": "#a3b1c6",
    "warn": "#fbbf24",
}


def draw(picture: Picture) -> str:
    """The picture as SVG."""
    drawing = arrange(picture)
    size = f"{_number(drawing.width)} {_number(drawing.height)}"
    width, height = size.split()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="labctl-graph" viewBox="0 0 {size}" width="{width}" '
        f'height="{height}" role="img" aria-labelledby="labctl-graph-title labctl-graph-desc">',
        f'<title id="labctl-graph-title">{_text(picture.heading)}</title>',
        f'<desc id="labctl-graph-desc">{_text(description(picture))}</desc>',
        f"<style>{_style(len(picture.networks))}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="10"/>',
        *_lines(drawing),
        *(_box(box) for box in drawing.boxes),
        *(
            f'<circle class="dot n{dot.network % len(_HUES)}" cx="{_number(dot.x)}" cy="{_number(dot.y)}" r="5"/>'
            for dot in drawing.dots
        ),
        *(_label(label) for label in drawing.labels),
        "</svg>",
    ]
    return "\n".join(parts)


def description(picture: Picture) -> str:
    """The picture in words, for those who don't see it."""
    sentences = [f"{_count(picture.nodes, 'node')} on {_count(picture.networks, 'network')}."]
    everywhere = picture.networks_of()
    for network in picture.networks:
        here = [" ".join((item.node, *item.addresses)) for item in picture.attachments_of(network.name)]
        name = " ".join((network.name, *network.facts))
        sentences.append(f"{name}: {', '.join(here) or 'no nodes'}.")
    for title, on_machine in ((MACHINE, True), (NOWHERE, False)):
        alone = [node.name for node in picture.nodes if not everywhere[node.name] and node.on_machine is on_machine]
        if alone:
            sentences.append(f"{title[0].upper()}{title[1:]}: {', '.join(alone)}.")
    routers = [
        f"{node.name} ({node.kind})" if node.masquerades is not None else node.name
        for node in picture.nodes
        if node.is_router
    ]
    if routers:
        sentences.append(f"Routers: {', '.join(routers)}.")
    return " ".join(sentences)


def _count(things: tuple[object, ...], word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"


def _lines(drawing: Drawing) -> list[str]:
    # Stems first: a bar covers the ends of those that hang on it.
    ordered = sorted(drawing.lines, key=lambda line: line.kind == "bar")
    return [
        f'<path class="{line.kind}{"" if line.kind == "spine" else f" n{line.network % len(_HUES)}"}" '
        f'd="M{_number(line.x1)} {_number(line.y1)}L{_number(line.x2)} {_number(line.y2)}"/>'
        for line in ordered
    ]


def _box(box: Box) -> str:
    shape = f'x="{_number(box.x)}" y="{_number(box.y)}" width="{_number(box.width)}" height="{_number(box.height)}"'
    kind = ("router" if box.router else "host") + (" quiet" if box.quiet else "")
    out = f'<rect class="{kind}" {shape} rx="{14 if box.router else 6}"/>'
    if box.icon:
        # Four arrows in a circle, the usual sign: two lead in, two lead out.
        arrows = "M-8 0h5m-2-2l2 2l-2 2M8 0h-5m2-2l-2 2l2 2M0-3v-5m-2 2l2-2l2 2M0 3v5m-2-2l2 2l2-2"
        at = f"{_number(box.icon[0])} {_number(box.icon[1])}"
        out += f'<g class="sign" transform="translate({at})"><circle r="11"/><path d="{arrows}"/></g>'
    return out


def _label(label: Label) -> str:
    anchor = ' text-anchor="middle"' if label.middle else ""
    return (
        f'<text class="{label.style.name}" x="{_number(label.x)}" y="{_number(label.y)}"{anchor}>'
        f"{_text(label.text)}</text>"
    )


def _style(networks: int) -> str:
    fixed = (
        f".labctl-graph text{{font-family:{SANS};white-space:pre}}"
        f".labctl-graph .subnet,.labctl-graph .address,.labctl-graph .port{{font-family:{MONO}}}"
        ".labctl-graph .heading{font-size:20px}.labctl-graph .network,.labctl-graph .name{font-size:14px}"
        ".labctl-graph .prose,.labctl-graph .topic{font-size:13px}.labctl-graph .port{font-size:11px}"
        ".labctl-graph .subnet,.labctl-graph .address,.labctl-graph .role,.labctl-graph .state,"
        ".labctl-graph .link{font-size:12px}"
        ".labctl-graph .heading,.labctl-graph .network,.labctl-graph .name,.labctl-graph .state,"
        ".labctl-graph .link,.labctl-graph .topic{font-weight:bold}"
        ".labctl-graph .bar{stroke-width:5;stroke-linecap:round;fill:none}"
        ".labctl-graph .stem,.labctl-graph .spine{stroke-width:2;fill:none}.labctl-graph .dot{stroke-width:2.5}"
        ".labctl-graph .host{stroke-width:1.2}.labctl-graph .router{stroke-width:2}"
        ".labctl-graph .quiet{stroke-dasharray:5 4}"
        ".labctl-graph .sign{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}"
    )
    dark = f"@media (prefers-color-scheme:dark){{{_colours(DARK, 1, networks)}}}"
    return f"{fixed}{_colours(LIGHT, 0, networks)}{dark}"


def _colours(tone: dict[str, str], place: int, networks: int) -> str:
    hues = [hue[place] for hue in _HUES[: max(1, networks)]]
    rules = {
        ".ground,.dot": f"fill:{tone['ground']}",
        "text": f"fill:{tone['ink']}",
        "text.role,text.subnet,text.port,text.prose": f"fill:{tone['soft']}",
        "text.state,text.link": f"fill:{tone['warn']}",
        ".host": f"fill:{tone['frame']};stroke:{tone['edge']}",
        ".router": f"fill:{tone['router']};stroke:{tone['router-edge']}",
        ".spine": f"stroke:{tone['soft']}",
        ".sign": f"stroke:{tone['router-edge']}",
        **{f".n{number}": f"stroke:{hue}" for number, hue in enumerate(hues)},
    }
    return "".join(
        ",".join(f".labctl-graph {one}" for one in selector.split(",")) + f"{{{rule}}}"
        for selector, rule in rules.items()
    )


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape(printable(text))
