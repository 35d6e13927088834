"""`labctl down`: exactly its own, from anywhere, as often as one likes."""

import json
import shutil

import pytest
from outside import Lab, run, run_command

pytestmark = pytest.mark.turn(2)

QUICK = {"image": "labctl/echo-client", "init": True, "stdin_open": True}


def write(folder, **top) -> str:
    folder.mkdir(exist_ok=True)
    file = folder / "compose.yaml"
    file.write_text(json.dumps({"services": {"a": QUICK, "b": QUICK}, **top}))
    return str(file)


@pytest.fixture
def small(spare, tmp_path) -> Lab:
    """A lab of two nodes with a network and a volume of its own."""
    lab = spare("small")
    service = QUICK | {"networks": ["lan"], "volumes": ["data:/data"]}
    file = write(
        tmp_path / "topology", services={"a": service, "b": service}, networks={"lan": {}}, volumes={"data": {}}
    )
    lab.ok("up", file, "--lab", lab.name)
    assert len(lab.labelled()) == 4
    return lab


@pytest.mark.turn(1)
def test_down_removes_all_of_it_and_says_so(small):
    got = small.ok("down")
    assert got.stderr == f"{small.name} is down: removed 2 containers, 1 networks, 1 volumes\n"
    assert got.stdout == ""
    assert small.labelled() == []
    assert (small.containers(), small.networks()) == ({}, [])


def test_down_twice(small):
    small.ok("down")
    assert small.ok("down").stderr == f"nothing is left of {small.name}\n"
    told = small.json("down")
    assert told["removed"] == [{"lab": small.name, "containers": 0, "networks": 0, "volumes": 0, "goes_on": False}]


def test_down_by_name_from_another_directory_with_the_file_gone(small, tmp_path):
    shutil.rmtree(tmp_path / "topology")
    got = run("down", small.name, cwd="/")
    assert got.returncode == 0, got
    assert small.labelled() == []


def test_down_of_nodes_in_every_state(small):
    small.container("a").pause()
    small.container("b").kill()
    small.ok("down")
    assert small.labelled() == []


def test_down_closes_in_order(spare):
    """Each node gets SIGTERM and its time: the chat ends with a goodbye on the wire, not with a reset."""
    lab = spare("orderly")
    lab.ok("up", "--lab", lab.name, timeout=200)
    lab.ok("chat", "send", "alice", "before the end", "--timeout", "20")
    with lab.journal("alice", "bob") as journal:
        lab.ok("down")
        for node in ("alice", "bob"):
            journal.wait(node, "exit", signal="SIGTERM")
        assert not journal.events("alice", "error", error="ECONNRESET")
        assert not journal.events("bob", "error", error="ECONNRESET")


def test_down_removes_nothing_of_others(small, spare, tmp_path, engine):
    """Next to it: a Compose project that isn't ours, one whose name begins with ours, and a lab of such a name."""
    foreign, longer = spare("small-foreign"), spare("small-2")
    file = write(tmp_path / "other", networks={"default": {}}, volumes={"data": {}})
    compose = ["docker", "compose", "-p", foreign.name, "-f", file]
    assert run_command([*compose, "up", "-d"], timeout=60).returncode == 0
    try:
        longer.ok("up", file, "--lab", longer.name)
        before = [state(each) for each in (foreign, longer)]
        small.ok("down")
        assert small.labelled() == []
        assert [state(each) for each in (foreign, longer)] == before
        # Even by its name: it carries no label of labctl.
        assert "labctl did not make it" in foreign.refused("down")
        assert state(foreign) == before[0]
    finally:
        assert run_command([*compose, "down", "-v", "-t", "1"], timeout=60).returncode == 0


def state(lab: Lab) -> list:
    found = sorted((name, item.id, item.attrs["State"]["StartedAt"]) for name, item in lab.containers().items())
    return [*found, *sorted(network.id for network in lab.networks())]


def test_down_with_a_stranger_on_the_network(small, outsider):
    """Somebody's container still uses the lab's network: it is left alone, and named as what is in the way."""
    network = f"{small.name}_lan"
    stranger = outsider("clients", small, network)
    try:
        got = small.run("down")
        assert got.returncode == 1
        assert "Traceback" not in got.stderr
        assert stranger.container.name in got.stderr or "active endpoints" in got.stderr
        assert small.containers() == {}, "the nodes are gone all the same"
        stranger.container.reload()
        assert stranger.container.status == "running"
    finally:
        stranger.container.remove(force=True)
    small.ok("down")
    assert small.labelled() == []


def test_down_of_what_never_was(lab):
    assert run("down", "never-was-there").stderr == "nothing is left of never-was-there\n"
    assert run("down", "No such name").returncode == 1


def test_down_json(small):
    told = json.loads(run("down", small.name, "--json").stdout)
    assert told == {
        "schema_version": 1,
        "removed": [{"lab": small.name, "containers": 2, "networks": 1, "volumes": 1, "goes_on": False}],
    }
