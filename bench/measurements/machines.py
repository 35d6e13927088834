"""One lab over three engines (tests/machines, on this one machine), beside the same lab on one engine: 300 hosts, and
1,000 in `make bench-scale`. All share this machine's processors and memory, so this says what several engines cost, and
not what three machines gain (docs/scale.md)."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.commands import Failed, docker, labctl, run
from bench.model import Result, Setting, Target
from bench.project import ROOT

SCRIPT = ROOT / "setup" / "machines.sh"
COUNT, MANY = 300, 1000
PREPARED = 900.0  # seconds for the machines and their images
LIMIT_NODE = 4.0  # seconds a node, for `up` and `down` together
SENDS = 21
MACHINE_MEMORY = "7g"
NAMES = ("a", "b", "c")
HOSTS = ("--hosts", ",".join(NAMES))
PLACES = ("--place", "alice=a", "--place", "bob=b")
NEAR_ONE = Target(1.5)  # of one engine
CHAT = Target(2.0)
ROOM = Target(40.0, absolute=True)  # MiB a host, with the engine's own process beside it
Side = tuple[str, Sequence[str]]  # the lab's name, and where it is
FILE = """
services:
  alice: {{image: labctl/chat-server, hostname: alice, init: true, stdin_open: true, networks: [lab]}}
  bob:
    image: labctl/chat-client
    init: true
    stdin_open: true
    networks: [lab]
    environment: {{TARGET: "alice:12345"}}
  peer:
    image: labctl/udp-peer
    init: true
    stdin_open: true
    networks: [lab]
    environment: {{PEER: alice}}
    scale: {peers}
networks:
  lab:
    ipam: {{config: [{{subnet: 10.66.0.0/21}}]}}
    x-labctl: {{movable: true}}
"""


def measure(setting: Setting) -> Iterator[Result]:
    yield from _measure(setting, COUNT)


def many(setting: Setting) -> Iterator[Result]:
    yield from _measure(setting, MANY)


def _measure(setting: Setting, count: int) -> Iterator[Result]:
    with _machines() as variables, tempfile.TemporaryDirectory(prefix="labctl-bench-") as folder:
        few, file = Path(folder, "few.yaml"), Path(folder, "compose.yaml")
        few.write_text(FILE.format(peers=1))
        file.write_text(FILE.format(peers=count - 2))
        three: Side = ("bench-machines", HOSTS)
        one: Side = ("bench-one", ())
        # The images are on all machines before the time is taken.
        _labctl(variables, three[0], PREPARED, "up", str(few), *HOSTS)
        _labctl(variables, three[0], PREPARED, "down")
        found = [_cycle(setting, variables, side, file, count) for side in (three, one)]
    note = ("one pair, as it takes minutes; three engines on this machine, which has one machine's processors",)
    for key, what, unit, target in (
        ("up", f"labctl up, {count} hosts, 100 hosts of them", "s", NEAR_ONE),
        ("chat", f"labctl chat send, {count} hosts, between two engines", "ms", CHAT),
        ("fault", f"labctl fault add and clear, {count} hosts", "s", NEAR_ONE),
        ("ladder", f"labctl ladder, {count} hosts, between two engines", "s", NEAR_ONE),
        ("down", f"labctl down, {count} hosts, 100 hosts of them", "s", NEAR_ONE),
    ):
        ours, theirs = (tuple(side[key]) for side in found)
        yield Result(f"machines-{count}-{key}", what, unit, ours, theirs, "on one engine", target, note)
    memory = tuple(found[0]["memory"])
    yield Result(f"machines-{count}-memory", f"memory a host, {count} hosts", "MiB", memory, (), "", ROOM, note)


def _cycle(
    setting: Setting, variables: Mapping[str, str], side: Side, file: Path, count: int
) -> dict[str, list[float]]:
    """Brings the lab up, uses it and takes it down."""
    name, where = side
    limit = PREPARED + LIMIT_NODE * count
    places = PLACES if where else ()
    before = _used(name)
    found: dict[str, list[float]] = {}
    hundreds = count / 100
    try:
        up = _labctl(variables, name, limit, "up", str(file), *where, *places, "--timeout", str(limit))
        found["up"] = [up / hundreds]
        setting.tell(f"{name}: up {up:.1f} s")
        found["memory"] = [(_used(name) - before) / count]
        sends = [_labctl(variables, name, 60, "chat", "send", "alice", f"line {n}") for n in range(SENDS + 1)]
        found["chat"] = [1000 * seconds for seconds in sends[1:]]
        setting.tell(f"{name}: chat {1000 * statistics.median(sends[1:]):.0f} ms")
        found["fault"] = [
            _labctl(variables, name, 120, "fault", "add", "alice:bob", "--loss", "1%")
            + _labctl(variables, name, 120, "fault", "clear", "--all")
        ]
        _labctl(
            variables, name, 120, "trace", "--node", "alice", "--node", "bob", "--", "chat", "send", "alice", "recorded"
        )
        found["ladder"] = [_labctl(variables, name, 120, "ladder", "alice", "bob")]
    finally:
        down = _labctl(variables, name, limit, "down")
    found["down"] = [down / hundreds]
    setting.tell(f"{name}: down {down:.1f} s")
    return found


def _labctl(variables: Mapping[str, str], lab: str, limit: float, *arguments: str) -> float:
    return run([labctl(), *arguments], limit, {**variables, "LABCTL_LAB": lab}).seconds


def _used(name: str) -> float:
    """MiB that this machine's memory is used for, without what it could give back at once (proc(5), MemAvailable)."""
    time.sleep(3.0)
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(lines["MemTotal"].split()[0]) - int(lines["MemAvailable"].split()[0])) / 1024


@contextmanager
def _machines() -> Iterator[dict[str, str]]:
    """The three, in one swarm and known to a labctl with these variables; gone afterwards where they were not there."""
    label = ["ps", "--all", "--quiet", "--filter", "label=dev.labctl.test-machines"]
    were_there = bool(run([docker(), *label], 60).out.strip())
    with tempfile.TemporaryDirectory(prefix="labctl-bench-") as config:
        variables = {"XDG_CONFIG_HOME": config}
        try:
            told = run([str(SCRIPT), "up"], PREPARED, {"LABCTL_MACHINE_MEMORY": MACHINE_MEMORY}).out
            for name, line in zip(NAMES, told.splitlines(), strict=True):
                run([labctl(), "hosts", "add", name, f"tcp://{line.split()[1]}:2375"], 60, variables)
            run([labctl(), "hosts", "join", *NAMES], 120, variables)
            yield variables
            hosts = json.loads(run([labctl(), "hosts", "ls", "--json"], 60, variables).out)
            if len(hosts["hosts"]) != len(NAMES):
                raise Failed("the machines changed meanwhile")
        finally:
            if not were_there:
                run([str(SCRIPT), "down"], PREPARED, dict(os.environ))
