"""The lab from outside: `labctl` as a subprocess, a terminal to type into, and Docker's own word on the same things."""

import fcntl
import json
import os
import pty
import selectors
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import docker
from docker.utils import kwargs_from_env

ROOT = Path(__file__).parents[2]
OUT = ROOT / "tests" / "out"
BIN = Path(sys.executable).parent
LABCTL = str(BIN / "labctl")
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
PATIENCE = 60.0  # seconds for something to happen that takes milliseconds on an idle machine


class Result(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def environment(**variables: str | None) -> dict[str, str]:
    """A user's environment: nothing in it chooses a lab or colours. None takes a variable out."""
    chosen = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "GREETING", "CHAT_MODE", "COMPOSE_PROJECT_NAME")
    base = {k: v for k, v in os.environ.items() if k not in chosen and (k == "LABCTL_DEBIAN" or k[:6] != "LABCTL")}
    base |= {"PATH": f"{BIN}:{base['PATH']}", "TERM": "xterm-256color"}
    return {key: value for key, value in {**base, **variables}.items() if value is not None}


def run(
    *args: str | bytes,
    input: str | bytes | None = None,
    timeout: float = 120,
    cwd: str | Path | None = None,
    **variables: Any,
) -> Result:
    """`labctl` with these arguments; its output must be UTF-8."""
    return run_command([LABCTL, *args], input=input, timeout=timeout, cwd=cwd, **variables)


def run_command(
    command: Sequence[str | bytes],
    *,
    input: str | bytes | None = None,
    timeout: float = 120,
    cwd: str | Path | None = None,
    **variables: Any,
) -> Result:
    data = input.encode() if isinstance(input, str) else input
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        command, capture_output=True, timeout=timeout, cwd=cwd, env=environment(**variables), check=False, **streams
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def begin(*args: str, cwd: str | Path | None = None, **variables: Any) -> subprocess.Popen[bytes]:
    """`labctl`, going on in a process group of its own; whoever begins it ends it with `finish`."""
    return begin_command([LABCTL, *args], cwd=cwd, **variables)


def begin_command(command: list[str], *, cwd: str | Path | None = None, **variables: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd=cwd,
        env=environment(**variables),
    )


def finish(child: subprocess.Popen[bytes], timeout: float = 120) -> Result:
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate(timeout=10)
        raise AssertionError(f"{child.args!r} did not end within {timeout} s\n{out!r}\n{err!r}") from None
    return Result(child.returncode, (out or b"").decode(), (err or b"").decode())


def read_until(stream: IO[bytes] | None, wanted: bytes, within: float = PATIENCE) -> bytes:
    """What a program writes to a pipe, until `wanted` is in it."""
    assert stream is not None
    data, deadline = b"", time.monotonic() + within
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while wanted not in data:
            assert selector.select(max(0.0, deadline - time.monotonic())), f"no {wanted!r} within {within} s: {data!r}"
            more = os.read(stream.fileno(), 1 << 16)
            assert more, f"it ended without {wanted!r}: {data!r}"
            data += more
    return data


def until(true: Callable[[], object], what: str, within: float = PATIENCE) -> None:
    """Looks until something is true that no pipe tells of, and fails when it has not come true in time."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {within} s"
        time.sleep(0.05)


class Terminal:
    """A program at a terminal of its own: what it shows can be waited for, keys can be typed, ^C and ^D are keys."""

    def __init__(self, command: list[str], columns: int = 100, **variables: str) -> None:
        self.shown = ""
        self._main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            # Its controlling terminal: without one, ^C is a character like any other.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=environment(**variables),
        )
        os.close(side)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.hang_up()

    def type(self, keys: str) -> None:
        os.write(self._main, keys.encode())

    def hang_up(self) -> None:
        """The terminal is gone, as when its window is closed."""
        if self._main >= 0:
            os.close(self._main)
            self._main = -1

    def wait(self, text: str, within: float = PATIENCE) -> None:
        """Until `text` is shown."""
        assert self._read(lambda: text in self.shown, within), f"{text!r} was not shown within {within} s: {self.shown}"

    def end(self, within: float = PATIENCE) -> int:
        """Until the program ends; its exit status."""
        self._read(lambda: False, within)
        return self.process.wait(within)

    def _read(self, enough: Callable[[], bool], within: float) -> bool:
        deadline = time.monotonic() + within
        with selectors.DefaultSelector() as selector:
            selector.register(self._main, selectors.EVENT_READ)
            while not enough():
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return False
                try:
                    data = os.read(self._main, 1 << 16)
                except OSError:
                    data = b""  # EIO: nobody has the terminal open any more
                if not data:
                    return enough()
                self.shown += data.decode(errors="replace")
        return True


class Journal:
    """What some nodes write, as Docker's client reads it: from now on, or from the beginning. A context manager."""

    def __init__(self, containers: dict[str, Any], *, whole: bool) -> None:
        self._containers, self._whole = containers, whole
        self._events: dict[str, list[dict[str, Any]]] = {name: [] for name in containers}
        self._changed = threading.Condition()
        self._streams: list[Any] = []

    def __enter__(self) -> Self:
        for name, container in self._containers.items():
            # A stream is ended by closing its socket, which the client's pool must not hand to another request.
            client = docker.APIClient(version="auto", timeout=60, **kwargs_from_env())
            stream = client.logs(container.id, stream=True, follow=True, tail="all" if self._whole else 0)
            self._streams.append((client, stream))
            threading.Thread(target=self._read, args=(name, stream), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for client, stream in self._streams:
            stream.close()
            client.close()

    def _read(self, name: str, chunks: Iterable[bytes]) -> None:
        rest = b""
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            found = [event for line in lines if (event := parse(line))]
            with self._changed:
                self._events[name] += found
                self._changed.notify_all()

    def events(self, node: str, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Those that have come so far."""
        return [found for found in self._events[node] if matches(found, event, fields)]

    def wait(self, node: str, event: str, *, count: int = 1, within: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """The `count`-th event of that name with these fields, as soon as it is there."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self.events(node, event, **fields)) >= count, within)
        found = self.events(node, event, **fields)
        assert there, f"{node}: {len(found)} of {count} {event} {fields} within {within} s:\n{self._tail(node)}"
        return found[count - 1]

    def _tail(self, node: str) -> str:
        return "\n".join(json.dumps(event, ensure_ascii=False)[:300] for event in self._events[node][-20:])


def parse(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def json_lines(text: str) -> list[dict[str, Any]]:
    """A stream of JSON objects; not str.splitlines(), for which U+2028 within a text ends a line, too."""
    return [json.loads(line) for line in text.split("\n") if line]


def matches(event: dict[str, Any], name: str, fields: dict[str, Any]) -> bool:
    return event["event"] == name and all(event.get(key) == value for key, value in fields.items())


class Lab:
    """One lab by its name. `run` and `begin` are labctl's with LABCTL_LAB set to it."""

    def __init__(self, engine: Any, name: str) -> None:
        self.engine, self.name = engine, name
        self.brought_up: Result | None = None

    def run(self, *args: str | bytes, **options: Any) -> Result:
        return run(*args, **{"LABCTL_LAB": self.name, **options})

    def ok(self, *args: str | bytes, **options: Any) -> Result:
        """A run that must succeed."""
        result = self.run(*args, **options)
        assert result.returncode == 0, f"labctl {args}: {result}"
        return result

    def json(self, *args: str | bytes, **options: Any) -> dict[str, Any]:
        end = args.index("--") if "--" in args else len(args)
        found: dict[str, Any] = json.loads(self.ok(*args[:end], "--json", *args[end:], **options).stdout)
        return found

    def refused(self, *args: str | bytes, **options: Any) -> str:
        """A run that labctl must refuse with exit status 1 and one message; the message."""
        result = self.run(*args, **options)
        assert result.returncode == 1, f"labctl {args}: {result}"
        assert result.stderr.startswith("labctl: "), result
        assert "Traceback" not in result.stderr, result
        return result.stderr.splitlines()[0].removeprefix("labctl: ")

    def begin(self, *args: str, **variables: Any) -> subprocess.Popen[bytes]:
        return begin(*args, **{"LABCTL_LAB": self.name, **variables})

    def terminal(self, *args: str, **options: Any) -> Terminal:
        return Terminal([LABCTL, *args], **{"LABCTL_LAB": self.name, **options})

    def containers(self) -> dict[str, Any]:
        """All that Docker has of this project, by service."""
        filters = {"label": f"{PROJECT}={self.name}"}
        found = self.engine.containers.list(all=True, ignore_removed=True, filters=filters)
        return {item.labels[SERVICE]: item for item in found}

    def container(self, node: str) -> Any:
        return self.containers()[node]

    def address(self, node: str) -> str:
        return str(self.container(node).attrs["NetworkSettings"]["Networks"][f"{self.name}_lab"]["IPAddress"])

    def published(self, node: str, port: int) -> tuple[str, int]:
        bound = self.container(node).attrs["NetworkSettings"]["Ports"][f"{port}/tcp"][0]
        return bound["HostIp"], int(bound["HostPort"])

    def journal(self, *nodes: str, whole: bool = False) -> Journal:
        containers = self.containers()
        return Journal({node: containers[node] for node in nodes}, whole=whole)

    def events(self, node: str, event: str, **fields: Any) -> list[dict[str, Any]]:
        """What a node's journal holds until now."""
        lines = self.container(node).logs(stdout=True, stderr=False).split(b"\n")
        return [found for line in lines if (found := parse(line)) and matches(found, event, fields)]

    def networks(self) -> list[Any]:
        return list(self.engine.networks.list(filters={"label": f"{PROJECT}={self.name}"}))

    def labelled(self) -> list[str]:
        """The names of all containers, networks and volumes that carry this lab's label."""
        filters = {"label": f"dev.labctl.lab={self.name}"}
        found = [item.name for item in self.engine.containers.list(all=True, ignore_removed=True, filters=filters)]
        found += [item.name for item in self.engine.networks.list(filters=filters)]
        # The engine lists volumes in no order.
        return found + sorted(item.name for item in self.engine.volumes.list(filters=filters))

    def heal(self) -> None:
        """Every node runs again and is ready, and the two of the chat talk."""
        for node, container in self.containers().items():
            if container.status == "paused":
                container.unpause()
            elif container.status != "running":
                self.ok("start", node)
        self.ok("chat", "send", "alice", "all is well again", "--timeout", "30")


def end_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """A signal to a whole process group, as ^C at a terminal sends it."""
    os.killpg(child.pid, number)
