"""What Compose makes of a configuration, and what labctl makes of it: compared as the engine shows it, field by field.

Nothing is started. A configuration is first made one that this machine can have: of an image that is there, in a folder
of its own.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl.engine.compose import plugin
from labctl.engine.docker.client import DockerEngine
from labctl.engine.docker.wire import Wire, asked
from labctl.engine.model import COMPOSE_HASH, COMPOSE_PROJECT, LABEL_MADE
from labctl.errors import LabError
from labctl.topology.builtin import Source

LIMIT = 120.0  # seconds for what one of both makes
# What no two containers have in common, or what is of the engine's own choice
_PASSING = ("Id", "Created", "GraphDriver", "Scope", "CreatedAt", "Mountpoint", "State", "ConfigFrom")
_PATHS = (
    "ResolvConfPath",
    "HostnamePath",
    "HostsPath",
    "LogPath",
    "SandboxID",
    "SandboxKey",
    "EndpointID",
    "NetworkID",
)
_UNORDERED = ("Env", "Binds", "Mounts", "Ulimits", "ExtraHosts", "Aliases", "DNSNames", "Config.Env")
_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Outcome:
    """What is there afterwards: containers, networks and volumes by name; or why there is nothing."""

    things: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True)
class Trial:
    """A configuration as Compose wrote it, and the folder that it is of."""

    config: Mapping[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        return str(self.config["name"])

    @property
    def source(self) -> Source:
        return Source(self.folder / "compose.yaml", json.dumps(self.config))


def prepared(config: Mapping[str, Any], name: str, image: str, folder: Path) -> dict[str, Any]:
    """The configuration for a project of another name, whose services all run `image`; files that are mounted stand in
    `folder`; what would be somebody else's is its own."""
    out: dict[str, Any] = copy.deepcopy(dict(config))
    out["name"] = name
    for key, service in out["services"].items():
        service.pop("build", None)
        service.pop("pull_policy", None)
        service.pop("platform", None)
        service.pop("profiles", None)
        service["image"] = image
        if service.get("container_name"):
            service["container_name"] = f"{name}_{key}"
        for number, mount in enumerate(service.get("volumes") or ()):
            if mount.get("type") == "bind":
                mount["source"] = str(folder / f"{key}-{number}")
                if not (mount.get("bind") or {}).get("create_host_path"):
                    Path(mount["source"]).mkdir(parents=True, exist_ok=True)
    for kind in ("secrets", "configs"):
        for key, item in (out.get(kind) or {}).items():
            if "file" in item:
                item["file"] = str(folder / f"{kind}-{key}")
                Path(item["file"]).touch()
    for kind in ("networks", "volumes"):
        for key, item in (out.get(kind) or {}).items():
            item.pop("external", None)
            if "name" in item:
                item["name"] = f"{name}_{key}"
    return out


def by_compose(trial: Trial, command: str = "create") -> Outcome:
    """What `docker compose create` makes, which is removed again."""

    def make() -> None:
        arguments = ["-p", trial.name, "--project-directory", str(trial.folder), "-f", "-", command, "--no-build"]
        done = subprocess.run(
            [plugin.find() or "docker-compose", *arguments],
            input=json.dumps(trial.config),
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        if done.returncode:
            raise LabError("compose-failed", verb=command, why=done.stderr.strip().splitlines()[-1])

    return _outcome(trial, make)


def by_labctl(trial: Trial) -> Outcome:
    """What labctl makes itself, which is removed again."""

    def make() -> None:
        said: list[str] = []
        engine = DockerEngine()
        engine.bring_up(trial.source, trial.config, said.append, LIMIT, unfinished=set(), start=False)
        handed = next((line for line in said if line.startswith("note:")), None)
        if handed:
            raise LabError("compose-failed", verb="create", why=handed)

    return _outcome(trial, make)


def _outcome(trial: Trial, make: Callable[[], None]) -> Outcome:
    wire = Wire(DockerEngine().endpoint)
    try:
        make()
        return Outcome(dict(_looked_at(wire, trial)))
    except LabError as problem:
        return Outcome(refusal=problem.message)
    finally:
        _remove(wire, trial.name)


def _ours(name: str) -> dict[str, list[str]]:
    return {"label": [f"{COMPOSE_PROJECT}={name}"]}


def _looked_at(wire: Wire, trial: Trial) -> Iterator[tuple[str, Mapping[str, Any]]]:
    name = trial.name
    placed = {
        item["name"] for item in (trial.config.get("networks") or {}).values() if (item.get("ipam") or {}).get("config")
    }
    listed = asked(wire, "list", "GET", "/containers/json", all=True, filters=_ours(name))
    names = {item["Id"]: str(item["Names"][0]) for item in listed}
    for item in listed:
        found = asked(wire, "look", "GET", f"/containers/{item['Id']}/json")
        if found["Config"]["Hostname"] == item["Id"][:12]:
            found["Config"]["Hostname"] = "its id"
        yield f"container {names[item['Id']]}", found
    for item in asked(wire, "list", "GET", "/networks", filters=_ours(name)):
        names[item["Id"]] = item["Name"]
        found = asked(wire, "look", "GET", f"/networks/{item['Id']}")
        if item["Name"] not in placed:
            found["IPAM"]["Config"] = "the engine's choice"
        yield f"network {item['Name']}", found
    for item in asked(wire, "list", "GET", "/volumes", filters=_ours(name))["Volumes"] or ():
        yield f"volume {item['Name']}", asked(wire, "look", "GET", f"/volumes/{item['Name']}")


def _remove(wire: Wire, name: str) -> None:
    for item in asked(wire, "list", "GET", "/containers/json", all=True, filters=_ours(name)):
        asked(wire, "remove", "DELETE", f"/containers/{item['Id']}", force=True, v=True)
    for item in asked(wire, "list", "GET", "/networks", filters=_ours(name)):
        asked(wire, "remove", "DELETE", f"/networks/{item['Id']}")
    for item in asked(wire, "list", "GET", "/volumes", filters=_ours(name))["Volumes"] or ():
        with suppress(LabError):
            asked(wire, "remove", "DELETE", f"/volumes/{item['Name']}", force=True)


def differences(theirs: Outcome, ours: Outcome) -> list[str]:
    """One line for each field in which the two are not the same."""
    if theirs.refusal or ours.refusal:
        same = bool(theirs.refusal) == bool(ours.refusal)
        return [] if same else [f"Compose: {theirs.refusal or 'made'}; labctl: {ours.refusal or 'made'}"]
    found = []
    for name in sorted({*theirs.things, *ours.things}):
        if name not in theirs.things or name not in ours.things:
            found.append(f"{name}: only {'Compose' if name in theirs.things else 'labctl'} makes it")
            continue
        one, other = (_names(outcome, outcome.things[name]) for outcome in (theirs, ours))
        found += [f"{name}: {line}" for line in _compared(one, other, "")]
    return found


def _names(outcome: Outcome, thing: Mapping[str, Any]) -> Any:
    """With names in the place of ids; also of the one in the digest of what shares another container's network."""
    names = {str(item.get("Id")): name for name, item in outcome.things.items()}
    if str((thing.get("HostConfig") or {}).get("NetworkMode")).startswith("container:"):
        thing = copy.deepcopy(dict(thing))
        thing["Config"]["Labels"][COMPOSE_HASH] = "with an id"
    text = _ID.sub(lambda found: names.get(found[0], found[0]), json.dumps(thing))
    return json.loads(text)


def _compared(one: Any, other: Any, place: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            if key not in (*_PASSING, *_PATHS, LABEL_MADE):
                yield from _compared(one.get(key), other.get(key), f"{place}.{key}" if place else key)
    elif _ordered(one, place) != _ordered(other, place):
        yield f"{place}: Compose {_short(one)}, labctl {_short(other)}"


def _ordered(value: Any, place: str) -> Any:
    """What Compose has from a mapping comes in any order."""
    if isinstance(value, list) and place.rpartition(".")[2] in _UNORDERED:
        return sorted(json.dumps(_cleared(item), sort_keys=True) for item in value)
    if place.endswith("com.docker.compose.depends_on") and isinstance(value, str):
        return sorted(value.split(","))
    if place == "Mounts":
        return _cleared(value)
    return value or None  # an empty list is as none


def _cleared(value: Any) -> Any:
    """A mount without the name that the engine gave to a volume without one."""
    if isinstance(value, Mapping) and _ID.fullmatch(str(value.get("Name", ""))):
        return {key: item for key, item in value.items() if key not in ("Name", "Source")}
    return value


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."
