"""What labctl knows of an engine's containers, networks and images, as frozen data; and what an engine can do.

`Engine` is the one boundary: the rooms above know nothing else of Docker. `labctl.engine.docker` talks to a real one,
`labctl.engine.memory` is one that lives in this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from labctl.cancel import Cancel
from labctl.engine.machines import Machines
from labctl.engine.nodes import Nodes
from labctl.engine.projects import Projects
from labctl.named import NamedTuple

if TYPE_CHECKING:
    from labctl.engine.settings import Settings

LABEL_LAB = "dev.labctl.lab"
LABEL_NODE = "dev.labctl.node"
LABEL_ROLE = "dev.labctl.role"
LABEL_PROGRAM = "dev.labctl.program"  # the file whose program has the image's role
LABEL_TITLE = "dev.labctl.title"
LABEL_TOPOLOGY = "dev.labctl.topology"  # the name of a built-in one, else its file
LABEL_OWNER = "dev.labctl.owner"  # UID@HOST/USER
LABEL_SOURCE = "dev.labctl.source"
LABEL_ROUTES = "dev.labctl.routes"
LABEL_FAMILIES = "dev.labctl.families"
LABEL_PROBE = "dev.labctl.probe"  # what the helper container is for
LABEL_PROBED = "dev.labctl.probed"  # the name of the node that it is for
LABEL_TARGET = "dev.labctl.target"  # the id of that node's container
LABEL_SHARES = "dev.labctl.shares"  # what it knew of others at the node's network when it was made
LABEL_RULES = "dev.labctl.rules"
LABEL_CONDITIONS = "dev.labctl.conditions"
LABEL_RUN = "dev.labctl.run"  # what `labctl run` was asked for, of a node that it made
LABEL_MADE = "dev.labctl.made"  # the digest of what labctl asked the engine for, of a node that it made of a topology
LABEL_COMPOSE = "dev.labctl.compose"  # of one node of a lab that was made from no lasting file: that file, packed
LABEL_HOSTS = "dev.labctl.hosts"  # the machines that a lab was made on, where they are several
PROBE_IMAGE = "labctl/probe"
PROGRAM_IMAGE = "labctl/program"
# What the engine keeps of a container's output: three files, the oldest of which goes when the newest is full. The same
# stands in compose.yaml and services/nodes.yaml, for plain `docker compose up`.
LOG_FILE, LOG_FILES = "20m", "3"
LOG_DRIVER = "json-file"
# Compose's own, which labctl only reads.
COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_SERVICE = "com.docker.compose.service"
COMPOSE_HASH = "com.docker.compose.config-hash"
COMPOSE_IMAGE = "com.docker.compose.image"
COMPOSE_NUMBER = "com.docker.compose.container-number"
COMPOSE_ONEOFF = "com.docker.compose.oneoff"
COMPOSE_NETWORK = "com.docker.compose.network"


class Port(NamedTuple):
    """A port of a container (`private`) and, where it is published, its place on the engine's host."""

    proto: str
    private: int
    host: str | None = None
    public: int | None = None

    @property
    def place(self) -> str:
        """`127.0.0.1:8080`, `[::]:8080`."""
        return place(self.host, self.public or 0)


def is_everywhere(address: str) -> bool:
    """Whether a socket at an address is at all addresses of its family."""
    return address in ("0.0.0.0", "::")


def place(host: str | None, port: int | str) -> str:
    """An address of the engine's host and a port as one text; without an address it is that of all of IPv4."""
    return f"[{host}]:{port}" if host and ":" in host else f"{host or '0.0.0.0'}:{port}"


class Listening(NamedTuple):
    """Where a program of a container listens (`proto` is tcp), or takes datagrams from anybody (udp). `address` is
    0.0.0.0 or :: for all that there are; a socket on :: may be for IPv4 as well."""

    proto: str
    address: str
    port: int

    @property
    def is_everywhere(self) -> bool:
        return is_everywhere(self.address)


class Container(NamedTuple):
    """`state` is Docker's: created, running, paused, restarting, exited, dead. `addresses` maps a network's name to
    the container's addresses on it, IPv4 first, and `gateways` are the machine's own there. `health` is what its
    healthcheck says (starting, healthy, unhealthy), None where it has none. With `host_network` it has no network
    namespace of its own. Of one whose program has ended, `exit_code` is its status, and `ended` says in the engine's
    words how long ago that was. `network_of` is the id of the container whose network it shares, empty where it has its
    own; `addresses` and `gateways` are that one's then. `command` is what it runs, in one line; "" where that isn't
    known. `machine` is the name of the machine that it is on, "" where there is only one."""

    id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str]
    addresses: Mapping[str, tuple[str, ...]] = {}
    ports: tuple[Port, ...] = ()
    health: str | None = None
    host_network: bool = False
    gateways: tuple[str, ...] = ()
    exit_code: int | None = None
    ended: str = ""
    network_of: str = ""
    command: str = ""
    machine: str = ""


class Details(NamedTuple):
    """What only a look at one container tells. `exit_code` is that of the last run, `check` what the healthcheck
    printed last; `aliases` are its names on each network; `processes` is how many it may have (None: any number), with
    `host_processes` it sees all of the machine's. `restarts` is how often the engine has started it again by itself
    since somebody did; `pid` is its first process, as the engine's machine counts, 0 where none runs; `fixed` are the
    addresses that it has whenever it runs, `bound` the ports that it publishes then.

    `log` is what the engine keeps of its output: (bytes of a file, files), None where that has no limit.

    `finished` is when the last run ended (RFC 3339; in the year 1 where there was none): what a running container has
    written since then is of this run. The time of its start would not do: the engine takes that when its program has
    run for a while, which may be a tenth of a second.
    """

    finished: str
    exit_code: int
    stdin_open: bool
    error: str = ""
    out_of_memory: bool = False
    started: str = "0001-01-01T00:00:00Z"
    check: str = ""
    environment: Mapping[str, str] = {}
    aliases: Mapping[str, tuple[str, ...]] = {}
    processes: int | None = None
    host_processes: bool = False
    log: tuple[int, int] | None = None
    restarts: int = 0
    bound: tuple[Port, ...] = ()
    pid: int = 0
    fixed: tuple[str, ...] = ()


class Network(NamedTuple):
    id: str
    name: str
    labels: Mapping[str, str]
    subnets: tuple[str, ...] = ()
    internal: bool = False
    mtu: int | None = None  # bytes, where one was chosen
    driver: str = "bridge"


class Volume(NamedTuple):
    name: str
    labels: Mapping[str, str]


class Image(NamedTuple):
    """`entrypoint` and `command` are what a container of it runs, one behind the other, as `user` ("" is root); a list
    of images doesn't tell them. `names` are those that it has (`labctl/probe:latest`), where they were asked for."""

    id: str
    labels: Mapping[str, str]
    size: int = 0
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    user: str = ""


class Process(NamedTuple):
    """What the engine's machine says of a process in a container; `pid` is its number there. `memory` is what is
    resident, in KiB, `cpu` a share of one core in percent, both None where the engine doesn't tell; `elapsed` is
    [[days-]hours:]minutes:seconds."""

    pid: int
    parent: int
    user: str
    cpu: float | None
    memory: int | None
    elapsed: str
    command: str


class Line(NamedTuple):
    """A line of a container's output. `stamp` is the engine's time of it (RFC 3339), None on an attached stream.

    `entries` is how many the engine's log has of it: a long line is kept in pieces.
    """

    text: bytes
    stderr: bool = False
    stamp: str | None = None
    entries: int = 1


class Stream(Protocol):
    """A container's output as it comes, and, where it was opened so, its keyboard."""

    container: str

    def write(self, data: bytes) -> None:
        """Queues bytes for the keyboard; `Engine.wait` moves them."""

    @property
    def unwritten(self) -> int: ...

    def end_input(self) -> None:
        """Whoever reads what is typed finds its end there. What is still queued is lost."""

    def close(self) -> None: ...


class StreamEvent(NamedTuple):
    """What `Engine.wait` saw: a line of a stream, or its end (`line` is None)."""

    stream: Stream
    line: Line | None


class ProbeOrder(NamedTuple):
    """A helper container with a name and a keyboard, in the network namespace of the container `target`, with
    `capabilities` there; with `processes` in its process namespace, too, whose end is then its own. `volume`, if any,
    is mounted at /run/labctl and made with the same labels. `memory` is its limit in MiB. One that is `apart` has no
    network at all. `network` stands in place of the container's: `host` for the machine's own, or the name of one."""

    name: str
    command: Sequence[str]
    target: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    volume: str | None = None
    capabilities: Sequence[str] = ("NET_ADMIN", "NET_RAW")
    processes: bool = False
    memory: int = 256
    apart: bool = False
    network: str = ""


class Engine(Projects, Nodes, Machines, Protocol):
    """What labctl asks of an engine. Everything has a limit in seconds and raises LabError where it fails."""

    @property
    def where(self) -> str:
        """Its address and who chose it, for people."""

    @property
    def is_local(self) -> bool:
        """It runs on this machine, as far as its address tells."""

    @property
    def half_closes(self) -> bool:
        """`Stream.end_input` ends the standard input of a command that `open` runs, and leaves its output open."""

    @property
    def machine(self) -> str | None:
        """The name or address of the machine that it runs on, None where that is this one, as far as its address
        tells."""

    @property
    def cancels(self) -> tuple[Cancel, ...]:
        """What ends the waits of this engine: `wait`, `converse`, `change`, `build` and `bring_up` raise LabError
        `cancelled` from then on. What reads, makes and removes without waiting goes on: so things are taken back."""

    def cancelled_by(self, *cancels: Cancel) -> Self:
        """The same engine, with the same containers, whose waits are ended by these alone."""

    def containers(self, labels: Sequence[str] = (), *, running: bool = False) -> list[Container]:
        """Containers that carry all the labels (`name` or `name=value`), by name."""

    def details(self, container: str) -> Details: ...

    def settings(self, container: str) -> Settings: ...

    def listening(self, pids: Mapping[str, int]) -> dict[str, tuple[Listening, ...]]:
        """Where the programs of running containers listen, by their kernels' own tables; each with its first process.

        Without the engine's own name server. Those of which it can't be known are left out. Raises nothing.
        """

    def networks(self, labels: Sequence[str] = ()) -> list[Network]: ...

    def volumes(self, labels: Sequence[str]) -> list[Volume]: ...

    def image(self, name: str) -> Image | None: ...

    def info(self) -> dict[str, Any]:
        """What the engine says of itself (Docker's /info and /version in one)."""

    def attach(self, container: str, *, keyboard: bool) -> Stream:
        """A container's output from now on."""

    def logs(
        self, container: str, *, follow: bool = False, since: str | None = None, tail: int | None = None
    ) -> Stream:
        """A container's output from its beginning, or from a time (RFC 3339) or a number of entries before the end."""

    def wait(self, streams: Iterable[Stream], deadline: float | None) -> Iterator[StreamEvent]:
        """What the streams bring, in order of arrival, until all have ended or the deadline (time.monotonic()).

        Whatever is queued for keyboards is written meanwhile.
        """

    def converse(self, stream: Stream, source: int | None, deadline: float | None) -> Iterator[StreamEvent]:
        """As `wait` for one stream of a command. What can be read from the file descriptor `source` is typed at it, and
        the end of that (None: at once) is the end of the command's standard input. A second call with the same source
        goes on where the first one was left."""

    def change(self, verb: str, container: str, *, limit: float = 30, signal: str | None = None) -> None:
        """`start`, `stop`, `restart`, `kill` (with `signal`, else SIGKILL), `pause` or `unpause`. Afterwards
        `containers` says so, but for `kill`, whose end is not waited for."""

    def run_probe(
        self,
        command: Sequence[str],
        *,
        network: str,
        labels: Mapping[str, str],
        limit: float = 30,
        image: str = PROBE_IMAGE,
    ) -> str:
        """Runs a command in the probe's image, or another one, with NET_ADMIN, in a container's network namespace
        (`container:ID`) or in one of its own (`none`); what it printed. The container is gone afterwards. Raises
        LabError."""

    def create_probe(self, probe: ProbeOrder) -> str | None:
        """Makes a helper container that stays, and doesn't start it; its id, None where its name is taken."""

    def open(
        self,
        container: str,
        command: Sequence[str],
        *,
        lines: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Stream:
        """Runs a command in a running container: its output as it comes, and its standard input.

        Nothing of it is kept in the container's log. Without `lines` the output comes as it was written, piece by
        piece. Closing the stream ends the command's standard input, and not the command. `environment` comes on top of
        the container's own variables.
        """

    def status(self, stream: Stream) -> int | None:
        """The exit status of a command that `open` ran, None while it runs."""

    def top(self, container: str) -> list[Process]:
        """The processes of a container that runs."""

    def archive(self, container: str, path: str) -> Iterator[bytes]:
        """A file or a folder of a container, also of one that has stopped, as a tar archive, piece by piece.

        Raises LabError `engine-refused`.
        """

    def limit_processes(self, container: str, count: int) -> None:
        """Changes how many processes a container may have, also while it is stopped."""

    def remove_container(self, container: str) -> None:
        """Also where it runs, with its anonymous volumes; no error where it is gone."""

    def remove_network(self, network: str) -> None: ...

    def remove_volume(self, volume: str) -> None: ...

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        """Makes a volume, or gives the one that has the name already: of several who ask at once, one makes it."""
