"""labctl dies at every named phase, of every signal; then one `labctl down`, and the machine is as it was before.

docs/kill-matrix.md explains it, and shows what was found.
"""

import json
import os
import random
import secrets
import signal
import subprocess

import pytest
from kill_matrix import DOWN, PAGE, PROGRAM, REMOVE, RESULTS, RUN, RUNNING, SIGNALS, UP, cells, lines, page
from machine import Machine, Shell, no_processes
from outside import Lab, Result, begin, finish, run, until
from sampling import seed

from labctl.phases import PHASES

ENDS = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -signal.SIGKILL}
MUTE = "import socket; s = socket.create_server(('', 8080)); import signal; signal.pause()"
SERVER = "import socket; s = socket.create_server(('', 9000)); import signal; signal.pause()"
STDIN = {"stdin_open": True, "init": True}
CELLS = cells(seed())


def of(command: str, *order: int) -> list[tuple[str, ...]]:
    """What the tests of one table are given: the phase and the signal of each cell, by their places, of this run."""
    return [tuple(cell[place] for place in order) for cell in CELLS if cell[0] == command]


def small() -> dict:
    """Something of all that a lab can leave behind: two families, a published port, a volume, a route of a probe's."""
    part = random.randrange(256)
    subnets = [{"subnet": f"10.{100 + part // 4}.{random.randrange(256)}.0/24"}, {"subnet": f"fd79:77:{part:x}::/64"}]
    alice = {"image": "labctl/chat-server", "ports": ["127.0.0.1::12345"], "volumes": ["notes:/notes"]}
    alice["x-labctl"] = {"routes": ["10.250.0.0/24 via bob"]}
    bob = {"image": "labctl/chat-client", "environment": {"TARGET": "alice:12345"}}
    return {
        "services": {
            "alice": STDIN | {"hostname": "alice", "networks": ["lab"]} | alice,
            "bob": STDIN | {"hostname": "bob", "networks": ["lab"]} | bob,
        },
        "networks": {"lab": {"enable_ipv6": True, "ipam": {"config": subnets}, "x-labctl": {"movable": True}}},
        "volumes": {"notes": {}},
    }


def whole() -> dict:
    """The same with what the running commands need."""
    found = small()
    found["services"] |= {
        "udp1": STDIN | {"image": "labctl/udp-peer", "networks": ["lab"], "environment": {"PEER": "udp2:5005"}},
        "udp2": STDIN | {"image": "labctl/udp-peer", "networks": ["lab"], "environment": {"PEER": "udp1:5005"}},
        # Its kernel accepts, and nothing answers: a command that asks it can't be over before the signal.
        "mute": {"image": "labctl/probe", "init": True, "networks": ["lab"], "command": ["python3", "-c", MUTE]},
        "web": STDIN | {"image": "labctl/http-hello", "networks": ["lab"]},
    }
    return found


@pytest.fixture(scope="module")
def shell(engine):
    """root on the machine's own network: nftables' rules, where the machine has no nft, and what tests leave there."""
    helper = engine.containers.run(
        "labctl/router",
        ["sleep", "infinity"],
        entrypoint=[],
        detach=True,
        init=True,
        user="0",
        network_mode="host",
        cap_add=["NET_ADMIN"],
    )
    found = Shell(helper.id)
    yield found
    found.close()
    helper.remove(force=True)


class Ground:
    """The machine, and how it was before the first of these tests, or after the last that left something on it."""

    def __init__(self, machine: Machine):
        self.machine, self.before = machine, machine.settled()

    def check_unchanged(self, lab: str) -> None:
        differences = self.machine.differences(self.before, lab)
        if differences:
            self.before = self.machine.look("")  # else all that follow would fail for it
        assert not differences, "\n".join(differences)


@pytest.fixture(scope="module")
def ground(engine, shell):
    return Ground(Machine(engine, lambda *arguments: shell.output("nft", *arguments)))


@pytest.fixture(scope="module")
def results():
    """What was found; written for the page after a run of all in which all went well."""
    found: list[dict] = []
    yield found
    if is_whole(found):
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1))


def is_whole(results: list[dict]) -> bool:
    return len(results) == len(cells(None))


class Trial:
    """One lab of these tests, in a world of its own: a folder for locks, a mark on all processes."""

    def __init__(self, engine, ground: Ground, folder, topology: dict):
        self.lab = Lab(engine, f"kill-{secrets.token_hex(3)}")
        self.mark = f"MARK={secrets.token_hex(8)}"
        self._ground, self._folder, self._file = ground, folder, folder / "compose.yaml"
        self._file.write_text(json.dumps(topology))
        self._program = folder / "program"
        self._program.mkdir()
        (self._program / "server.py").write_text(SERVER)

    def _variables(self) -> dict[str, str]:
        return {"XDG_RUNTIME_DIR": str(self._folder), "LABCTL_TEST_MARK": self.mark}

    def up(self) -> None:
        self.lab.ok("up", *self.to_come_up(), **self._variables())

    def to_come_up(self) -> list[str]:
        return [str(self._file), "--lab", self.lab.name]

    def down(self) -> Result:
        return self.lab.run("down", self.lab.name, timeout=100, **self._variables())

    def ok(self, *command: str) -> None:
        self.lab.ok(*command, cwd=self._program, **self._variables())

    def end_at(self, phase: str, number: str, *command: str) -> Result:
        """Runs a command until it has stopped itself at a phase, then sends it the signal and lets it go on."""
        where = {"cwd": self._program, "LABCTL_LAB": self.lab.name, "LABCTL_STOP_AT": phase}
        child = begin(*command, **where, **self._variables())
        stop(child, phase)
        child.send_signal(getattr(signal, number))
        child.send_signal(signal.SIGCONT)
        got = finish(child)
        assert got.returncode == ENDS[number], got
        assert "Traceback" not in got.stderr
        return got

    def check_nothing_left(self) -> None:
        assert self.lab.labelled() == []
        assert no_processes(self.mark) == []
        self._ground.check_unchanged(self.lab.name)

    def check_down(self) -> None:
        """One `labctl down`, and nothing is left."""
        gone = self.down()
        assert gone.returncode == 0, gone
        self.check_nothing_left()
        assert list(self._folder.glob("labctl-*/*")) == []


def stop(child: subprocess.Popen, phase: str) -> None:
    """Waits until a process has stopped itself."""
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        child.returncode = os.waitstatus_to_exitcode(status)
        out, err = child.communicate()
        raise AssertionError(f"it ended with {child.returncode} and never came to {phase}: {out!r} {err!r}")


@pytest.fixture
def trial(engine, ground, tmp_path):
    found = Trial(engine, ground, tmp_path, small())
    yield found
    if found.lab.labelled():  # the test has failed
        run("down", found.lab.name, timeout=100)


def entry(command: str, phase: str, number: str, got: Result, left: list[str]) -> dict:
    return {"command": command, "phase": phase, "signal": number, "exit": got.returncode, "left": left}


@pytest.mark.parametrize(("phase", "number"), of("up", 1, 2))
def test_up(trial, results, phase, number):
    got = trial.end_at(phase, number, "up", *trial.to_come_up())
    left = trial.lab.labelled()
    if number != "SIGKILL":
        trial.check_nothing_left()
    trial.check_down()
    results.append(entry("up", phase, number, got, left))


@pytest.mark.parametrize(("phase", "number"), of("down", 1, 2))
def test_down(trial, results, phase, number):
    trial.up()
    got = trial.end_at(phase, number, "down", trial.lab.name)
    left = trial.lab.labelled()
    trial.check_down()
    results.append(entry("down", phase, number, got, left))


class Running:
    """A lab on which commands are ended by one signal, at all phases; then one `labctl down`, and the next signal."""

    def __init__(self, begin):
        self._begin, self._number, self._trial = begin, "", None

    def by(self, number: str) -> Trial:
        if self._number != number:
            self.end()
            self._number, self._trial = number, self._begin()
            self._trial.up()
        return self._trial

    def end(self) -> None:
        if self._trial:
            trial, self._trial = self._trial, None
            trial.check_down()


@pytest.fixture(scope="module")
def running(engine, ground, tmp_path_factory):
    found = Running(lambda: Trial(engine, ground, tmp_path_factory.mktemp("running"), whole()))
    yield found
    found.end()


def runs(lab: Lab) -> dict[str, str]:
    """Since when each container runs."""
    return {item.id: item.attrs["State"]["StartedAt"] for item in lab.containers().values()}


def by_signal(command: str) -> list[tuple[str, ...]]:
    """One signal after the other: each has one lab."""
    return sorted(of(command, 2, 1), key=lambda cell: SIGNALS.index(cell[0]))


@pytest.mark.parametrize(("number", "phase"), by_signal("run"))
def test_running(running, results, phase, number):
    trial = running.by(number)
    before, there = runs(trial.lab), trial.lab.labelled()
    got = trial.end_at(phase, number, *RUNNING[phase])
    assert no_processes(trial.mark) == []
    assert runs(trial.lab) == before
    if phase.startswith("fault:"):
        check_rules(trial, phase)
    elif phase.startswith("processes:"):
        assert len(trial.lab.labelled()) == len(there) + 1
        trial.ok(*RUNNING[phase])
    elif phase.startswith("capture:"):
        check_recorders(trial, there)
    else:
        assert trial.lab.labelled() == there
    if phase != "logs:following" and not phase.startswith(("fault:", "processes:", "capture:")):
        again = [word.replace("mute", "web") for word in RUNNING[phase]]
        trial.ok(*again, "--timeout", "20")
    results.append(entry("run", phase, number, got, there))


@pytest.mark.parametrize(("number", "phase"), by_signal("program"))
def test_programs(running, results, phase, number):
    trial = running.by(number)
    before, there = runs(trial.lab), trial.lab.labelled()
    if PROGRAM[phase] == REMOVE:
        trial.ok(*RUN)
    got = trial.end_at(phase, number, *PROGRAM[phase])
    assert no_processes(trial.mark) == []
    left = sorted({*trial.lab.labelled()} - {*there})
    trial.ok(*RUN)
    trial.ok(*REMOVE)
    assert (runs(trial.lab), trial.lab.labelled()) == (before, there)
    results.append(entry("program", phase, number, got, left))


def check_rules(trial, phase: str) -> None:
    """Both ways of the link have the rule, or none has; and the same command works again at once."""
    wanted = ["udp1:udp2", "udp2:udp1"] if phase == "fault:committed" else []
    assert [fault["link"] for fault in trial.lab.json("fault", "ls")["faults"]] == wanted
    trial.ok("fault", "clear", "--all")
    trial.ok(*RUNNING[phase])
    trial.ok("fault", "clear", "--all")


def check_recorders(trial, there: list[str]) -> None:
    """Only recorders have come, nobody listens to them any more, and they serve the next command."""
    key = ["dev.labctl.probe=capture", f"dev.labctl.lab={trial.lab.name}"]
    come = set(trial.lab.labelled()) - set(there)
    # The engine goes on with what it was asked for: one may be there that nobody started.
    recorders = trial.lab.engine.containers.list(all=True, filters={"label": key}, ignore_removed=True)
    assert come <= {found.name for found in recorders}
    running = [found for found in recorders if found.status == "running"]
    assert running

    def programs() -> list[str]:
        return [line[-1] for found in recorders for line in found.top()["Processes"]]

    until(lambda: not any("capture_tell.py" in program for program in programs()), "nobody listens any more")
    trial.ok("capture", "alice", "bob", "--for", "100ms")
    trial.ok("ladder", "alice", "bob")


def test_page_shows_what_was_found(results):
    """The published page is the one that a run of all these tests gives; else it has the cells that were run."""
    if is_whole(results):
        assert page(results) == PAGE.read_text(), "`make kill-matrix` writes docs/kill-matrix.md"
    assert "not run" not in PAGE.read_text()
    published, found = lines(PAGE.read_text()), lines(page(results))
    assert published.keys() == found.keys()
    for row, told in found.items():
        for there, now in zip(published[row], told, strict=True):
            assert now in (there, "not run"), row


def test_matrix_holds_every_phase():
    assert {*UP, *DOWN, *RUNNING, *PROGRAM} == set(PHASES)


# What may be left behind on the machine: how it comes there, how it goes, and the line that tells.
LEFT = {
    "link": (
        "ip link add labctl-left type veth peer labctl-peer",
        "ip link del labctl-left",
        "link ifname=labctl-left",
    ),
    "namespace": ("ip netns add labctl-left", "ip netns del labctl-left", "netns labctl-left"),
    "route": ("ip route add blackhole 198.51.100.7", "ip route del blackhole 198.51.100.7", "route -4 "),
    "route6": ("ip -6 route add blackhole 2001:db8::7", "ip -6 route del blackhole 2001:db8::7", "route -6 "),
    "nft": ("nft add table inet labctl-left", "nft delete table inet labctl-left", "nft table inet labctl-left"),
    "iptables": ("iptables -w -N labctl-left", "iptables -w -X labctl-left", "iptables-save *filter :labctl-left"),
}


@pytest.mark.parametrize("kind", LEFT)
def test_what_is_left_on_the_machine_is_seen(ground, shell, kind):
    """No check of this matrix is one that can't fail."""

    def do(command: str) -> None:
        if command.startswith("nft"):
            shell.output(*command.split())
        else:
            subprocess.run(command.split(), check=True, timeout=30)

    come, go, line = LEFT[kind]
    before = ground.machine.settled()
    do(come)
    try:
        found = ground.machine.differences(before, "no-lab", patience=0)
    finally:
        do(go)
    assert any(item.startswith(f"+ {line}") for item in found), found
    assert ground.machine.differences(before, "no-lab") == []


def test_what_is_left_of_a_lab_is_seen(trial, ground, engine):
    """A network with its bridge, a volume, a container, a process, a file of locks."""
    labels = {"dev.labctl.lab": trial.lab.name}
    network = engine.networks.create(f"{trial.lab.name}_lab", labels=labels)
    volume = engine.volumes.create(f"{trial.lab.name}_notes", labels=labels)
    container = engine.containers.create("labctl/probe", ["true"], name=f"{trial.lab.name}-alice-1", labels=labels)
    assert trial.lab.labelled() == [container.name, network.name, volume.name]
    found = ground.machine.differences(ground.before, trial.lab.name, patience=0)
    assert any(f"br-{network.id[:12]}" in line for line in found)
    trial.check_down()
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "LABCTL_TEST_MARK": trial.mark}) as child:
        assert no_processes(trial.mark, patience=0) == ["sleep 60 "]
        child.kill()
    assert no_processes(trial.mark) == []
