"""A machine's engine is killed, the way to it is cut or the swarm's manager is lost, in the middle of `up`, of a chat
and of `down`: labctl ends by itself and says why, and once all is whole again `down` leaves nothing anywhere.

`make test-machines` tries every cell.
"""

import json
import os
import signal
import subprocess

import pytest
from outside import begin, finish, run, until
from sampling import seed, share

pytestmark = pytest.mark.machines
LAB = "broken"
ENDS_WITHIN = 200  # seconds
HEALS_WITHIN = 90
NUMBERS = 6  # of networks that may be gone, and that an engine has not let go of
GIVES_UP_WITHIN = 60  # seconds: the engine's own patience with its swarm is 20
FILE = """
services:
  alice: {image: labctl/chat-server, hostname: alice, init: true, stdin_open: true, networks: [lab]}
  bob:
    image: labctl/chat-client
    hostname: bob
    init: true
    stdin_open: true
    networks: [lab]
    environment: {TARGET: "alice:12345"}
  client: {image: labctl/echo-client, init: true, stdin_open: true, networks: [lab]}
networks:
  lab:
    ipam: {config: [{subnet: 10.77.60.0/24}]}
    x-labctl: {movable: true}
"""
PLACES = ("--hosts", "a,b,c", "--place", "alice=a", "--place", "bob=b", "--place", "client=c")
UP = ("up:images-present", "up:network-created", "up:container-created", "up:container-started", "up:ready-awaited")
CHAT = ("keyboard:attached", "keyboard:typed")
DOWN = ("down:listed", "down:container-stopped", "down:container-removed")


def kill_engine(machine):
    machine.run("sh", "-c", "touch /run/no-engine; kill -9 $(cat /run/docker.pid)")


def start_engine(machine):
    machine.run("rm", "-f", "/run/no-engine")


def rules(machine, how, proto, port):
    for chain in ("INPUT", "OUTPUT"):
        for end in ("--dport", "--sport"):
            machine.run("iptables", how, chain, "-p", proto, end, str(port), "-j", "DROP")


def cut(*ways):
    return (
        lambda machine: [rules(machine, "-I", *way) for way in ways],
        lambda machine: [rules(machine, "-D", *way) for way in ways],
    )


def paused(verb):
    """Where much else runs, the kernel may not freeze all of a machine's processes at the first time."""

    def act(machine):
        def done():
            return subprocess.run(["docker", verb, machine.name], timeout=60, capture_output=True, check=False)

        until(lambda: done().returncode == 0, f"docker {verb}", HEALS_WITHIN)

    return act


# What is done, to which machine, and how it is mended. `a` is the manager, and has alice.
HARMS = {
    "engine killed": ("b", kill_engine, start_engine),
    "manager killed": ("a", kill_engine, start_engine),
    "machine stands still": ("b", paused("pause"), paused("unpause")),
    "manager stands still": ("a", paused("pause"), paused("unpause")),
    "2377 cut": ("b", *cut(("tcp", 2377))),
    "7946 cut": ("b", *cut(("tcp", 7946), ("udp", 7946))),
    "4789 cut": ("b", *cut(("udp", 4789))),
}
CELLS = [(harm, phase) for harm in HARMS for phase in (*UP, *CHAT, *DOWN)]
NOW = share(CELLS, len(CELLS), seed())  # in `make test` one of them


@pytest.fixture(scope="module")
def hosts(machines, tmp_path_factory):
    machines.apart()
    folder = tmp_path_factory.mktemp("broken")
    (folder / "compose.yaml").write_text(FILE)
    variables = {"XDG_CONFIG_HOME": str(folder), "LABCTL_LAB": LAB}
    for name, machine in zip("abc", machines, strict=True):
        assert run("hosts", "add", name, machine.plain, **variables).returncode == 0
    joined = run("hosts", "join", "a", "b", "c", **variables)
    assert joined.returncode == 0, joined
    up = run("up", str(folder), *PLACES, timeout=300, **variables)  # the images are everywhere then
    assert up.returncode == 0, f"{up}\n{machines.facts()}"
    yield folder, variables, dict(zip("abc", machines, strict=True))
    machines.apart()


def command_of(phase, folder):
    if phase.startswith("up:"):
        return ["up", str(folder), *PLACES, "--timeout", "60"]
    return ["down"] if phase.startswith("down:") else ["chat", "send", "alice", "in the middle"]


def is_whole(machines):
    """All engines answer, and the manager has all three."""
    try:
        for machine in machines.values():
            machine.docker("info", "--format", "{{.ID}}", limit=10)
        nodes = machines["a"].docker("node", "ls", "--format", "{{.Status}}", limit=10).split()
    except (AssertionError, subprocess.TimeoutExpired):
        return False
    return nodes == ["Ready"] * 3


def left(machines):
    wanted = ("--quiet", "--filter", f"label=dev.labctl.lab={LAB}")
    return [
        found
        for machine in machines.values()
        for kind in (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
        if (found := machine.docker(*kind, *wanted))
    ]


@pytest.mark.parametrize(("harm", "phase"), NOW, ids=lambda text: text.replace(" ", "-"))
def test_in_the_middle(hosts, harm, phase):
    folder, variables, machines = hosts
    where, break_, mend = HARMS[harm]
    if phase.startswith("up:"):
        assert run("down", timeout=120, **variables).returncode == 0
    else:
        again = run("up", str(folder), *PLACES, timeout=200, **variables)
        assert again.returncode == 0, again
    child = begin(*command_of(phase, folder), LABCTL_STOP_AT=phase, LABCTL_ENGINE_LIMIT="25", **variables)
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"it ended with {status} before {phase}"
    try:
        break_(machines[where])
    except BaseException:
        child.kill()  # it would hold the lab's lock
        finish(child)
        raise
    try:
        child.send_signal(signal.SIGCONT)
        done = finish(child, ENDS_WITHIN)
    finally:
        mend(machines[where])
    assert done.returncode in (0, 1), done
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert any(line.startswith("labctl: ") for line in done.stderr.splitlines()), done
    until(lambda: is_whole(machines), "all is whole again", HEALS_WITHIN)
    until(lambda: run("down", timeout=120, **variables).returncode == 0, "down finishes", HEALS_WITHIN)
    assert left(machines) == []


def test_nodes_that_know_each_other_need_no_manager(hosts):
    """And what starts without one says so, and starts once it is there again."""
    folder, variables, machines = hosts
    places = ("--place", "alice=c", "--place", "bob=b", "--place", "client=a")
    up = run("up", str(folder), "--hosts", "a,b,c", *places, timeout=200, **variables)
    assert up.returncode == 0, up
    kill_engine(machines["a"])
    try:
        sent = run("chat", "send", "alice", "without a manager", "--json", **variables)
        assert (sent.returncode, json.loads(sent.stdout)["text"]) == (0, "without a manager")
        assert "a does not answer" in sent.stderr
    finally:
        start_engine(machines["a"])
    until(lambda: is_whole(machines), "all is whole again", HEALS_WITHIN)
    until(lambda: run("down", timeout=120, **variables).returncode == 0, "down finishes", HEALS_WITHIN)
    assert left(machines) == []


def gave_up(machine):
    """What its engine says of bob, whose place on the network the manager was to tell."""
    return "deadline exceeded" in machine.docker("inspect", "--format", "{{.State.Error}}", f"{LAB}-bob-1")


@pytest.mark.turn(2)
def test_up_goes_on_when_a_machine_finds_its_manager_again(hosts):
    """The way was cut for longer than an engine waits for a container's place on a network."""
    folder, variables, machines = hosts
    assert run("down", timeout=120, **variables).returncode == 0
    child = begin("up", str(folder), *PLACES, LABCTL_STOP_AT="up:container-created", **variables)
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), f"it ended with {status}"
    where, cut_, mend = HARMS["2377 cut"]
    cut_(machines[where])
    try:
        child.send_signal(signal.SIGCONT)
        until(lambda: gave_up(machines["b"]), "the engine gives up waiting for its manager", GIVES_UP_WITHIN)
    finally:
        mend(machines[where])
    done = finish(child, ENDS_WITHIN)
    assert done.returncode == 0, done
    assert run("down", timeout=120, **variables).returncode == 0
    assert left(machines) == []


@pytest.mark.turn(2)
def test_of_a_lab_that_is_there_nothing_is_taken_away_where_a_machine_is_kept_out(hosts):
    """Its last host there was stopped, with which the machine has left the network; it can't join again."""
    folder, variables, machines = hosts
    machine = machines["c"]
    assert run("up", str(folder), *PLACES, timeout=200, **variables).returncode == 0
    options = machines["a"].docker("network", "inspect", f"{LAB}_lab", "--format", "{{json .Options}}")
    number = json.loads(options)["com.docker.network.driver.overlay.vxlanid_list"]
    assert run("stop", "client", **variables).returncode == 0
    made = f"ip link add stale type vxlan id {number} dstport 4789 && echo made; true"
    until(lambda: machine.run("sh", "-c", made), "the machine has left the network", HEALS_WITHIN)
    try:
        refused = run("start", "client", "--timeout", "60", timeout=ENDS_WITHIN, **variables)
        assert refused.returncode == 1
        assert "labctl: c can't join the lab's network: " in refused.stderr
        assert "`labctl down`, then `labctl up` makes the network anew" in refused.stderr
    finally:
        machine.run("ip", "link", "del", "stale")
    said = run("chat", "send", "alice", "the others go on", "--json", **variables)
    assert (said.returncode, json.loads(said.stdout)["text"]) == (0, "the others go on")
    assert run("down", timeout=120, **variables).returncode == 0
    assert left(machines) == []


@pytest.mark.turn(3)
@pytest.mark.parametrize("more", [(), ("--record",)], ids=["plain", "recorded"])
def test_up_makes_a_network_anew_that_a_machine_is_kept_out_of(hosts, more):
    """By what an engine that was killed has left in the kernel: an interface with the number of the next network. Some
    are made here, and taken away as the first network goes, as the engine does with its own."""
    folder, variables, machines = hosts
    machine = machines["a"]
    assert run("up", str(folder), *PLACES, timeout=200, **variables).returncode == 0
    options = machine.docker("network", "inspect", f"{LAB}_lab", "--format", "{{json .Options}}")
    number = int(json.loads(options)["com.docker.network.driver.overlay.vxlanid_list"])
    assert run("down", timeout=120, **variables).returncode == 0
    made = "ip link add stale$id group 77 type vxlan id $id dstport 4789"
    some = f"for id in $(seq 4097 {number + 20}); do {made}; done; ip -o link show group 77; true"
    told = b""
    try:
        for _ in range(NUMBERS):
            machine.run("sh", "-c", some)
            child = begin("up", str(folder), *PLACES, *more, **variables)
            assert child.stderr
            told = next((line for line in child.stderr if b"made anew" in line), b"")
            if told:
                break
            # It got the number of a network that is gone, which the engine lets go of only now; the next has another.
            assert finish(child, ENDS_WITHIN).returncode == 0
            assert run("down", timeout=120, **variables).returncode == 0
    finally:
        machine.run("ip", "link", "del", "group", "77")
    done = finish(child, ENDS_WITHIN)
    assert done.returncode == 0, (told, number, done)
    assert told == b"note: a machine could not join the lab's network, which is made anew\n"
    sent = run("chat", "send", "alice", "over the new one", "--json", **variables)
    assert (sent.returncode, json.loads(sent.stdout)["text"]) == (0, "over the new one")
    assert run("down", timeout=120, **variables).returncode == 0
    assert left(machines) == []
