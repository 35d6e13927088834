"""Where programs listen, as the kernel has it: what it says in their network namespace (labctl.engine.docker.diag), or
/proc/net/tcp, tcp6, udp and udp6 (proc(5))."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from labctl.engine.at_once import at_once
from labctl.engine.docker import diag
from labctl.engine.model import Engine, Listening, Stream
from labctl.errors import LabError

TABLES = ("tcp", "tcp6", "udp", "udp6")
COMMAND = ("cat", *(f"/proc/net/{table}" for table in TABLES))  # what a container can be asked to run
READ_LIMIT = 10.0  # seconds for containers that read their own, all of them
READERS = 8  # of them at the same time
_STATES = {"tcp": "0A", "udp": "07"}  # TCP_LISTEN; TCP_CLOSE, which a datagram socket without a peer is in
_RESOLVER = "127.0.0.11"  # the engine's own name server, which it opens in each container
_HEAD = "sl"  # the first word of a table
_RESOLVER_DIGITS = f"{int.from_bytes(socket.inet_aton(_RESOLVER), sys.byteorder):08X}:"  # as the tables have it
_READ = 1 << 16


def listening(lines: Iterable[str]) -> tuple[Listening, ...]:
    """What the tables say, one after the other, each with its head: TCP that listens, UDP that is bound and takes
    datagrams from anybody."""
    found: set[Listening] = set()
    proto = ""
    for line in lines:
        words = line.split()
        if words[:1] == [_HEAD]:
            proto = "udp" if "drops" in words else "tcp"
        elif proto and len(words) > 3 and words[3] == _STATES[proto]:
            address, _, port = words[1].partition(":")
            found.add(Listening(proto, _address(address), int(port, 16)))
    return _shown(found)


def _shown(found: Iterable[Listening]) -> tuple[Listening, ...]:
    """In order, and without what is the engine's."""
    programs = (item for item in found if item.address != _RESOLVER)
    return tuple(sorted(programs, key=lambda item: (item.proto, item.port, ":" in item.address, item.address)))


def is_table(lines: Iterable[str]) -> bool:
    """Whether there is a table among the lines: what can't run says so in other words."""
    return any(line.split()[:1] == [_HEAD] for line in lines)


def _address(digits: str) -> str:
    """The kernel writes each 32 bits of an address as a number of the machine's own byte order."""
    raw = bytes.fromhex(digits)
    words = (raw[at : at + 4] for at in range(0, len(raw), 4))
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def read(pid: int, container: str) -> tuple[Listening, ...] | None:
    """Of a process of this machine that is in a container; None where it isn't to be seen from here, as it isn't where
    the engine runs in a machine of its own."""
    with _place(pid, container) as place:
        if place is not None:
            with contextlib.suppress(OSError):
                return listening(_lines(place, _counts(place)))
    return None


@contextlib.contextmanager
def _place(pid: int, container: str) -> Iterator[int | None]:
    """The folder of a process, open: it stays that one's, whose number may be another's in the next moment. None where
    it is no process of the container's."""
    place = None
    try:
        if pid > 0 and sys.platform.startswith("linux"):
            with contextlib.suppress(OSError):
                place = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        yield place if place is not None and _is_of(place, container) else None
    finally:
        if place is not None:
            os.close(place)


def _is_of(place: int, container: str) -> bool:
    with contextlib.suppress(OSError):
        return any(container in line for line in _text(place, "cgroup"))
    return False


def read_all(pids: Mapping[str, int]) -> dict[str, tuple[Listening, ...]]:
    """As `read`, of containers by their process; those that are to be seen. The kernel is asked in each namespace;
    where that isn't allowed, its tables take milliseconds each, so all cores read."""
    found = {name: _shown(told) for name, told in diag.listening(_places(pids)).items()}

    def one(name: str, pid: int) -> None:
        told = read(pid, name)
        if told is not None:
            found[name] = told

    at_once([partial(one, name, pid) for name, pid in pids.items() if name not in found], os.cpu_count() or 1)
    return found


def _places(pids: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """One after the other, each open until the next one is asked for."""
    for name, pid in pids.items():
        with _place(pid, name) as place:
            if place is not None:
                yield name, place


def _lines(place: int, counts: Mapping[str, int]) -> list[str]:
    """The tables that hold anything. Those of TCP are one for all of the machine, in which the kernel looks for the
    namespace's own for milliseconds: so not where there can be none but the engine's name server, which has one socket
    of UDP and one of TCP."""
    datagrams = [line for table in ("udp", "udp6") if counts.get(table) for line in _text(place, f"net/{table}")]
    has_resolver = any(line.split()[1].startswith(_RESOLVER_DIGITS) for line in datagrams)
    tables = [table for table in ("tcp", "tcp6") if counts.get(table)]
    if has_resolver and counts.get("tcp") == 1:
        tables.remove("tcp")
    return [line for table in tables for line in _text(place, f"net/{table}")] + datagrams


def _counts(place: int) -> dict[str, int]:
    """How many sockets of each kind the namespace has, those aside that no program holds (proc(5), net/sockstat)."""
    found: dict[str, int] = {}
    for name in ("net/sockstat", "net/sockstat6"):
        try:
            lines = _text(place, name)
        except FileNotFoundError:  # a kernel without IPv6
            continue
        for line in lines:
            kind, _, rest = line.partition(": inuse ")
            if rest:
                found[kind.lower()] = int(rest.split()[0])
    return found


def _text(place: int, name: str) -> list[str]:
    file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=place)
    try:
        parts = []
        while part := os.read(file, _READ):
            parts.append(part)
        return b"".join(parts).decode("ascii", "replace").splitlines()
    finally:
        os.close(file)


def told_inside(engine: Engine, containers: Iterable[str]) -> dict[str, tuple[Listening, ...]]:
    """What containers whose processes aren't this machine's read themselves, where they have a cat(1).

    Each reading is a process that the engine starts, several of its own with it: a few at a time, as hundreds at once
    bring a machine to a stop, and only as many as there is time for.
    """
    left, deadline = list(containers), time.monotonic() + READ_LIMIT
    lines: dict[str, list[str]] = {}
    while left and time.monotonic() < deadline:
        some, left = left[:READERS], left[READERS:]
        _read_inside(engine, some, lines, deadline)
    return {name: listening(told) for name, told in lines.items() if is_table(told)}


def _read_inside(engine: Engine, containers: Iterable[str], lines: dict[str, list[str]], deadline: float) -> None:
    opened: list[Stream] = []
    read: dict[str, list[str]] = {}
    try:
        for name in containers:
            with contextlib.suppress(LabError):  # it is paused, or has just ended
                opened.append(engine.open(name, COMMAND))
        for happening in engine.wait(opened, deadline) if opened else ():
            name, line = happening.stream.container, happening.line
            if line is None:
                lines[name] = read.pop(name, [])  # only now it is all
            elif not line.stderr:
                read.setdefault(name, []).append(line.text.decode("ascii", "replace"))
    finally:
        for stream in opened:
            stream.close()
