"""What the machine under the engine holds: links, network namespaces, routes, packet filter rules, processes.

A look at it is a set of lines. Other labs and containers may come and go on the same engine between two looks; a line
that names one of them (its bridge, an interface on its bridge, its network namespace, an address of its subnets) is
theirs. That can't hide what the lab under test has or leaves: its own things are never counted to anybody else, and
once it is down it has no network and no container any more that a line could be counted to. Where nothing else runs,
no line is anybody's, and all of both looks must be equal.
"""

import contextlib
import ipaddress
import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import docker

LAB = "dev.labctl.lab"
NAMESPACES = "/run/docker/netns/"
ADDRESS = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w.])|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})", re.I)
SANDBOX = re.compile(r"[0-9a-f]{12}")
# How the engine names bridges, links to containers, and what network namespaces are mounted on.
OF_THE_ENGINE = re.compile(r"\b(?:br-[0-9a-f]{12}|veth[0-9a-f]{7})\b|/netns/[0-9a-f]{12}\b")
BRIDGE = "com.docker.network.bridge.name"
COUNTERS = re.compile(r"\[\d+:\d+\]|counter packets \d+ bytes \d+|# handle \d+|^#.*$", re.M)
PATIENCE = 20.0  # seconds in which what another lab has in hand is done, or is otherwise than a look before
LOOK_AGAIN = 0.05
LOOKS_ALIKE = 3  # in a row


class Look(NamedTuple):
    """The machine as it was at one moment, and what of it belonged to others than the lab under test."""

    lines: frozenset[str]
    names: frozenset[str]
    subnets: frozenset[ipaddress.IPv4Network | ipaddress.IPv6Network]

    def is_others(self, line: str) -> bool:
        if any(word in self.names for word in re.findall(r"[\w-]+", line)):
            return True
        return any(address in subnet for address in _addresses(line) for subnet in self.subnets)


class Machine:
    """`engine` is Docker's SDK; `nft` gives what nftables' command prints, where the machine itself has none."""

    def __init__(self, engine: Any, nft: Callable[..., str] | None = None) -> None:
        self._engine, self._nft = engine, nft or (lambda *arguments: _output(["nft", *arguments]))
        self._sandboxes: dict[str, str] = {}

    def look(self, lab: str) -> Look:
        """The machine now. All but `lab` are others."""
        lines = frozenset({*_links(), *_namespaces(), *_routes(), *self._rules()})
        names, subnets = set(), set()
        for network in self._engine.api.networks():
            if (network.get("Labels") or {}).get(LAB) != lab:
                names.add((network.get("Options") or {}).get(BRIDGE) or "br-" + network["Id"][:12])
                configs = (network.get("IPAM") or {}).get("Config") or []
                subnets |= {ipaddress.ip_network(item["Subnet"]) for item in configs if "Subnet" in item}
        for container in self._engine.api.containers():
            if container["Labels"].get(LAB) != lab:
                names.add(self._sandbox(container["Id"]))
        names |= _sandboxes_of_builds()
        names |= {link["ifname"] for link in _ip("link") if link.get("master") in names}
        return Look(lines, frozenset(names), frozenset(subnets))

    def settled(self) -> Look:
        """The machine now, without what is nobody's only as the engine is in the middle of making or removing it."""
        deadline, stays = time.monotonic() + PATIENCE, None
        alike: list[set[str]] = []
        while True:
            found = self.look("")
            nobodys = {line for line in found.lines if not found.is_others(line)}
            unknown = {line for line in nobodys if OF_THE_ENGINE.search(line)}
            stays = unknown if stays is None else stays & unknown
            # With each network the engine takes its own jumps out and puts them in again: a look may miss them.
            alike = [*(earlier for earlier in alike if earlier == nobodys - unknown), nobodys - unknown]
            if (not stays and len(alike) == LOOKS_ALIKE) or time.monotonic() > deadline:
                return found._replace(lines=found.lines - (unknown - stays))
            self._sandboxes.clear()
            time.sleep(LOOK_AGAIN)

    def differences(self, before: Look, lab: str, patience: float = PATIENCE) -> list[str]:
        """What is otherwise than before, stays so, and is nobody else's."""
        deadline, stays = time.monotonic() + patience, None
        while True:
            after = self.look(lab)
            found = {f"+ {line}" for line in after.lines - before.lines if not after.is_others(line)}
            found |= {f"- {line}" for line in before.lines - after.lines if not before.is_others(line)}
            # What others have in hand can't always be told from what is left; but it isn't the same for long.
            stays = found if stays is None else stays & found
            if not stays or time.monotonic() > deadline:
                return sorted(stays)
            self._sandboxes.clear()  # a container that was started again has a new one
            time.sleep(LOOK_AGAIN)

    def _sandbox(self, container: str) -> str:
        """The name of a container's network namespace, or of none that there can be."""
        if container not in self._sandboxes:
            try:
                found = self._engine.api.inspect_container(container)["NetworkSettings"].get("SandboxKey")
            except docker.errors.NotFound:  # it has gone in between
                return "none"
            name = Path(found or "").name
            if not SANDBOX.fullmatch(name):  # it is only just starting, or is on the machine's own network
                return "none"
            self._sandboxes[container] = name
        return self._sandboxes[container]

    def _rules(self) -> set[str]:
        # Each rule with its table and chain, and no order: the engine inserts some of its rules at the beginning and
        # some at the end of a chain, so that networks that stay change places when others come and go.
        lines: set[str] = set()
        for command in ("iptables-save", "ip6tables-save"):
            table = ""
            for line in COUNTERS.sub("", _output([command])).splitlines():
                table = line if line.startswith("*") else table
                if line.strip() and line != "COMMIT":
                    lines.add(f"{command} {table} {line.strip()}")
        heads: list[str] = []
        for line in COUNTERS.sub("", self._nft("list", "ruleset")).splitlines():
            text = " ".join(line.split())
            if text.endswith("{"):
                heads.append(text)
                lines.add(f"nft {' '.join(heads)}")
            elif text == "}":
                heads.pop()
            elif text:
                lines.add(f"nft {' '.join(heads)} {text}")
        return lines


def _sandboxes_of_builds() -> set[str]:
    """The network namespaces of steps of images that are being built: no container has them, and a step may take a
    while."""
    held = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended in between
            if "buildkit" in (process / "cgroup").read_text():
                held.add((process / "ns" / "net").stat().st_ino)
    found = set()
    for file in Path(NAMESPACES).glob("*"):
        with contextlib.suppress(OSError):
            if file.stat().st_ino in held:
                found.add(file.name)
    return found


class Shell:
    """A shell in a container that prints what many commands print; `docker exec` of each would cost more than it."""

    def __init__(self, container: str) -> None:
        command = [shutil.which("docker") or "docker", "exec", "-i", container, "sh"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin
        assert self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def output(self, *command: str) -> str:
        print(f"{shlex.join(command)}; echo status=$?", file=self._stdin, flush=True)
        lines: list[str] = []
        for line in self._stdout:
            if line.startswith("status="):
                assert line == "status=0\n", f"{command}: {line}"
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"{command}: the shell ended")

    def close(self) -> None:
        self._stdin.close()
        self._process.wait(10)
        self._stdout.close()


def processes(mark: str) -> list[str]:
    """The command lines of all processes that carry `mark` in their environment, as children inherit it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return found


def no_processes(mark: str, patience: float = PATIENCE) -> list[str]:
    """As `processes`, until there are none or it takes too long: one that was killed takes a moment to go."""
    deadline = time.monotonic() + patience
    while (found := processes(mark)) and time.monotonic() < deadline:
        time.sleep(LOOK_AGAIN)
    return found


def _addresses(line: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    for text in ADDRESS.findall(line):
        try:
            yield ipaddress.ip_address(text)
        except ValueError:
            continue


def _links() -> set[str]:
    keys = ("ifname", "link_type", "address", "mtu", "operstate", "master", "link", "link_netnsid")
    return {"link " + " ".join(f"{key}={link[key]}" for key in keys if key in link) for link in _ip("link")}


def _namespaces() -> set[str]:
    named = {"netns " + line for line in _output(["ip", "netns"]).splitlines()}
    # What is mounted: the engine removes the empty files that namespaces were mounted on once a minute, all together.
    mounts = (line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines())
    return named | {f"netns {place}" for place, kind in mounts if kind == "nsfs" and place.startswith(NAMESPACES)}


def _routes() -> set[str]:
    lines = set()
    for family in ("-4", "-6"):
        for route in _ip(family, "route", "show", "table", "all"):
            # A route's flags say whether its link is up, which _links says as well; some expire.
            parts = (f"{key}={value}" for key, value in sorted(route.items()) if key not in ("flags", "expires"))
            lines.add(f"route {family} " + " ".join(parts))
    return lines


def _ip(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_output(["ip", "-json", *arguments]) or "[]")
    return found


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
