"""Containers of the engine in memory: records, what they have printed, and what is typed at them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from labctl.engine.model import Container, Line, Listening, Port, Process
from labctl.engine.settings import Settings
from labctl.errors import LabError
from labctl.events.model import nanoseconds_of

Program = Callable[["MemoryContainer", bytes], None]

IDLE = 0.005  # seconds in which something may still come of what other threads do


class Bell:
    """Rings whenever something is printed, typed or ended: whoever waits for what another thread does hears of it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def ring(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    @property
    def heard(self) -> int:
        """How often it has rung."""
        return self._count

    def wait(self, heard: int, deadline: float | None) -> bool:
        """Whether it has rung since it had so often, or does within a moment that ends at the deadline (of
        time.monotonic()) at the latest."""
        left = IDLE if deadline is None else min(IDLE, deadline - time.monotonic())
        with self._changed:
            return left > 0 and self._changed.wait_for(lambda: self._count != heard, left)


BELL = Bell()  # of all engines in memory


@dataclass(frozen=True)
class Plan:
    """What a container of a project has whenever it runs: by network, the addresses that it is to have (none: any free
    one of each family), and its published ports. `hosts` are names that only it knows; `checked`: it has a healthcheck,
    which calls it healthy at once."""

    networks: Mapping[str, tuple[str, ...]]
    ports: tuple[Port, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    checked: bool = False


@dataclass
class MemoryContainer:
    """A container: `program(container, line)` is called for each line typed at it, and answers by `print`."""

    record: Container
    program: Program | None = None
    stdin_open: bool = True
    output: list[Line] = field(default_factory=list)
    listeners: list[MemoryStream] = field(default_factory=list)
    finished: str = "0001-01-01T00:00:00Z"
    exit_code: int = 0
    started: str = "0001-01-01T00:00:00Z"
    processes: int | None = None  # how many it may have
    commands: Callable[[Sequence[str]], Execution] | None = None  # what comes of a command that is run in it
    environment: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    host_processes: bool = False
    log: tuple[int, int] | None = None  # what is kept of its output; nothing is dropped here
    restarts: int = 0
    out_of_memory: bool = False
    fixed: tuple[str, ...] = ()
    sockets: tuple[Listening, ...] | None = ()  # None: they can't be known
    unread: bytearray = field(default_factory=bytearray)  # what was typed and is not read yet
    running: list[Process] = field(default_factory=list)
    made_as: Settings = field(default_factory=lambda: plain())
    files: dict[str, bytes] = field(default_factory=dict)  # tar archives
    plan: Plan | None = None  # of a container that a project has made
    pid: int = 0
    begins: Callable[[], None] = lambda: None  # called when its program begins to run

    @property
    def listed(self) -> Container:
        """As a list has it: what doesn't run has no ports there."""
        runs = self.record.state in ("running", "paused", "restarting")
        return self.record if runs or not self.record.ports else self.record._replace(ports=())

    @property
    def processes_now(self) -> list[Process]:
        """Its first process, which is all that is known of one that only a record says of, unless a test says which
        others there are (`running`). Raises LabError `engine-refused` where none runs, or nobody has said which."""
        name, state = self.record.name, self.record.state
        if state not in ("running", "paused"):
            raise LabError("engine-refused", action=f"tell what runs in {name}", why=f"it is {state}")
        if self.running:
            return list(self.running)
        if not self.record.command:
            why = "an engine in memory knows of no command that it runs (`MemoryContainer.running` may say which)"
            raise LabError("engine-refused", action=f"tell what runs in {name}", why=why)
        user = self.made_as.user.partition(":")[0]
        user = "root" if user in ("", "0") else user
        return [Process(self.pid, 0, user, None, None, _age(self.started), self.record.command)]

    def listen(self, proto: str, port: int, address: str = "0.0.0.0") -> None:
        """One of its programs listens there from now on."""
        self.sockets = (*(self.sockets or ()), Listening(proto, address, port))

    def print(self, text: str | bytes, *, stderr: bool = False) -> None:
        """Writes one line to its standard output."""
        line = Line(text.encode() if isinstance(text, str) else text, stderr, stamp())
        self.output.append(line)
        for listener in self.listeners:
            listener.pending.append(line._replace(stamp=None) if listener.attached else line)
        BELL.ring()

    def end(self, exit_code: int = 0) -> None:
        """Its process ends."""
        self.record = self.record._replace(state="exited", exit_code=exit_code, ended="less than a second ago")
        if self.plan:
            self.record = self.record._replace(addresses={}, gateways=(), health=None)
        self.pid = 0
        self.sockets = () if self.sockets is not None else None
        self.exit_code = exit_code
        self.finished = stamp()
        for listener in self.listeners:
            listener.ended = True
        BELL.ring()


@dataclass(frozen=True)
class Execution:
    """What a command prints that is run in a container, at once and whole, and its exit status."""

    output: Sequence[Line] = ()
    status: int = 0


@dataclass(eq=False)  # each is itself alone, and a key of dictionaries
class MemoryStream:
    """See Stream."""

    container: str
    attached: bool
    pending: deque[Line] = field(default_factory=deque)
    typed: bytearray = field(default_factory=bytearray)
    ended: bool = False
    told: bool = False
    status: int | None = None
    input_ended: bool = False

    def write(self, data: bytes) -> None:
        self.typed += data
        BELL.ring()

    @property
    def unwritten(self) -> int:
        return len(self.typed)

    def end_input(self) -> None:
        self.input_ended = True

    def close(self) -> None:
        self.ended = self.told = True


def plain() -> Settings:
    """How a container is made with nothing said."""
    never = "0001-01-01T00:00:00Z"
    return Settings(never, ("sh",), "0", "", {}, False, False, (), (), None, None, "no", "SIGTERM", (), {})


def _age(since: str) -> str:
    """How long ago that was, as ps(1) has it: [[days-]hours:]minutes:seconds."""
    seconds = max(0, time.time_ns() - nanoseconds_of(since)) // 1_000_000_000
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    longer = f"{days}-{hours:02d}:" if days else f"{hours:02d}:" if hours else ""
    return f"{longer}{minutes:02d}:{seconds % 60:02d}"


def stamp() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"
