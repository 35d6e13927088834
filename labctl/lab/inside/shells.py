"""Which shell a node's image has."""

from __future__ import annotations

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.lab.inside.execution import Place

# In the node's own environment, whatever that says of where programs are.
_CHOICE = "command -v bash >/dev/null 2>&1 && exec bash; exec sh"
LIMIT = 20.0  # seconds


def command_of(engine: Engine, place: Place) -> list[str]:
    """What starts the best shell that is there. Raises LabError `no-shell`."""
    import time

    stream = engine.open(place.container, ["sh", "-c", "exit 0"], lines=False)
    try:
        for happening in engine.wait([stream], time.monotonic() + LIMIT):
            if happening.line is not None and b"exec failed" in happening.line.text:
                raise LabError("no-shell", node=place.node.name, image=place.node.container.image)
    finally:
        stream.close()
    return ["sh", "-c", _CHOICE]
