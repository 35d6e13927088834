"""`labctl up`: idempotent, beside others, and in words when it fails."""

import http.client
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from outside import ROOT, Lab, run, run_command

pytestmark = pytest.mark.turn(2)


def identities(lab: Lab) -> dict[str, tuple[str, str]]:
    return {name: (item.id, item.attrs["State"]["StartedAt"]) for name, item in lab.containers().items()}


def subnet(lab: Lab) -> str:
    (network,) = lab.networks()
    return network.attrs["IPAM"]["Config"][0]["Subnet"]


def page_of(lab: Lab) -> str:
    """The hello page, at the address that `ps` says."""
    nodes = {node["node"]: node for node in lab.json("ps")["nodes"]}
    (published,) = nodes["web"]["published"]
    connection = http.client.HTTPConnection(published["host"], published["port"], timeout=20)
    connection.request("GET", "/")
    page = connection.getresponse().read().decode()
    connection.close()
    return page


def topology(folder, **services: dict) -> str:
    file = folder / "compose.yaml"
    file.write_text(json.dumps({"services": services}))
    return str(file)


@pytest.mark.turn(1)
def test_up_ends_with_the_table_of_nodes(lab):
    assert lab.brought_up.stdout == lab.ok("ps").stdout


def test_up_shows_no_control_codes_without_a_terminal(lab):
    said = lab.brought_up.stdout + lab.brought_up.stderr
    assert all(character == "\n" or character.isprintable() for character in said), repr(said)


def test_up_shows_progress_at_a_terminal(lab):
    with lab.terminal("up", "--lab", lab.name) as terminal:
        assert terminal.end(60) == 0
        assert "bringing the lab up" in terminal.shown


@pytest.mark.turn(1)
def test_second_up_restarts_nothing_and_takes_seconds(lab):
    before = identities(lab)
    begun = time.monotonic()
    again = lab.ok("up", "--lab", lab.name)
    assert time.monotonic() - begun < 10
    assert identities(lab) == before
    assert again.stdout == lab.brought_up.stdout


def test_up_starts_what_has_stopped_and_nothing_else(fragile):
    before = identities(fragile)
    fragile.container("udp1").kill()
    fragile.ok("up", "--lab", fragile.name)
    after = identities(fragile)
    assert {name for name in after if after[name] != before[name]} == {"udp1"}
    assert after["udp1"][0] == before["udp1"][0], "the same container"
    assert all(node["state"] == "ready" for node in fragile.json("ps")["nodes"])


def test_labs_beside_each_other(lab, spare):
    """Two more that start at the same moment: each finds its own subnet and port, and nothing crosses over."""
    mine = identities(lab)
    others = [spare("left"), spare("right")]
    with ThreadPoolExecutor(2) as pool:
        ups = [
            pool.submit(other.run, "up", "--lab", other.name, GREETING=f"This is {other.name}.", timeout=200)
            for other in others
        ]
        for up in ups:
            assert up.result().returncode == 0, up.result()
    assert len({subnet(each) for each in (lab, *others)}) == 3
    assert len({each.published("web", 8080) for each in (lab, *others)}) == 3
    assert page_of(lab) == "Hello World, Michael!\n"
    for other in others:
        assert page_of(other) == f"This is {other.name}.\n"
        host, port = other.published("web", 8080)
        assert f" {host}:{port}\n" in other.ok("ps").stdout + "\n"
        assert re.fullmatch(r"10\.\d+\.\d+\.5", other.address("alice"))
        said = other.json("chat", "send", "alice", f"within {other.name}", "--timeout", "20")
        assert said["local"][0] == other.address("alice")
        assert said["peer"][0] == other.address("bob")
        assert other.events("bob", "message")[-1]["text"] == f"within {other.name}"
    assert {each.name for each in (lab, *others)} <= {item["lab"] for item in lab.json("ls")["labs"]}
    ambiguous = run("ps")
    assert (ambiguous.returncode, ambiguous.stdout) == (1, "")
    assert ambiguous.stderr.startswith("labctl: several labs are there: ")
    assert all(other.name in ambiguous.stderr for other in others)
    # --lab is stronger than LABCTL_LAB.
    assert lab.json("ps", "--lab", others[0].name)["lab"] == others[0].name
    for other in others:
        assert other.ok("down").stderr.startswith(f"{other.name} is down: removed 7 containers, 1 networks")
        assert other.labelled() == []
    assert identities(lab) == mine


ROLE = {"image": "labctl/echo-client", "init": True, "stdin_open": True}


def test_node_that_fails_at_once_is_named_with_its_last_lines(spare, tmp_path):
    lab = spare("broken")
    script = "import sys; print('first words'); print('last words', file=sys.stderr); sys.exit(3)"
    good, bad = ROLE | {"hostname": "good"}, ROLE | {"command": ["python3", "-c", script]}
    said = lab.run("up", topology(tmp_path, good=good, bad=bad), "--lab", lab.name)
    assert (said.returncode, said.stdout) == (1, "")
    lines = said.stderr.splitlines()
    at = lines.index("labctl: bad failed: it ended with exit status 3; its last lines:")
    assert sorted(lines[at + 1 : at + 3]) == ["    first words", "    last words"]
    # All is left for a look, as the hint says.
    assert "first words" in lab.ok("logs", "bad").stdout
    assert {node["node"]: node["state"] for node in lab.json("ps")["nodes"]}["bad"] == "exited"
    lab.ok("down")
    assert lab.labelled() == []


def test_somebodys_own_node_that_fails(spare, tmp_path, debian):
    """It says nothing when it is ready: what ends before the others are has failed, unless its work was done."""
    lab = spare("own-broken")
    # The other takes longer: a Python that starts, and then says that it is ready.
    first = {"depends_on": ["job"], **ROLE}
    bad = {"image": debian, "command": ["sh", "-c", "echo it is no use; exit 9"]}
    said = lab.run("up", topology(tmp_path, job=bad, other=first), "--lab", lab.name)
    assert said.returncode == 1
    assert "labctl: job failed: it ended with exit status 9; its last lines:\n    it is no use\n" in said.stderr
    done = {"image": debian, "command": ["echo", "done"]}
    lab.ok("up", topology(tmp_path, job=done, other=first), "--lab", lab.name)
    assert lab.container("job").logs() == b"done\n", "it is done once"


def test_node_that_never_gets_ready(spare, tmp_path):
    lab = spare("slow")
    check = {"test": ["CMD", "false"], "interval": "1s", "retries": 1000}
    slow = ROLE | {"command": ["sleep", "1000"], "healthcheck": check}
    said = lab.run("up", topology(tmp_path, slow=slow, quick=ROLE), "--lab", lab.name, "--timeout", "6")
    assert said.returncode == 1
    assert "labctl: not ready within 6 s: slow\n" in said.stderr


def test_command_that_is_not_there_is_taken_back(spare, tmp_path):
    lab = spare("no-command")
    # Without the small init process, which would be started and then fail.
    bad = ROLE | {"init": False, "command": ["/no/such/program"]}
    said = lab.run("up", topology(tmp_path, bad=bad), "--lab", lab.name)
    assert said.returncode == 1
    assert "/no/such/program" in said.stderr
    assert "Traceback" not in said.stderr
    assert lab.labelled() == []


def test_image_that_is_not_there(spare, tmp_path):
    lab = spare("no-image")
    said = lab.run("up", topology(tmp_path, bad={"image": "labctl/no-such-image"}), "--lab", lab.name, timeout=120)
    assert said.returncode == 1
    assert "labctl/no-such-image" in said.stderr
    assert "Traceback" not in said.stderr
    assert lab.labelled() == []


@pytest.mark.parametrize(
    "content",
    ["services: [", "services: {a: {image: x, netwerks: [y]}}", "{}", "services: {a: {image: x, networks: [y]}}"],
)
def test_file_that_is_no_topology(spare, tmp_path, content):
    lab = spare("nonsense")
    file = tmp_path / "compose.yaml"
    file.write_text(content)
    got = lab.run("up", str(file), "--lab", lab.name, "--json")
    assert got.returncode == 1
    assert json.loads(got.stdout)["error"]["code"] == "topology-invalid"
    assert str(file) in got.stderr
    assert lab.labelled() == []


def test_project_that_is_not_ours_is_left_alone(spare, tmp_path):
    """A Compose project of that name is there already: `up` and `down` refuse to touch it; looking is allowed."""
    lab = spare("foreign")
    file = topology(tmp_path, a=ROLE | {"hostname": "a"})
    compose = ["docker", "compose", "-p", lab.name, "-f", file]
    try:
        assert run_command([*compose, "up", "-d"], timeout=60).returncode == 0
        before = identities(lab)
        for command in (["up", "--lab", lab.name], ["down", lab.name]):
            said = lab.refused(*command)
            assert said == f"a Compose project named {lab.name} is there already, and labctl did not make it"
        assert identities(lab) == before
        assert lab.json("ps")["nodes"][0]["node"] == "a"
        assert '"ready"' in lab.ok("logs", "--json").stdout
    finally:
        assert run_command([*compose, "down", "-t", "1"], timeout=60).returncode == 0


def test_topologies_by_name_and_by_folder(spare, tmp_path):
    lab = spare("folder")
    topology(tmp_path, only=ROLE)
    lab.ok("up", str(tmp_path), "--lab", lab.name)
    assert [node["node"] for node in lab.json("ps")["nodes"]] == ["only"]
    assert lab.json("ls")["labs"], "and it is listed with its file"
    mine = next(item for item in lab.json("ls")["labs"] if item["lab"] == lab.name)
    assert mine["topology"] == str(tmp_path / "compose.yaml")
    assert (ROOT / "compose.yaml").is_file()
