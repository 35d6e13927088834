"""Real containers for the tests: images built once, nodes that are typed at and whose journal is read.

All that is made here carries the label `dev.labctl.test` with this session's name, and is removed by it at the end.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its image isn't everywhere; we sweep up ourselves

import docker
import jsonschema
import pytest
from docker import DockerClient
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

SERVICES = Path(__file__).parents[2] / "services"
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "labctl" / "events" / "schema.json").read_text())
)
LABEL = "dev.labctl.test"
SESSION = secrets.token_hex(4)
Event = dict[str, Any]
Build = Callable[[str], str]  # builds a target of services/Dockerfile, and gives the image's name
# The base that was made where no registry is reachable, if it is there; LABCTL_DEBIAN names any other.
OWN_DEBIAN = "labctl/debian:trixie"
HARDENED = {  # as in compose.yaml
    "stdin_open": True,
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "mem_limit": "64m",
    "pids_limit": 64,
}


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """The Docker engine; the containers and networks of this session are gone when it is left."""
    client = docker.from_env(timeout=60)
    yield client
    mine: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={SESSION}"}
    for container in client.containers.list(all=True, filters=mine, ignore_removed=True):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=mine):
        network.remove()
    client.close()


@pytest.fixture(scope="session")
def debian(engine: DockerClient) -> str:
    """The base image that is there."""
    return os.environ.get("LABCTL_DEBIAN") or _base(engine)


@pytest.fixture(scope="session")
def labels() -> dict[str, str]:
    """What marks a container as this session's."""
    return {LABEL: SESSION}


@pytest.fixture(scope="session")
def image(debian: str) -> Build:
    """`image(target)` builds a target of services/Dockerfile, once in a session, and gives its name."""
    built: dict[str, str] = {}

    def build(target: str) -> str:
        if target not in built:
            name = f"labctl/test-{target}"
            command = [shutil.which("docker") or "docker", "build", "--quiet", "--target", target, "--tag", name]
            command += ["--build-arg", f"DEBIAN={debian}", str(SERVICES)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, f"{target} can't be built:\n{done.stdout}{done.stderr}"
            built[target] = name
        return built[target]

    return build


def _base(engine: DockerClient) -> str:
    try:
        return str(engine.images.get(OWN_DEBIAN).tags[0])
    except docker.errors.ImageNotFound:
        return "debian:trixie-slim"


class Node:
    """A running node: its keyboard, and its journal as it is written."""

    def __init__(self, container: DockerContainer, name: str) -> None:
        self.container, self.name = container, name
        self.docker = container.get_wrapped_container()
        self.journal: list[Event] = []
        self.stray: list[str] = []  # lines that are no JSON: a traceback, say
        self._changed = threading.Condition()
        self.is_stand_in = False  # it runs a test's own program instead of the image's, with lines of its own kind
        self._keyboard: Any = None  # what the engine's client gives is a socket, or holds one
        self._follow(since=None)

    def _follow(self, since: float | None) -> None:
        lines = self.docker.logs(stream=True, follow=True, since=since)
        self._reader = threading.Thread(target=self._read, args=(lines,), daemon=True)
        self._reader.start()

    def _read(self, chunks: Iterable[bytes]) -> None:
        rest = b""
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            with self._changed:
                for line in lines:
                    try:
                        self.journal.append(json.loads(line))
                    except ValueError:
                        self.stray.append(line.decode(errors="replace"))
                self._changed.notify_all()

    def mark(self) -> int:
        """Where the journal ends now: `since` for what comes."""
        return len(self.journal)

    def events(self, event: str, since: int = 0, **fields: object) -> list[Event]:
        """The events so far that have this name and these fields."""
        return [e for e in self.journal[since:] if e["event"] == event and fields.items() <= _hashable(e).items()]

    def wait(self, event: str, since: int = 0, count: int = 1, within: float = 60, **fields: object) -> Event:
        """The `count`-th event with this name and these fields, as soon as it is there."""
        found: list[Event] = []
        position = since

        def there() -> bool:
            nonlocal position
            new = self.journal[position:]
            position += len(new)
            found.extend(e for e in new if e["event"] == event and fields.items() <= _hashable(e).items())
            return len(found) >= count

        with self._changed:
            if not self._changed.wait_for(there, within):
                tail = "\n".join([json.dumps(e, ensure_ascii=False)[:240] for e in self.journal[-25:]] + self.stray)
                wanted = f"{len(found)} of {count} events {event} {fields} within {within} s"
                raise AssertionError(f"{self.name}: {wanted}; its journal:\n{tail}")
        return found[count - 1]

    def write(self, data: bytes) -> None:
        """Bytes to its standard input, as an attached terminal sends them."""
        if self._keyboard is None:
            api = self.docker.client and self.docker.client.api
            assert api is not None
            self._keyboard = api.attach_socket(str(self.docker.id), {"stdin": 1, "stream": 1})
            getattr(self._keyboard, "_sock", self._keyboard).settimeout(30)
        getattr(self._keyboard, "_sock", self._keyboard).sendall(data)

    def type(self, *lines: str) -> None:
        """Lines as a person types them."""
        self.write("".join(line + "\n" for line in lines).encode())

    def envelope(self, text: str, **fields: object) -> None:
        """One line as labctl sends it: a JSON text sequence (RFC 7464)."""
        self.write(b"\x1e" + json.dumps({"text": text, **fields}, ensure_ascii=False).encode() + b"\n")

    def address(self, network: Network | None = None, family: int = 4) -> str:
        self.docker.reload()
        networks = self.docker.attrs["NetworkSettings"]["Networks"]
        found = networks[network.name] if network else next(iter(networks.values()))
        return str(found["IPAddress" if family == 4 else "GlobalIPv6Address"])

    def port(self, port: int, kind: str = "tcp") -> tuple[str, int]:
        """Where a published port is reached from this host."""
        self.docker.reload()
        bound = self.docker.attrs["NetworkSettings"]["Ports"][f"{port}/{kind}"][0]
        return bound["HostIp"], int(bound["HostPort"])

    def memory(self) -> int:
        """Bytes of memory that the container holds, as `docker stats` counts them."""
        read = self.docker.stats(stream=False)
        assert isinstance(read, dict)
        stats = read["memory_stats"]
        details = stats.get("stats", {})
        return int(stats["usage"] - details.get("inactive_file", details.get("total_inactive_file", 0)))

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code, and the seconds that it took."""
        begun = time.monotonic()
        self.docker.stop(timeout=10)
        taken = time.monotonic() - begun
        self._reader.join(10)
        return self.docker.wait()["StatusCode"], taken

    def restart(self) -> None:
        self.stop()
        self.close()
        since = time.time()
        self.docker.start()
        self._follow(since)

    def close(self) -> None:
        if self._keyboard is not None:
            getattr(self._keyboard, "_sock", self._keyboard).close()
            self._keyboard.close()
            self._keyboard = None


def _hashable(event: Event) -> Event:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in event.items()}


class Lab:
    """Starts nodes and networks, and removes them all when it is left."""

    def __init__(self, image: Build) -> None:
        self._image = image
        self.nodes: list[Node] = []
        self._networks: list[Network] = []

    def network(self, ipv6: bool = False) -> Network:
        options: dict[str, Any] = {"labels": {LABEL: SESSION}}
        if ipv6:
            # A unique local prefix (RFC 4193) of our own, or two sessions would claim the same.
            prefix = re.sub("(....)(....)(..)", r"fd\3:\1:\2::/64", secrets.token_hex(5))
            options |= {
                "enable_ipv6": True,
                "ipam": docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=prefix)]),
            }
        network = Network(docker_network_kw=options).create()
        self._networks.append(network)
        return network

    def node(
        self,
        target: str,
        name: str,
        *,
        network: Network | None = None,
        publish: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        command: list[str] | None = None,
        ready: bool = True,
        **options: Any,
    ) -> Node:
        """Starts a node, hardened as in compose.yaml, and waits for its `ready`."""
        container = DockerContainer(self._image(target)).with_envs(**(env or {}))
        container.with_kwargs(**{**HARDENED, "hostname": name, "labels": {LABEL: SESSION}, **options})
        for port in publish:
            container.ports[port] = ("127.0.0.1", None)  # type: ignore[assignment]
        if network:
            container.with_network(network).with_network_aliases(name)
        if command:
            container.with_command(command)
        container.start()
        node = Node(container, name)
        node.is_stand_in = bool(command)
        self.nodes.append(node)
        if ready:
            node.wait("ready")
        return node

    def close(self) -> None:
        for node in self.nodes:
            node.close()
            node.container.stop()
        for network in self._networks:
            network.remove()
        for node in self.nodes:
            if not node.is_stand_in:
                _hold_to_schema(node)


def _hold_to_schema(node: Node) -> None:
    """Every journal that any test here has seen is what labctl/events/schema.json says: the first 100 of each event."""
    seen: dict[str, int] = {}
    for event in node.journal:
        name = event.get("event", "")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] <= 100:
            problem = next(SCHEMA.iter_errors(event), None)
            assert problem is None, f"{node.name}: {problem.message}: {json.dumps(event)[:500]}"


@pytest.fixture
def lab(engine: DockerClient, image: Build) -> Iterator[Lab]:
    """What one test starts; gone when it ends."""
    started = Lab(image)
    yield started
    started.close()


@pytest.fixture(scope="module")
def module_lab(engine: DockerClient, image: Build) -> Iterator[Lab]:
    """What the tests of one file share."""
    started = Lab(image)
    yield started
    started.close()
