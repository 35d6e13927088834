"""Compose projects that others wrote (tests/e2e/foreign): brought up by labctl, or by plain Compose and looked at."""

import http.client
import json
import re
import shutil
import time
from pathlib import Path

import docker.errors
import pytest
from outside import PATIENCE, PROJECT, Lab, run_command

pytestmark = pytest.mark.turn(2)

FOREIGN = Path(__file__).parent / "foreign"
DOCKER = shutil.which("docker") or "docker"


@pytest.fixture(scope="module", autouse=True)
def programs(debian):
    """The images that the projects run."""
    for target in ("nginx", "redis", "postgres", "python"):
        command = [DOCKER, "build", "--quiet", "--target", target, "--tag", f"labctl/test-{target}"]
        built = run_command([*command, "--build-arg", f"DEBIAN={debian}", str(FOREIGN)], timeout=800)
        assert built.returncode == 0, f"{target} can't be built: {built}"


@pytest.fixture
def theirs(spare, engine, tmp_path):
    """`theirs("blog")` copies a project; its images that labctl or Compose built are gone afterwards."""
    given: list[Lab] = []

    def copy(name: str) -> tuple[Lab, Path]:
        lab = spare(f"f-{name}")
        given.append(lab)
        folder = tmp_path / name
        shutil.copytree(FOREIGN / name, folder)
        return lab, folder / "compose.yaml"

    yield copy
    for lab in given:
        lab.run("down", timeout=120)
        for image in engine.images.list():
            if any(tag.startswith(f"{lab.name}-") for tag in image.tags):
                engine.images.remove(image.id, force=True)


def ask(lab: Lab, node: str, *, body: str | None = None) -> str:
    """A request to a published port of a node, at the address that `ps` says; 200 is demanded."""
    nodes = {item["node"]: item for item in lab.json("ps")["nodes"]}
    (published,) = nodes[node]["published"]
    connection = http.client.HTTPConnection(published["host"], published["port"], timeout=20)
    connection.request("POST" if body else "GET", "/", body and body.encode())
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert response.status == 200, text
    return text


def states(lab: Lab) -> dict[str, str]:
    return {node["node"]: node["state"] for node in lab.json("ps")["nodes"]}


def volumes(engine) -> set[str]:
    return {volume.name for volume in engine.volumes.list()}


def until(look, wanted: str) -> None:
    """Until what is looked at is what is wanted."""
    deadline = time.monotonic() + PATIENCE
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == wanted


def test_scaled_web_service_before_redis(theirs, engine):
    lab, file = theirs("counter")
    planned = lab.json("plan", str(file), "--lab", lab.name)
    assert {node["node"]: (node["count"], node["change"]) for node in planned["nodes"]} == {
        "proxy": (1, "create"),
        "redis": (1, "create"),
        "web": (2, "create"),
    }
    assert lab.labelled() == []
    lab.ok("up", str(file), "--lab", lab.name, timeout=200)
    assert states(lab) == dict.fromkeys(["proxy", "redis", "web-1", "web-2"], "running")
    visits = [ask(lab, "proxy") for _ in range(6)]
    assert [int(visit.split()[-1]) for visit in visits] == [1, 2, 3, 4, 5, 6]
    hosts = {visit.split(":")[0] for visit in visits}
    assert hosts == {lab.ok("exec", f"web-{n}", "--", "hostname").stdout.strip() for n in (1, 2)}, "both were asked"
    assert lab.ok("exec", "redis", "--", "redis-cli", "get", "visits").stdout == "6\n"
    assert lab.ok("exec", "web-2", "--", "printenv", "REDIS_HOST").stdout == "redis\n"
    drawn = lab.json("graph")
    assert {node["node"] for node in drawn["nodes"]} == set(states(lab))
    assert drawn["nodes"]
    assert all(node["networks"].keys() == {"default"} for node in drawn["nodes"])
    assert lab.ok("logs", "proxy").stdout.count('"GET / HTTP/1.1" 200') == 6
    # A second `up` leaves them alone, and with them what Redis keeps in memory.
    lab.ok("up", str(file), "--lab", lab.name, timeout=100)
    assert ask(lab, "proxy").endswith("visit 7\n")
    (mount,) = lab.container("redis").attrs["Mounts"]
    assert (mount["Type"], mount["Destination"]) == ("volume", "/data")
    assert mount["Name"] in volumes(engine), "an anonymous one, which carries no label"
    lab.ok("down")
    assert lab.labelled() == []
    assert mount["Name"] not in volumes(engine)


def test_proxy_backend_and_postgresql(theirs, engine):
    """Posts go through nginx and the built backend into PostgreSQL, and outlive its container in the named volume."""
    lab, file = theirs("blog")
    up = lab.ok("up", str(file), "--lab", lab.name, timeout=200)
    # `up` has waited for the healthchecks.
    assert states(lab) == {"backend": "running", "db": "healthy", "proxy": "healthy"}
    assert re.search(r"^db +- +healthy +[\d.]+ +5432/tcp", up.stdout, re.M), up.stdout
    assert ask(lab, "proxy", body="the first") == "added\n"
    assert ask(lab, "proxy", body="grüße") == "added\n"
    sql = ["psql", "--host=/tmp", "--tuples-only", "--no-align", "--command=SELECT title FROM post ORDER BY id"]
    assert lab.ok("exec", "db", "--", *sql).stdout == ask(lab, "proxy") == "the first\ngrüße\n"
    assert "the backend listens" in lab.ok("logs", "backend").stdout
    texts = [json.loads(line)["text"] for line in lab.ok("logs", "db", "--json").stdout.splitlines()]
    assert any("database system is ready to accept connections" in text for text in texts)
    picture = lab.ok("graph").stdout
    assert all(name in picture for name in ("backend", "db", "proxy", "-> 80/tcp"))
    assert lab.refused("send", "backend", "x").startswith("backend has no keyboard")
    lab.ok("restart", "db", timeout=60)
    assert states(lab)["db"] == "healthy", "`restart` waits as `up` does"
    assert ask(lab, "proxy") == "the first\ngrüße\n"
    got = lab.ok("down", timeout=60)
    assert got.stderr == f"{lab.name} is down: removed 3 containers, 1 networks, 1 volumes\n"
    assert lab.labelled() == []
    assert f"{lab.name}_db-data" not in volumes(engine)


def test_votes_through_two_networks(theirs):
    lab, file = theirs("vote")
    for wanted in (None, "seed"):
        topology = lab.json("plan", str(file), "--lab", lab.name, COMPOSE_PROFILES=wanted)
        assert ("seed" in {node["node"] for node in topology["nodes"]}) is bool(wanted)
    lab.ok("up", str(file), "--lab", lab.name, timeout=200)
    assert states(lab)["redis"] == states(lab)["vote"] == "healthy"
    assert lab.container("redis").name == f"{lab.name}-the-cache"
    networks = {node["node"]: set(node["networks"]) for node in lab.json("graph")["nodes"]}
    assert networks["vote"] == networks["result"] == {"front-tier", "back-tier"}
    assert networks["worker"] == networks["redis"] == networks["db"] == {"back-tier"}
    assert ask(lab, "vote", body="cats") == "thank you\n"
    until(lambda: ask(lab, "result"), "cats 1\n")
    assert "a vote for cats" in lab.ok("logs", "worker").stdout
    # The profile's job is what is new; the rest goes on as it was.
    ids = {name: item.id for name, item in lab.containers().items()}
    lab.ok("up", str(file), "--lab", lab.name, COMPOSE_PROFILES="seed", timeout=100)
    until(lambda: ask(lab, "result"), "cats 1\ndogs 5\n")
    until(lambda: states(lab)["seed"], "exited")
    assert {name: item.id for name, item in lab.containers().items() if name != "seed"} == ids
    lab.ok("down", timeout=60)
    assert lab.labelled() == []


@pytest.fixture
def running(theirs):
    """A project that plain Compose runs."""
    lab, file = theirs("blog")
    compose = [DOCKER, "compose", "-p", lab.name, "-f", str(file)]
    try:
        up = run_command([*compose, "up", "--detach", "--wait"], timeout=200)
        assert up.returncode == 0, up
        yield lab, compose
    finally:
        gone = run_command([*compose, "down", "--volumes", "--timeout", "2"], timeout=60)
    assert gone.returncode == 0, gone


def snapshot(lab: Lab, engine) -> list:
    """All of a project, each with what changes when somebody touches it."""
    found = [
        (item.id, item.attrs["State"]["StartedAt"], item.attrs["RestartCount"], item.attrs["Config"]["Labels"])
        for item in lab.containers().values()
    ]
    label = {"label": f"{PROJECT}={lab.name}"}
    networks = [(item.id, item.attrs["Labels"]) for item in engine.networks.list(filters=label)]
    kept = [(item.name, item.attrs["CreatedAt"]) for item in engine.volumes.list(filters=label)]
    return [sorted(found, key=str), sorted(networks, key=str), sorted(kept)]


def test_project_that_plain_compose_runs(running, engine):
    lab, compose = running
    assert ask(lab, "proxy", body="by Compose") == "added\n"
    before = snapshot(lab, engine)
    assert [len(part) for part in before] == [3, 1, 1]
    assert states(lab) == {"backend": "running", "db": "healthy", "proxy": "healthy"}
    assert "the backend listens" in lab.ok("logs").stdout
    sql = ["psql", "--host=/tmp", "--tuples-only", "--no-align", "--command=SELECT title FROM post"]
    assert lab.ok("exec", "db", "--", *sql).stdout == "by Compose\n"
    drawn = lab.json("graph")
    assert drawn["lab"] == lab.name
    assert {node["node"]: list(node["networks"]) for node in drawn["nodes"]} == {
        "backend": ["default"],
        "db": ["default"],
        "proxy": ["default"],
    }
    for command in (["send", "db", "x"], ["attach", "db"]):
        assert lab.refused(*command).startswith("db has no keyboard: its container was started without stdin_open")
    for command in (["down"], ["down", lab.name], ["up", compose[-1], "--lab", lab.name]):
        got = lab.run(*command)
        assert got.returncode == 1, got
        assert got.stderr.splitlines()[-2:] == [
            f"labctl: a Compose project named {lab.name} is there already, and labctl did not make it",
            f"  `labctl ps --lab {lab.name}`: what looks, types and breaks works on it as it is; for a lab of labctl's "
            "own take another name (`labctl up --lab NAME`), or end that project "
            f"(`docker compose -p {lab.name} down`)",
        ]
    assert lab.name not in {item["lab"] for item in lab.json("ls")["labs"]}
    assert snapshot(lab, engine) == before
    assert ask(lab, "proxy") == "by Compose\n"


def test_network_and_volume_of_somebody_else_are_used_and_left(spare, engine, tmp_path):
    """`external: true`: a lab on a proxy's network, with somebody's data."""
    lab = spare("f-external")
    network = engine.networks.create(f"{lab.name}-shared")
    volume = engine.volumes.create(f"{lab.name}-data")
    try:
        file = tmp_path / "compose.yaml"
        service = {
            "image": "labctl/test-redis",
            "user": "root",
            "command": ["sh", "-c", "echo kept >/data/file; exec sleep infinity"],
            "init": True,
            "networks": ["shared", "own"],
            "volumes": ["data:/data"],
        }
        top = {
            "services": {"guest": service},
            "networks": {"shared": {"external": True, "name": network.name}, "own": {}},
            "volumes": {"data": {"external": True, "name": volume.name}},
        }
        file.write_text(json.dumps(top))
        planned = {net["name"]: net for net in lab.json("plan", str(file), "--lab", lab.name)["networks"]}
        subnet = engine.networks.get(network.id).attrs["IPAM"]["Config"][0]["Subnet"]
        assert planned[network.name] == {"name": network.name, "subnets": [subnet], "internal": False, "change": "keep"}
        assert planned[f"{lab.name}_own"]["change"] == "create"
        lab.ok("up", str(file), "--lab", lab.name)
        assert set(lab.json("ps")["nodes"][0]["networks"]) == {network.name, f"{lab.name}_own"}
        nothing = lab.ok("plan", str(file), "--lab", lab.name)
        assert nothing.stderr == f"{lab.name} is up as it is; nothing would change\n"
        lab.ok("down")
        assert lab.labelled() == []
        assert engine.networks.get(network.id).name == network.name
        read = engine.containers.run(
            "labctl/test-redis", ["cat", "/data/file"], volumes={volume.name: {"bind": "/data"}}, remove=True
        )
        assert read == b"kept\n"
    finally:
        lab.run("down")
        network.remove()
        volume.remove()


def test_external_network_that_is_not_there(spare, tmp_path):
    lab = spare("f-no-network")
    file = tmp_path / "compose.yaml"
    top = {
        "services": {"guest": {"image": "labctl/test-redis", "networks": ["shared"]}},
        "networks": {"shared": {"external": True, "name": "nobody-has-made-it"}},
    }
    file.write_text(json.dumps(top))
    for verb in ("plan", "up"):
        said = lab.refused(verb, str(file), "--lab", lab.name)
        assert said == "there is no network nobody-has-made-it, which the file calls external"
    assert lab.labelled() == []


def test_healthcheck_that_fails_is_told(spare, tmp_path, engine):
    lab = spare("f-unhealthy")
    file = tmp_path / "compose.yaml"
    check = {"test": ["CMD-SHELL", "echo the disk is gone; exit 1"], "interval": "200ms", "retries": 2}
    file.write_text(json.dumps({"services": {"db": {"image": "labctl/test-redis", "healthcheck": check}}}))
    got = lab.run("up", str(file), "--lab", lab.name)
    assert (got.returncode, got.stdout) == (1, "")
    assert "labctl: db failed: its healthcheck calls it unhealthy (the disk is gone); its last lines:\n" in got.stderr
    assert states(lab) == {"db": "unhealthy"}, "it is left for a look"
    lab.ok("down")
    with pytest.raises(docker.errors.NotFound):
        engine.containers.get(f"{lab.name}-db-1")
