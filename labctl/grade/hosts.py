"""The program as a host of a lab of its own, and beside it the one that its checks run on."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import labctl
from labctl.api.programs import OWN_CHOICE
from labctl.errors import LabError, LabTimeout, NodeFailed
from labctl.grade.model import CHECKER, PROGRAM, Subject
from labctl.render.text import printable

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.node import Node
    from labctl.api.programs import Program
    from labctl.engine.model import Engine, Listening

INSIDE = Path(__file__).parent / "inside"  # what the checking host is given
AGAIN, RESTARTED = "again", "restarted"  # a host that stays, and the program that is started anew in its network
STAYS = ("sleep", "infinity")  # the command of a host on which others do something
START_LIMIT = 20.0  # seconds until it listens
LISTEN_LIMIT = 8.0  # seconds more for one that runs, and listens nowhere yet
AGAIN_AFTER = 0.25  # seconds from one look at its sockets to the next
LINES, LONGEST = 200, 65536  # of what a program printed: last lines, bytes


@dataclass(frozen=True)
class Start:
    """How a program is run: as `labctl run` takes it. `port`: where it has to listen, None: wherever it does."""

    command: tuple[str, ...]
    folder: Path
    image: str | None = None
    memory: str = "256m"
    port: int | None = None


class NotStarted(Exception):
    """The program does not run, or listens nowhere: `actual` is what was seen instead, `help` what may be the cause."""

    def __init__(self, expected: str, actual: str, help: str = "") -> None:
        super().__init__(expected)
        self.expected, self.actual, self.help = expected, actual, help


class Hosts:
    """Both, in a lab from which nothing leads out."""

    def __init__(self, lab: Lab, start: Start, subject: Subject, inside: Path) -> None:
        self.lab, self._start, self._subject = lab, start, subject
        self._checker = lab.run(CHECKER, STAYS, folder=inside, wait=False)
        self._program: Program | None = None
        self.port = 0
        self.notes: tuple[str, ...] = ()

    def begin(self) -> None:
        """Runs the program, and finds where it listens. Raises NotStarted, LabError."""
        program = self._program = self._run(PROGRAM, self._start.port or self._subject.port or None)
        self.notes = program.notes
        found = program.listening
        self.port = self._place(program, self._listening(program, found) if program.began == "running" else found)
        self.lab.record(CHECKER, PROGRAM)

    def _run(self, name: str, listen: int | None, network: str | None = None) -> Program:
        start = self._start
        try:
            return self.lab.run(
                name,
                start.command,
                network=network,
                folder=start.folder,
                image=start.image,
                memory=start.memory,
                listen=listen if self._subject.transport == "tcp" else None,
                timeout=START_LIMIT,
            )
        except (NodeFailed, LabTimeout) as problem:
            raise NotStarted("it runs, and listens", problem.message, problem.hint) from None

    def _listening(self, program: Program, found: tuple[Listening, ...] = ()) -> tuple[Listening, ...]:
        """Where it listens, once it does: on a busy machine that may take a while."""
        deadline = time.monotonic() + LISTEN_LIMIT
        found = found or program.status().listening or ()
        while not any(one.proto == self._subject.transport for one in found) and time.monotonic() < deadline:
            time.sleep(AGAIN_AFTER)
            found = program.status().listening or ()
        return found

    def _place(self, program: Program, listening: Sequence[Listening]) -> int:
        proto, wish = self._subject.transport, self._start.port or self._subject.port
        found = [one for one in listening if one.proto == proto]
        wanted = f"it listens on {proto} port {wish}" if wish else f"it listens on a {proto} port"
        if program.began == "done":
            raise NotStarted(wanted, "it has ended by itself, with status 0", "a server goes on until it is stopped")
        mine = [one for one in found if one.port == wish] if wish else found
        if not mine:
            has = ", ".join(sorted({f"{one.proto} {_shown(one)}" for one in listening})) or "nowhere"
            raise NotStarted(wanted, f"it listens {has if has == 'nowhere' else 'on ' + has}")
        outside = [one for one in mine if not _is_loopback(one.address)]
        if not outside:
            raise NotStarted(
                f"{wanted} of 0.0.0.0, or of its own address",
                f"only on {', '.join(sorted(_shown(one) for one in mine))}, which no other host reaches",
                'bind to "" or "0.0.0.0" instead of "127.0.0.1" or "localhost"',
            )
        return min(one.port for one in outside)

    def act(self, check: str, seed: str, limit: float, host: str = PROGRAM, steps: dict[str, Any] | None = None) -> Any:
        """Lets the client do one check; what it says. Raises LabTimeout, LabError."""
        arguments = ["/program/agent.py", self._subject.module, check, host, str(self.port), seed]
        data = json.dumps(steps).encode() if steps is not None else b""
        done = self._checker.exec("python3", *arguments, input=data, timeout=limit)
        try:
            return json.loads(done.output.splitlines()[-1])
        except (ValueError, IndexError):
            return {"error": (done.errors or done.output)[-2000:].decode(errors="replace")}

    @property
    def ended(self) -> str:
        """How the program has ended; empty while it runs."""
        status = self.lab.node(PROGRAM).status()
        return "" if status.state in ("ready", "running") else status.node.condition

    def start_again(self) -> None:
        """Whether it runs or has ended; where the port is of its own choice, it may be another one then. Raises
        NotStarted, LabError."""
        if self._program:
            _begin_anew(self._program)
            self.port = self._place(self._program, self._listening(self._program))

    def once_more(self) -> Callable[[], None]:
        """The program once more, in the network of a host that stays when it ends: only there its old connections are
        still known. What is given starts it anew, and raises NotStarted, LabError, as this does; `port` is this one's
        from now on."""
        self.lab.run(AGAIN, STAYS, folder=None, wait=False)
        by_chance = self.port in OWN_CHOICE  # such a port is another one at each start
        program = self._run(RESTARTED, None if by_chance else self.port, f"service:{AGAIN}")
        if by_chance:
            self.port = self._place(program, self._listening(program, program.listening))

        def again() -> None:
            _begin_anew(program)
            if by_chance:
                self.port = self._place(program, self._listening(program))

        return again

    def output(self, host: str = PROGRAM, since: dt.datetime | None = None) -> str:
        """The last that the program printed, safe to show; `since` a time."""
        try:
            events = self.lab.node(host).logs(tail=LINES, since=since)
        except LabError as problem:
            return f"({problem.message})"
        text = "\n".join(printable(str(one.get("text") or "")) for one in events if one.name in ("log", "stderr"))
        return text if len(text) <= LONGEST else f"...{text[-LONGEST:]}"


def _begin_anew(program: Node) -> None:
    """Raises NotStarted, LabError."""
    try:
        program.restart(timeout=START_LIMIT)
    except (NodeFailed, LabTimeout) as problem:
        raise NotStarted("it can be started again", problem.message, problem.hint) from None


def _shown(one: Listening) -> str:
    return f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}"


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


@contextlib.contextmanager
def opened(start: Start, subject: Subject, engine: Engine | None, report: Callable[[str], None]) -> Iterator[Hosts]:
    """A lab of its own for one program, of which nothing is left. Raises LabError."""
    name = f"grade-{secrets.token_hex(4)}"
    with (
        tempfile.TemporaryDirectory(prefix="labctl-grade-") as folder,
        labctl.empty(name, isolated=True, hosts=(), engine=engine, report=report) as lab,
    ):
        yield Hosts(lab, start, subject, _readable(Path(folder)))


def _readable(folder: Path) -> Path:
    """The client's files, for a host that is another user: where labctl is installed, that one may not be let in."""
    folder.chmod(0o755)
    for file in INSIDE.glob("*.py"):
        copy = folder / file.name
        copy.write_bytes(file.read_bytes())
        copy.chmod(0o644)
    return folder
