"""An engine that lives in this process: containers are records, their programs Python callables.

For trying what stands above the engine (names, matching, waiting, errors) where no Docker is, and at once: nothing here
takes time. Where a real engine would wait for its containers, this one runs what was put off (`later`), and when
nothing is left that could happen, nor does within a moment in another thread, the deadline counts as reached.
"""

from __future__ import annotations

import copy
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from labctl import cancel
from labctl.cancel import Cancel
from labctl.engine.alone import Alone
from labctl.engine.machines import Clock
from labctl.engine.memory import making
from labctl.engine.memory.containers import BELL, Execution, MemoryContainer, MemoryStream, Program, stamp
from labctl.engine.memory.nodes import MemoryNodes
from labctl.engine.memory.probes import MemoryProbes
from labctl.engine.memory.programs import program_of
from labctl.engine.memory.programs.base import NodeProgram
from labctl.engine.memory.programs.net import Net
from labctl.engine.memory.projects import MemoryProjects
from labctl.engine.memory.swarm import MemorySwarm
from labctl.engine.model import (
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_ROLE,
    Container,
    Details,
    Image,
    Listening,
    Network,
    Port,
    ProbeOrder,
    Process,
    Stream,
    StreamEvent,
    Volume,
)
from labctl.engine.settings import Settings
from labctl.engine.sharing import with_networks
from labctl.errors import LabError

_AFTER = {"start": "running", "restart": "running", "stop": "exited", "kill": "exited", "unpause": "running"}
_AFTER["pause"] = "paused"


class MemoryEngine(Alone, MemoryNodes, MemoryProjects, MemorySwarm, MemoryProbes):
    """See Engine.

    >>> from labctl.lab.life.up import Request, up
    >>> lab = up(MemoryEngine(), Request("hello"), lambda line: None)
    >>> [node.name for node in lab.nodes]
    ['alice', 'bob', 'client', 'echo', 'udp1', 'udp2', 'web']
    """

    where = "this process (an engine in memory)"
    half_closes = True
    machine: str | None = None

    def __init__(self, *, local: bool = False) -> None:
        """`local`: its networks and ports are to keep clear of this machine's own, as a real engine's here have to:
        what listens there on this machine counts as theirs."""
        self.is_local = self.publishes = local
        self._containers: dict[str, MemoryContainer] = {}
        self._networks: dict[str, Network] = {}
        self._volumes: dict[str, dict[str, str]] = {}
        self.probes: list[tuple[str, list[str]]] = []  # (container, command) of each that was run
        self.changes: list[tuple[str, str, str | None]] = []  # (verb, container's name, signal) of each change
        self.probe_program: Callable[[ProbeOrder], Program] | None = None
        self.probe_commands: Callable[[ProbeOrder], Callable[[Sequence[str]], Execution]] | None = None
        self.images: dict[str, Image] = {}
        self.clocks: dict[str, Clock] = {}  # of containers whose machine's clock is another
        self._later: deque[Callable[[], None]] = deque()
        self._numbers = itertools.count(1)
        self._net = Net(self._containers)
        self._lock = threading.RLock()  # labctl starts and removes several at once
        self.cancels: tuple[Cancel, ...] = ()

    def cancelled_by(self, *cancels: Cancel) -> Self:
        other = copy.copy(self)
        other.cancels = cancels
        return other

    def clock(self, container: str) -> Clock:
        return self.clocks.get(container, Clock())

    def _new_id(self) -> str:
        return f"{next(self._numbers):064x}"

    def add(
        self,
        lab: str,
        node: str,
        *,
        role: str | None = None,
        addresses: dict[str, tuple[str, ...]] | None = None,
        ports: tuple[Port, ...] = (),
        program: Program | None = None,
        state: str = "running",
        ours: bool = True,
        stdin_open: bool = True,
        gateways: tuple[str, ...] = (),
        host_network: bool = False,
        labels: Mapping[str, str] | None = None,
        network_of: str = "",
    ) -> MemoryContainer:
        """Makes a container; `ours` gives it labctl's labels beside Compose's, `labels` are further ones, `network_of`
        another one's network."""
        ident = f"{next(self._numbers):064x}"
        own = {COMPOSE_PROJECT: lab, COMPOSE_SERVICE: node, **(labels or {})}
        if ours:
            own |= {LABEL_LAB: lab, LABEL_NODE: node}
        if role:
            own[LABEL_ROLE] = role
        record = Container(ident, f"{lab}-{node}-1", f"memory/{role}", state, own, addresses or {}, ports)
        record = record._replace(gateways=gateways, host_network=host_network, network_of=network_of)
        made = self._containers[ident] = MemoryContainer(record, program, stdin_open)
        for name in record.addresses:
            self._networks.setdefault(name, Network(name, name, {LABEL_LAB: lab} if ours else {}))
        return made

    def subnets(self, network: str, *subnets: str, mtu: int | None = None) -> None:
        """Gives a network its subnets, and its MTU in bytes where one was chosen."""
        self._networks[network] = self._networks[network]._replace(subnets=subnets, mtu=mtu)

    def later(self, act: Callable[[], None]) -> None:
        """Puts something off until whoever waits has nothing else to see."""
        self._later.append(act)

    def containers(self, labels: Sequence[str] = (), *, running: bool = False) -> list[Container]:
        records = [container.listed for container in list(self._containers.values())]
        found = [r for r in records if _carries(r.labels, labels) and (not running or r.state == "running")]
        return sorted(with_networks(found, lambda: records), key=lambda record: record.name)

    def details(self, container: str) -> Details:
        found = self._get(container)
        return Details(
            found.finished,
            found.exit_code,
            found.stdin_open,
            started=found.started,
            environment=found.environment,
            aliases=found.aliases,
            processes=found.processes,
            host_processes=found.host_processes,
            log=found.log,
            restarts=found.restarts,
            out_of_memory=found.out_of_memory,
            pid=found.pid,
            fixed=found.fixed,
            bound=found.record.ports,
        )

    def settings(self, container: str) -> Settings:
        """Its `made_as`."""
        return self._get(container).made_as

    def listening(self, pids: Mapping[str, int]) -> dict[str, tuple[Listening, ...]]:
        return {name: told for name in pids if (told := self._get(name).sockets) is not None}

    def networks(self, labels: Sequence[str] = ()) -> list[Network]:
        return [network for network in list(self._networks.values()) if _carries(network.labels, labels)]

    def volumes(self, labels: Sequence[str]) -> list[Volume]:
        return [Volume(name, found) for name, found in list(self._volumes.items()) if _carries(found, labels)]

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        return Volume(name, self._volumes.setdefault(name, dict(labels)))

    def image(self, name: str) -> Image | None:
        return self.images.get(name)

    def images_with(self, labels: Sequence[str]) -> list[Image]:
        """Those of `images`; what stands there under its id has no name."""
        found = [(name, image) for name, image in list(self.images.items()) if _carries(image.labels, labels)]
        return [image._replace(names=() if name == image.id else (name,)) for name, image in found]

    def info(self) -> dict[str, Any]:
        version = {"Version": "memory", "ApiVersion": "1.44", "Arch": "memory"}
        return {"Version": version, "Containers": len(self._containers), "Swarm": self._swarm_info()}

    def attach(self, container: str, *, keyboard: bool) -> Stream:
        return self._listen(container, attached=True)

    def logs(
        self, container: str, *, follow: bool = False, since: str | None = None, tail: int | None = None
    ) -> Stream:
        lines = self._get(container).output
        lines = lines[max(0, len(lines) - tail) :] if tail is not None else lines
        if not follow:
            return MemoryStream(container, False, deque(lines), ended=True)
        stream = self._listen(container, attached=False)
        stream.pending.extend(lines)
        return stream

    def wait(self, streams: Iterable[Stream], deadline: float | None) -> Iterator[StreamEvent]:
        mine = [stream for stream in streams if isinstance(stream, MemoryStream)]
        while True:
            cancel.check(self.cancels)
            heard = BELL.heard
            self._deliver(mine)
            for stream in mine:
                while stream.pending:
                    yield StreamEvent(stream, stream.pending.popleft())
                if stream.ended and not stream.told:
                    stream.told = True
                    yield StreamEvent(stream, None)
            if any(stream.pending or (stream.typed and self._is_read(stream)) for stream in mine):
                continue
            if all(stream.told for stream in mine):
                return
            with self._lock:
                act = self._later.popleft() if self._later else None
            if act is not None:
                act()
            elif not BELL.wait(heard, deadline):
                return

    def _is_read(self, stream: MemoryStream) -> bool:
        """Whether what is typed goes anywhere, if only away."""
        container = self._containers.get(stream.container)
        return stream.status is not None or (container is not None and container.record.state in ("running", "paused"))

    def converse(self, stream: Stream, source: int | None, deadline: float | None) -> Iterator[StreamEvent]:
        """All that can be read from the source comes first."""
        while source is not None and (typed := os.read(source, 1 << 16)):
            stream.write(typed)
        yield from self.wait([stream], deadline)
        stream.end_input()

    def change(self, verb: str, container: str, *, limit: float = 30, signal: str | None = None) -> None:
        """A signal ends a container, whichever it is."""
        with self._lock:
            found = self._get(container)
            self.changes.append((verb, found.record.name, signal))
            before = found.record.state
            if _AFTER[verb] == "exited":
                self._end(found, (128 + _signal(signal)) if verb == "kill" else 0)
                return
            if verb == "restart":
                if found.plan and before in ("running", "paused"):
                    self._end(found, 0)
                found.finished = stamp()
            if verb in ("start", "restart"):
                found.started = stamp()
            found.record = found.record._replace(state=_AFTER[verb], exit_code=None, ended="")
            if found.plan and verb in ("start", "restart") and (verb == "restart" or before != "running"):
                self._begin(found)

    def _begin(self, container: MemoryContainer) -> None:
        """A container of a project begins to run: its addresses, its ports, its program."""
        others = [other.record for other in list(self._containers.values()) if other is not container]
        container.record = making.addresses(container, self._networks, others)
        container.pid = next(self._numbers)
        program = program_of(container, self._net)
        if program:
            container.program = program
            program.begin()
        container.begins()

    def _end(self, container: MemoryContainer, exit_code: int) -> None:
        was_running = container.record.state in ("running", "paused")
        container.end(exit_code)
        if was_running and isinstance(container.program, NodeProgram):
            container.program.end()

    def open(
        self,
        container: str,
        command: Sequence[str],
        *,
        lines: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Stream:
        """The container's `commands` says what comes of it."""
        found = self._get(container)
        if found.record.state != "running" or found.commands is None:
            why = "an engine in memory runs no commands (`MemoryContainer.commands` may say what comes of one)"
            why = why if found.record.state == "running" else f"it is {found.record.state}"
            raise LabError("engine-refused", action=f"run {command[0]} in {found.record.name}", why=why)
        done = found.commands(command)
        return MemoryStream(container, True, deque(done.output), ended=True, status=done.status)

    def client(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Raises LabError `docker-missing`: it has none."""
        raise LabError("docker-missing")

    def status(self, stream: Stream) -> int | None:
        assert isinstance(stream, MemoryStream)
        return stream.status

    def top(self, container: str) -> list[Process]:
        return self._get(container).processes_now

    def archive(self, container: str, path: str) -> Iterator[bytes]:
        """Its `files` by their paths, each an archive."""
        files = self._get(container).files
        if path not in files:
            raise LabError("engine-refused", action=f"give {path}", why=f"Could not find the file {path}")
        yield files[path]

    def limit_processes(self, container: str, count: int) -> None:
        self._get(container).processes = count

    def remove_container(self, container: str) -> None:
        with self._lock:
            if container in self._containers:
                self._end(self._containers[container], 137)
                del self._containers[container]

    def remove_network(self, network: str) -> None:
        self._networks.pop(network, None)

    def remove_volume(self, volume: str) -> None:
        self._volumes.pop(volume, None)

    def remove_image(self, image: str) -> None:
        """Refused where a container's `image` is it."""
        if any(container.record.image == image for container in list(self._containers.values())):
            raise LabError("engine-refused", action=f"remove {image}", why="a container is using it")
        self.images.pop(image, None)

    def _get(self, container: str) -> MemoryContainer:
        if container not in self._containers:
            raise LabError("engine-refused", action="find a container", why=f"No such container: {container}")
        return self._containers[container]

    def _listen(self, container: str, *, attached: bool) -> MemoryStream:
        found = self._get(container)
        stream = MemoryStream(container, attached, ended=found.record.state not in ("running", "paused"))
        found.listeners.append(stream)
        return stream

    def _deliver(self, streams: list[MemoryStream]) -> None:
        with self._lock:  # a line is read once, whoever waits meanwhile
            for stream in streams:
                if stream.status is not None:
                    stream.typed.clear()  # a command that has ended reads nothing
                    continue
                container = self._containers.get(stream.container)
                if container and container.record.state in ("running", "paused"):
                    container.unread += stream.typed
                    stream.typed.clear()
            for container in list(self._containers.values()):
                if container.record.state != "running" or not container.unread:
                    continue  # a paused one reads later, whoever typed it
                *lines, rest = bytes(container.unread).split(b"\n")
                container.unread = bytearray(rest)
                for line in lines:
                    if container.program:
                        container.program(container, line)


def _carries(labels: Any, wanted: Sequence[str]) -> bool:
    pairs = (item.partition("=") for item in wanted)
    return all(name in labels and (not equals or labels[name] == value) for name, equals, value in pairs)


def _signal(name: str | None) -> int:
    """A signal's number."""
    from labctl.signals import number_of

    return number_of(name or "SIGKILL")
