"""What a program's host is to be, read from what a person wrote."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl.engine.model import LABEL_RUN, PROGRAM_IMAGE, Port
from labctl.errors import LabError

PLACE = "/program"  # where the folder is seen
SCRATCH = "/tmp"
MEMORY = "256m"
LEAST_MEMORY = 6 * 1024**2  # bytes: with less the engine makes no container
LOCAL = "127.0.0.1"  # where ports are published
OF_HOST = "service:"  # before the name of a host whose network is meant, as in Compose's network_mode
_NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # a host's name (RFC 1123), in lower case
_MEMORY = r"(\d{1,12})([kmgKMG]?)[bB]?"
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_PORT = r"(?:(?P<public>\d{1,5}):)?(?P<private>\d{1,5})(?:/(?P<proto>tcp|udp))?"
_INTERPRETERS = r"(python|pypy|node|ruby|perl|bash|sh|java|env|php|deno|bun)[\d.]*"


@dataclass(frozen=True)
class Expected:
    """When a program counts as ready: once it has printed `text`, where there is one, else once it listens, at best on
    the port `listen`."""

    listen: int | None = None
    text: str | None = None


@dataclass(frozen=True)
class Wanted:
    """`command` runs in `folder`, which is seen at PLACE; without one the image's own runs. `memory` is in bytes. With
    `replace` it takes the place of a program of that name which runs. `machine` is the one that is to have it, where a
    lab is on several; "" for any."""

    name: str
    command: tuple[str, ...]
    folder: Path | None = None
    image: str = PROGRAM_IMAGE
    network: str | None = None
    address: str | None = None
    publish: tuple[Port, ...] = ()
    memory: int = 256 * 1024**2
    environment: Mapping[str, str] = field(default_factory=dict)
    expected: Expected = Expected()
    replace: bool = False
    machine: str = ""

    def label(self) -> str:
        """What the container's label keeps of it."""
        found: dict[str, Any] = {"command": list(self.command), "folder": str(self.folder) if self.folder else None}
        return json.dumps({**found, "listen": self.expected.listen, "ready": self.expected.text})


def expected_of(labels: Mapping[str, str]) -> Expected:
    """What `label` has kept; nothing where somebody else wrote it."""
    try:
        found = json.loads(labels[LABEL_RUN])
        listen, text = found.get("listen"), found.get("ready")
    except (KeyError, ValueError, AttributeError):
        return Expected()
    return Expected(listen if isinstance(listen, int) else None, text if isinstance(text, str) else None)


def folder_of(labels: Mapping[str, str]) -> Path | None:
    """The folder that a program was run in."""
    try:
        found = json.loads(labels[LABEL_RUN])["folder"]
    except (KeyError, ValueError, TypeError):
        return None
    return Path(found) if isinstance(found, str) else None


def command_of(labels: Mapping[str, str]) -> tuple[str, ...]:
    """What a program was run as."""
    try:
        return tuple(str(word) for word in json.loads(labels[LABEL_RUN])["command"])
    except (KeyError, ValueError, TypeError):
        return ()


def read(
    name: str | None,
    command: Sequence[str],
    *,
    folder: str | os.PathLike[str] | None,
    image: str | None,
    network: str | None,
    address: str | None,
    publish: Sequence[str | int],
    memory: str,
    environment: Mapping[str, str],
    listen: int | None,
    ready: str | None,
    replace: bool,
    machine: str = "",
) -> Wanted:
    """What a person or a program wrote. Raises LabError `bad-option`, `bad-node-name`."""
    if not command and image is None:
        why = "there is nothing to run: write the command, as in `labctl run --name srv -- python3 server.py`"
        raise LabError("bad-option", option="CMD", why=why)
    if network is not None and network.startswith(OF_HOST) and (address or publish):
        why = f"a program in the network of {network.removeprefix(OF_HOST)} has that host's addresses and ports"
        raise LabError("bad-option", option="--address" if address else "--publish", why=why)
    return Wanted(
        name=check_name(name) if name else name_of(command or [(image or "").rpartition("/")[2].partition(":")[0]]),
        command=tuple(command),
        folder=Path(folder) if folder is not None else None,
        image=image or PROGRAM_IMAGE,
        network=network,
        address=address,
        publish=ports([str(port) for port in publish]),
        memory=size(memory),
        environment=dict(environment),
        expected=Expected(listen, ready),
        replace=replace,
        machine=machine,
    )


def name_of(command: Sequence[str]) -> str:
    """The name of a host that was given none: that of its program's file (`python3 server.py`: server).

    Raises LabError `bad-node-name`.
    """
    words = [Path(word).name for word in command if not word.startswith("-")]
    names = [word for word in words if not re.fullmatch(_INTERPRETERS, word)]
    stem = re.sub(
        r"[^a-z0-9]+", "-", (names or words or [""])[0].rpartition(".")[0].lower() or (names or [""])[0].lower()
    )
    return check_name(stem.strip("-"))


def check_name(name: str) -> str:
    """Raises LabError `bad-node-name`."""
    if not re.fullmatch(_NAME, name):
        raise LabError("bad-node-name", name=name)
    return name


def ports(texts: Sequence[str]) -> tuple[Port, ...]:
    """`9000`, `8000:9000` (this machine's port first), `9000/udp`. Raises LabError `bad-option`."""
    return tuple(_port(text) for text in texts)


def _port(text: str) -> Port:
    found = re.fullmatch(_PORT, text)
    if not found or not all(0 < int(found[part] or 1) < 65536 for part in ("public", "private")):
        why = f"{text!r} is no port: write 9000, 8000:9000 (this machine's port first), or 9000/udp"
        raise LabError("bad-option", option="--publish", why=why)
    private = int(found["private"])
    return Port(found["proto"] or "tcp", private, LOCAL, int(found["public"] or private))


def size(text: str) -> int:
    """`256m` in bytes. Raises LabError `bad-option`."""
    found = re.fullmatch(_MEMORY, text)
    count = int(found[1]) * _UNITS[found[2].lower()] if found else 0
    if count < LEAST_MEMORY:
        why = f"{text!r} is no such size: write 64m or 1g; 6m is the least that the engine takes"
        raise LabError("bad-option", option="--memory", why=why)
    return count


def environment(texts: Sequence[str], ours: Mapping[str, str]) -> dict[str, str]:
    """`NAME=VALUE`, or a `NAME` that has `our` value. Raises LabError `bad-option`."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or (not equals and name not in ours):
            why = f"{text!r} is no NAME=VALUE" + ("" if equals or not name else ", and no variable that is set here")
            raise LabError("bad-option", option="--env", why=why)
        found[name] = value if equals else ours[name]
    return found
