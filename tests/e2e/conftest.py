"""The default lab, once for all tests here, under a name of its own; clients that others wrote; and a sweep at the end.

A lab `hello` of the user may run beside it: the subnet and the port that it has are then moved, which is labctl's job.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest
import three_machines
from docker import DockerClient
from docker.models.containers import Container
from outside import OUT, PROJECT, Lab, Result, begin_command, run, run_command

if TYPE_CHECKING:
    import browsing  # playwright takes a while to import

LABEL = "dev.labctl.test"
SESSION = secrets.token_hex(3)
DEBIANS = ("debian:trixie-slim", "labctl/debian:trixie")  # the official image, and the one that labctl makes
CLIENTS = Path(__file__).parents[1] / "clients"


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """The Docker engine. Whatever these tests left on it is gone at the end."""
    client = docker.from_env(timeout=60)
    yield client
    mine: dict[str, Any] = {"label": f"{LABEL}={SESSION}"}
    for container in client.containers.list(all=True, ignore_removed=True, filters=mine):
        container.remove(force=True, v=True)
    for key in ("dev.labctl.lab", PROJECT):
        for container in client.containers.list(all=True, ignore_removed=True, filters={"label": key}):
            if container.labels[key].startswith(f"e2e-{SESSION}"):
                container.remove(force=True, v=True)
    for network in client.networks.list():
        if network.name and network.name.startswith(f"e2e-{SESSION}"):
            network.remove()
    client.close()


@pytest.fixture(scope="session")
def debian(engine: DockerClient) -> str:
    """The base image that is there."""
    chosen = os.environ.get("LABCTL_DEBIAN")
    return chosen or next((name for name in DEBIANS if engine.images.list(name)), DEBIANS[0])


@contextlib.contextmanager
def up(engine: DockerClient, name: str, *topology: str) -> Iterator[Lab]:
    """The default lab, or another topology, under a name, up and ready; nothing of it is left afterwards."""
    found = Lab(engine, name)
    found.brought_up = run("up", *topology, "--lab", name, timeout=280)
    try:
        assert found.brought_up.returncode == 0, found.brought_up
        yield found
    finally:
        gone = run("down", name, timeout=120)
    assert gone.returncode == 0, gone
    assert found.labelled() == []


@pytest.fixture(scope="session")
def lab(engine: DockerClient) -> Iterator[Lab]:
    """The default lab, up and ready."""
    with up(engine, f"e2e-{SESSION}") as found:
        yield found


@pytest.fixture(scope="module")
def own_lab(engine: DockerClient) -> Iterator[Lab]:
    """The default lab for one file of tests alone, which may leave marks in its journal."""
    with up(engine, f"e2e-{SESSION}-own-{secrets.token_hex(2)}") as found:
        yield found


@pytest.fixture(scope="module")
def two_subnets(engine: DockerClient) -> Iterator[Lab]:
    """The topology of that name, for one file of tests alone."""
    with up(engine, f"e2e-{SESSION}-two-{secrets.token_hex(2)}", "two-subnets") as found:
        yield found


@pytest.fixture(scope="module")
def tutorial(engine: DockerClient) -> Iterator[Lab]:
    """A beginner's own programs, for one file of tests alone."""
    with up(engine, f"e2e-{SESSION}-tutorial-{secrets.token_hex(2)}", "tutorial") as found:
        yield found


@pytest.fixture(scope="module")
def browser(engine: DockerClient, debian: str) -> Iterator["browsing.Chromium"]:
    """Chromium, which sees this machine's loopback."""
    import browsing

    with browsing.chromium(engine, debian, {LABEL: SESSION}) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser: "browsing.Chromium", own_lab: Lab) -> Iterator["browsing.Page"]:
    """`labctl page` on the lab of the file."""
    import browsing

    made = browsing.Page(browser, own_lab)
    yield made
    made.end()


@pytest.fixture
def tabs_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """The tabs of a test are gone with it."""
    yield
    if "page" in request.fixturenames:
        made = request.getfixturevalue("page")
        while made.contexts:
            made.contexts.pop().close()


@pytest.fixture
def fragile(lab: Lab) -> Iterator[Lab]:
    """The default lab, for a test that breaks nodes; whole again afterwards."""
    lab.heal()
    yield lab
    lab.heal()


def _spares(engine: DockerClient) -> Iterator[Callable[[str], Lab]]:
    """`spare("x")` is a lab that isn't there yet, under a name of its own; what becomes of it is gone afterwards."""
    given: list[Lab] = []

    def give(word: str) -> Lab:
        given.append(Lab(engine, f"e2e-{SESSION}-{word}"))
        return given[-1]

    yield give
    for lab in given:
        run("down", lab.name, timeout=120)


spare = pytest.fixture(_spares, name="spare")
spare_for_all = pytest.fixture(_spares, scope="module", name="spare_for_all")  # for all tests of a file


@pytest.fixture(scope="module")
def machines() -> Iterator[three_machines.Machines]:
    """Three machines with an engine each, for one file of tests alone; in no swarm, unless its tests make one."""
    with three_machines.held() as found:
        found.apart()
        yield found


@pytest.hookimpl(trylast=True)  # where the run is interrupted, the machines are let go of in another one of these
def pytest_sessionfinish() -> None:
    if not three_machines.is_worker():
        three_machines.take_down()


class Outsider:
    """A container of somebody else on the lab's network, in which commands can be run."""

    def __init__(self, container: Container, network: str) -> None:
        self.container = container
        container.reload()
        self.address = container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]

    def command(self, *command: str) -> list[str]:
        return [shutil.which("docker") or "docker", "exec", "-i", str(self.container.id), *command]

    def run(self, *command: str, input: str | bytes | None = None, timeout: float = 60) -> Result:
        return run_command(self.command(*command), input=input, timeout=timeout)

    def begin(self, *command: str) -> subprocess.Popen[bytes]:
        return begin_command(self.command(*command))


@pytest.fixture(scope="session")
def outsider(engine: DockerClient, debian: str) -> Callable[..., Outsider]:
    """`outsider(target, lab)` builds a target of tests/clients/Dockerfile and starts it on the lab's network."""

    def start(target: str, lab: Lab, network: str | None = None) -> Outsider:
        name = f"labctl/test-{target}"
        command = [shutil.which("docker") or "docker", "build", "--quiet", "--target", target, "--tag", name]
        command += ["--build-arg", f"DEBIAN={debian}", str(CLIENTS)]
        built = run_command(command, timeout=800)
        assert built.returncode == 0, f"{target} can't be built: {built}"
        network = network or f"{lab.name}_lab"
        # `init` reaps what `docker exec` leaves behind.
        labels = {LABEL: SESSION}
        container = engine.containers.run(name, detach=True, init=True, network=network, labels=labels)
        return Outsider(container, network)

    return start


@pytest.fixture(scope="session")
def clients(outsider: Callable[..., Outsider], lab: Lab) -> Iterator[Outsider]:
    """curl, wget, ncat, socat, nmap and python3 on the lab's network."""
    found = outsider("clients", lab)
    yield found
    found.container.remove(force=True)


@pytest.fixture(scope="session")
def out() -> Path:
    OUT.mkdir(exist_ok=True)
    return OUT
