"""The engine: what runs containers. Nothing above this room knows which one it is, or whether it is several."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.engine.model import Engine
    from labctl.engine.swarm import MachineEngine
    from labctl.topology.builtin import Source

USUAL = ""  # the name of the engine in use among those of other machines


def connect() -> MachineEngine:
    """The engine in use, as DOCKER_HOST, the Docker context or the usual sockets choose it. Nothing is sent to it yet.

    Raises LabError `engine-endpoint` where what chooses it can't be understood.
    """
    from labctl.engine.docker.client import DockerEngine

    return DockerEngine()


def expect_reading(source: Source, lab: str | None) -> None:
    """Says that the engine in use will be asked to `read` that for a lab of that name: it begins at once, while all is
    imported that needs the answer. Raises LabError where it can't, as `read` will."""
    from labctl.engine.compose.command import Compose
    from labctl.engine.compose.question import Question, expect
    from labctl.engine.docker import endpoint

    if source.text is None:  # else it has to be sent, too
        compose = Compose(endpoint.find(), dict(source.variables), source.env_files)
        if isinstance(begun := compose.begin(source.files, lab), Question):
            expect(begun)


def connect_all() -> Engine:
    """The engine in use and those of all machines that `labctl hosts add` was told of: where labs may be. Without any
    such, the engine in use alone. Raises LabError."""
    from labctl.engine.hosts import inventory

    known = inventory.load()
    if not known:
        return connect()
    from labctl.engine.several.engine import SeveralEngines

    usual = connect()
    engines = {name: inventory.connect(host) for name, host in known.items()}
    return SeveralEngines({**engines, USUAL: usual}, silent=[USUAL], usual=usual)


def connect_to(machines: Sequence[str]) -> Engine:
    """The engines of some machines, as one. Raises LabError `host-unknown`."""
    from labctl.engine.hosts import inventory
    from labctl.engine.several.engine import SeveralEngines

    known = inventory.load()
    for name in machines:
        if name not in known:
            from labctl.errors import LabError, nearest

            raise LabError("host-unknown", name=name, near=nearest(name, known))
    return SeveralEngines({name: inventory.connect(known[name]) for name in machines}, usual=connect())
