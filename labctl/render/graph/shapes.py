"""What a drawn picture is made of, in pixels: data, before it is SVG."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from labctl.render.graph.metrics import Style


@dataclass(frozen=True)
class Label:
    """A line of text; `x` is its left end or, where `middle`, its middle; `y` its base line."""

    text: str
    style: Style
    x: float
    y: float
    middle: bool = False

    @property
    def left(self) -> float:
        return self.x - self.style.extent(self.text) / 2 if self.middle else self.x


@dataclass(frozen=True)
class Box:
    """A node's frame. `icon` is where a router's sign has its middle; `node` is the node's name."""

    x: float
    y: float
    width: float
    height: float
    router: bool = False
    quiet: bool = False  # a node that doesn't run
    icon: tuple[float, float] | None = None
    node: str = ""


@dataclass(frozen=True)
class Line:
    """A bar (a network itself), a stem (what hangs on it), or a spine (what joins a node to several networks)."""

    kind: Literal["bar", "stem", "spine"]
    network: int
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Dot:
    """Where a spine meets the bar of a network that the node is on; a bar that it only passes has none."""

    network: int
    x: float
    y: float


@dataclass
class Drawing:
    width: float = 0.0
    height: float = 0.0
    labels: list[Label] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
