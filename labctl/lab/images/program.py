"""The image of somebody's own programs: built when the first one needs it, and from the sources that are there now.

In a file of its own, as `labctl run` is to be quick and needs nothing of what topologies do.
"""

from __future__ import annotations

from collections.abc import Callable

from labctl.engine.model import LABEL_SOURCE, Engine, Image
from labctl.topology import shipped

HELPERS = "probe"  # the folder of the build context that only the probe's image is built from


def is_stale(image: Image) -> bool:
    """Whether it was built from other sources than are there now."""
    return image.labels.get(LABEL_SOURCE) != _source()


def _source() -> str:
    from labctl.topology.digest import digest

    return digest(shipped.root() / "services", without=HELPERS)


def build(engine: Engine, report: Callable[[str], None], limit: float) -> None:
    """Builds the image, within some seconds. Raises LabError `build-failed`, `base-image`."""
    from labctl.lab.images import base
    from labctl.topology.builtin import Source

    report("building the image of programs")
    variables = {"LABCTL_SOURCE": _source(), "LABCTL_DEBIAN": base.ensure(engine, report)}
    source = Source(shipped.root() / "services" / "nodes.yaml")
    engine.build(source, ["program"], lambda line: None, limit, variables=variables)
