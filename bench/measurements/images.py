"""The size of all of labctl's images together; layers that several of them share count once."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import yaml

from bench.model import Result, Setting, Target
from bench.project import ROOT
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.wire import Wire


def measure(setting: Setting) -> Iterator[Result]:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    names = sorted({str(service["image"]) for service in services})
    wire = Wire(DockerEngine().endpoint)
    layers: dict[tuple[tuple[object, ...], ...], int] = {}
    for name in names:
        below: tuple[tuple[object, ...], ...] = ()
        # From the base upwards: a layer is the same where all that is below it is the same, too.
        for step in reversed(wire.call("GET", f"/images/{quote(name)}/history")):
            below = (*below, (step["Created"], step["CreatedBy"], step["Size"]))
            layers[below] = step["Size"]
    size = sum(layers.values()) / 1e6
    setting.tell(f"images, MB: {size:.1f}")
    note = f"{len(names)} images: {', '.join(names)}"
    yield Result("images", "all images together", "MB", (size,), (), "", Target(200.0, absolute=True), (note,))
