"""`labctl up` on what can't be brought up: a sentence that says why, exit 1, and nothing left behind.

What there is beside: topologies and sizes that don't exist in test_topologies, single errors of a file in tests/errors,
options and names in test_manners.
"""

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from outside import LABCTL, OUT, Result, run, run_command
from proxy import Door

from labctl.engine.compose import plugin

pytestmark = pytest.mark.turn(2)

ROOT = os.getuid() == 0
needs_root = pytest.mark.skipif(
    not ROOT, reason="needs root: mounts in a namespace of its own, or another user's rights"
)
ROUTES = """
services:
  alice:
    image: labctl/udp-peer
    networks: {left: {ipv4_address: 10.249.1.3}}
    x-labctl: {routes: [default via router]}
  bob:
    image: labctl/udp-peer
    networks: {left: {ipv4_address: 10.249.1.3}}
  many:
    image: labctl/udp-peer
    deploy: {replicas: 3}
    networks: {tiny: {ipv4_address: 10.249.2.3}}
  router:
    image: labctl/router
    networks: [tiny]
networks:
  left: {ipam: {config: [{subnet: 10.249.1.0/24}]}}
  tiny: {ipam: {config: [{subnet: 10.249.2.0/29}]}}
  six: {ipam: {config: [{subnet: "fd49::/64"}]}}
"""


def explained(got: Result) -> list[str]:
    """The lines of an error that labctl explains."""
    assert (got.returncode, got.stdout) == (1, ""), got
    assert "Traceback" not in got.stderr
    assert "bug in labctl" not in got.stderr
    lines = got.stderr.splitlines()
    return lines[next(number for number, line in enumerate(lines) if line.startswith("labctl: ")) :]


@pytest.mark.parametrize("verb", ["up", "plan"])
def test_all_errors_of_a_file_are_told_at_once(spare, tmp_path, verb):
    """A route via a stranger, an address that two have, one for three nodes: with their places, and before anything is
    touched, although Compose takes the file. IPv6 that isn't on is no error: Compose and the engine leave it out."""
    lab = spare("wrong")
    file = tmp_path / "lab.yaml"
    file.write_text(ROUTES)
    lines = explained(lab.run(verb, str(file), "--lab", lab.name))
    assert lines[0] == f"labctl: {file} is not a usable topology: 3 errors"
    told = [line.removeprefix(f"{file}:") for line in lines[1::2]]
    assert [line.split(":")[:2] for line in told] == [["6", "25"], ["9", "37"], ["13", "37"]]
    assert told[0].endswith("a route via router, which shares no network with alice (router: tiny; alice: left)")
    assert told[1].endswith("10.249.1.3 is alice's address already, in line 5")
    assert told[2].endswith("10.249.2.3 is fixed, and the service has 3 nodes")
    assert all(line.startswith("  ") for line in lines[2::2]), "each has its hint"
    assert lab.labelled() == []
    document = json.loads(lab.run(verb, str(file), "--lab", lab.name, "--json").stdout)["error"]
    assert document["code"] == "topology-invalid"
    assert [problem["code"] for problem in document["problems"]] == [
        "route-via-stranger",
        "address-twice",
        "address-scaled",
    ]
    validated = lab.run("validate", str(file), "--json")
    found = json.loads(validated.stdout)["problems"]
    assert [problem for problem in found if problem["level"] == "error"] == document["problems"], "as `validate` tells"
    assert [problem["code"] for problem in found if problem["level"] == "warning"] == ["ipv6-off"]


def test_too_small_a_subnet(spare, tmp_path):
    lab = spare("small")
    file = tmp_path / "lab.yaml"
    service = {"image": "labctl/udp-peer", "scale": 6, "networks": ["tiny"]}
    networks = {"tiny": {"ipam": {"config": [{"subnet": "10.249.2.0/29"}]}}}
    file.write_text(json.dumps({"services": {"peer": service}, "networks": networks}))
    lines = explained(lab.run("up", str(file), "--lab", lab.name))
    assert "10.249.2.0/29 has room for 5 nodes, and 6 are on the network" in lines[1]
    assert lines[2] == "  a /28 would do"
    assert lab.labelled() == []


def test_what_compose_refuses_is_told_with_all_the_rest(spare, tmp_path):
    lab = spare("refused")
    file = tmp_path / "lab.yaml"
    file.write_text(ROUTES.replace("image: labctl/router", "imagine: labctl/router"))
    for verb in ("up", "plan", "build", "graph"):
        options = [] if verb in ("graph", "build") else ["--lab", lab.name]
        lines = explained(run(verb, str(file), *options))
        assert lines[0] == f"labctl: {file} is not a usable topology: 5 errors"
        assert f"{file}:15:5: service router: unknown key 'imagine'; did you mean 'image'?" in lines


def test_spelling_that_compose_takes_is_no_obstacle(spare, tmp_path):
    """`validate` warns of YAML's traps; what Compose makes of them is what is run."""
    lab = spare("spelling")
    file = tmp_path / "lab.yaml"
    file.write_text("services: {a: {image: labctl/udp-peer, stdin_open: true, environment: {MODE: 0x10, PEER: 'b:1'}}}")
    assert lab.run("validate", str(file)).returncode == 1
    lab.ok("up", str(file), "--lab", lab.name)
    assert lab.ok("exec", "a", "--", "printenv", "MODE").stdout == "16\n"


@needs_root
def test_kernel_without_ipv6(spare):
    lab = spare("no-six")
    script = "mount -t tmpfs none /proc/sys/net && mkdir /proc/sys/net/ipv4 || exit 99; exec "
    for verb in ("up", "plan"):
        command = f"{script} {LABCTL} {verb} dual-stack --lab {lab.name}"
        lines = explained(run_command(["unshare", "--mount", "sh", "-c", command]))
        assert lines[0] == "labctl: this machine's kernel has no IPv6, and IPv6 is asked for by the network lab"
    assert lab.labelled() == []


# No rights


# Our Python may stand where that user can't see it: it may look everywhere, and still write nowhere.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
LOOKING = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]


def as_nobody(*args: str, **variables: str) -> Result:
    """labctl as a user without any rights but to read; to connect to a socket is to write (unix(7))."""
    return run_command([*NOBODY, *LOOKING, LABCTL, *args], **{"HOME": "/nonexistent", **variables})


@pytest.fixture
def closed_socket():
    """`(DOCKER_HOST, its name)` of an engine's socket that is closed to others: the machine's own, where that is."""
    socket = Path("/var/run/docker.sock")
    if "DOCKER_HOST" not in os.environ and socket.exists() and not socket.stat().st_mode & stat.S_IWOTH:
        yield None, f"unix://{socket}"
        return
    with Door() as door:
        Path(door.url.removeprefix("unix://")).chmod(0o600)
        yield door.url, door.url


@needs_root
@pytest.mark.parametrize(
    "command", ["up", "plan", "build", "down x", "down --all", "ps", "ls", "logs", "send a b", "graph", "exec a -- b"]
)
def test_no_rights_on_the_socket(closed_socket, command):
    host, named = closed_socket
    lines = explained(as_nobody(*command.split(), DOCKER_HOST=host))
    assert lines[0].startswith(f"labctl: this user has no right to use the Docker socket {named}")
    assert lines[1:] == [
        "  join its group (`sudo usermod -aG docker $USER`, then log in again), or use rootless Docker",
    ]
    if host is None:
        assert lines[0].endswith(named)


@needs_root
def test_what_needs_no_engine_needs_no_rights():
    assert as_nobody("validate", "nat").returncode == 0
    assert as_nobody("graph", "nat").returncode == 0
    assert as_nobody("schema").returncode == 0


@needs_root
def test_anothers_home(spare, tmp_path):
    """`sudo` and `su` may leave HOME as it was: Docker's client can't read its configuration there."""
    lab = spare("home")
    home = tmp_path / "home"
    (home / ".docker").mkdir(parents=True)
    (home / ".docker" / "config.json").write_text("{}")
    (home / ".docker").chmod(0o700)
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    docker = tmp_path / "docker"  # the client, without the right to read that labctl has here
    docker.write_text(f'#!/bin/sh\nexec setpriv --inh-caps=-all --ambient-caps=-all {shutil.which("docker")} "$@"\n')
    docker.chmod(0o755)
    group = f"--groups={os.stat('/var/run/docker.sock').st_gid}"  # who may use the engine
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", group, *LOOKING]
    path = f"{tmp_path}:{os.environ['PATH']}"
    try:
        said = run_command(
            [*nobody, LABCTL, "up", "isolated", "--lab", lab.name], timeout=120, HOME=str(home), PATH=path
        )
        if said.returncode:  # older clients know no plugin without it
            assert said.stderr.startswith(f"labctl: the command `docker` can't read its configuration {home}/.docker/")
        else:
            [found] = [item for item in lab.json("ls")["labs"] if item["lab"] == lab.name]
            assert found["owner"]["user"] == "nobody"
    finally:
        lab.ok("down", lab.name, "--force")


# Full disks


@needs_root
@pytest.mark.parametrize("fill", ["nr_inodes=1", "nr_inodes=2", "nr_inodes=3", "size=16k"])
def test_full_disk_under_the_locks(spare, fill):
    """A file system that is full is mounted in a namespace of its own, and goes with it."""
    lab = spare("full")
    folder = OUT / f"full-{fill}"
    folder.mkdir(parents=True, exist_ok=True)
    script = f"""
        mount -t tmpfs -o {fill} none {folder} || exit 99
        [ {fill} = size=16k ] && dd if=/dev/zero of={folder}/filling bs=4k 2>/dev/null
        XDG_RUNTIME_DIR={folder} TMPDIR={folder} {LABCTL} up isolated --lab {lab.name}
        status=$?
        find {folder} -mindepth 2 >&2
        exit $status
    """
    try:
        lines = explained(run_command(["unshare", "--mount", "sh", "-c", script], timeout=120))
    finally:
        folder.rmdir()
    assert lines == [
        f"labctl: {folder}/labctl-0/{lab.name}/lab can't be locked: No space left on device",
        "  XDG_RUNTIME_DIR, or else TMPDIR, names the folder that it stands in",
    ], "and no file is left there"
    assert lab.labelled() == []


FULL = """#!/bin/sh
case " $* " in *" {verb} "*)
    echo 'failed to register layer: write /usr/lib/x: no space left on device' >&2
    exit 1
esac
exec {docker} "$@"
"""


@pytest.mark.parametrize("verb", ["up", "build"])
def test_full_disk_of_the_engine(spare, tmp_path, verb):
    """A program of Compose stands between: in place of one verb it gives the engine's answer."""
    lab = spare(f"engine-full-{verb}")
    config = tmp_path / "docker"
    fake = config / "cli-plugins" / "docker-compose"
    fake.parent.mkdir(parents=True)
    fake.write_text(FULL.format(verb=verb, docker=plugin.find()))
    fake.chmod(0o755)
    file = tmp_path / "compose.yaml"
    built = {"build": {"dockerfile_inline": "FROM scratch\nLABEL x=y"}}
    # `volumes_from` is one of the things that labctl leaves to Compose.
    other = {"image": "labctl/echo-server", "volumes_from": ["a"]}
    services = {"a": built} if verb == "build" else {"a": {"image": "labctl/echo-server"}, "b": other}
    file.write_text(json.dumps({"services": services}))
    got = lab.run("up", str(file), "--lab", lab.name, DOCKER_CONFIG=str(config))
    lines = [line for line in explained(got) if not line.startswith("note: ")]
    assert lines == [
        "labctl: there is no space left on the disk: "
        "failed to register layer: write /usr/lib/x: no space left on device",
        "  `docker system df` shows what Docker keeps, `docker builder prune` frees its build cache",
    ]
    assert lab.labelled() == []
