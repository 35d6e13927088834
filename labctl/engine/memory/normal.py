"""Compose's one form of what a file may say in several: ports, networks, environment, dependencies, mounts, builds."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl.engine.memory.interpolation import Unreadable, of_file
from labctl.topology.model import extra_hosts

_PORT = re.compile(
    r"(?:(?:\[(?P<six>[0-9A-Fa-f:]+)\]|(?P<host>\d+(?:\.\d+){3})):)?(?:(?P<published>[\d-]*):)?(?P<target>\d+)(?:/(?P<proto>\w+))?"
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kmgt]?)b?", re.I)


def pairs(value: Any) -> dict[str, Any]:
    """A mapping, also where it is written as a list of `name=value` (a host's address: also `name:value`)."""
    if isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for item in value or ():
        name, mark, text = str(item).partition("=" if "=" in str(item) else ":")
        out[name] = text if mark else None
    return out


def resolved(service: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A service whose paths no longer depend on the file that it stands in."""
    out = dict(service)
    if build := out.get("build"):
        build = {"context": build} if isinstance(build, str) else dict(build)
        context = _path(str(build.get("context") or "."), folder)
        out["build"] = {**build, "context": context, "dockerfile": build.get("dockerfile") or "Dockerfile"}
    if "volumes" in out:
        out["volumes"] = [_mount(item, folder) for item in out["volumes"] or ()]
    if files := out.pop("env_file", None):
        entries = [files] if isinstance(files, str) else files
        names = [item if isinstance(item, str) else item["path"] for item in entries]
        kept = {name: value for file in names for name, value in of_file(folder / file).items()}
        out["environment"] = {**kept, **pairs(out.get("environment"))}
    return out


def normalised(data: Mapping[str, Any], name: str, profiles: Sequence[str]) -> dict[str, Any]:
    """The whole configuration of a project. Raises Unreadable."""
    if not name:
        raise Unreadable("project name must not be empty")
    services = {
        key: _service(key, service)
        for key, service in data["services"].items()
        if not service.get("profiles") or "*" in profiles or set(service["profiles"]) & set(profiles)
    }
    for key, service in services.items():
        for other in service.get("depends_on") or ():
            if other not in services:
                raise Unreadable(f"service {key!r} depends on undefined service {other!r}: invalid compose project")
    out = {**data, "name": name, "services": services}
    wanted = {net for service in services.values() for net in service.get("networks") or ()}
    networks = {"default": None, **(data.get("networks") or {})}
    for net in wanted - networks.keys():
        raise Unreadable(f"service refers to undefined network {net}: invalid compose project")
    used = {key: network for key, network in networks.items() if key in wanted}
    out["networks"] = {key: _named(network, f"{name}_{key}") for key, network in used.items()}
    if data.get("volumes"):
        out["volumes"] = {key: _named(volume, f"{name}_{key}") for key, volume in data["volumes"].items()}
    return out


def _service(name: str, service: Mapping[str, Any]) -> dict[str, Any]:
    if "image" not in service and "build" not in service:
        raise Unreadable(
            f"service {name!r} has neither an image nor a build context specified: invalid compose project"
        )
    out = {
        key: _SHAPES[key](value) if key in _SHAPES and value is not None else value for key, value in service.items()
    }
    mode = str(out.get("network_mode") or "")
    if mode:
        out.pop("networks", None)
    elif not out.get("networks"):
        out["networks"] = {"default": None}
    if mode.startswith("service:"):
        waits = {"condition": "service_started", "required": True, "restart": True}
        out["depends_on"] = {mode.removeprefix("service:"): waits, **(out.get("depends_on") or {})}
    return out


def _same(value: Any) -> Any:
    return value


def _bytes(value: Any) -> str:
    """A size such as 64m, in bytes."""
    found = _SIZE.fullmatch(str(value))
    if not found:
        raise Unreadable(f"invalid size: {value!r}")
    return str(int(float(found[1]) * 1024 ** " kmgt".index(found[2].lower() or " ")))


def _named(item: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    return {"name": name, **(item or {})}


def _environment(value: Any) -> dict[str, str]:
    """A name without a value has the environment's, or is left out."""
    found = {name: os.environ.get(name) if text is None else text for name, text in pairs(value).items()}
    return {name: _text(text) for name, text in found.items() if text is not None}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _labels(value: Any) -> dict[str, str]:
    return {name: _text("" if text is None else text) for name, text in pairs(value).items()}


def _hosts(value: Any) -> list[str]:
    return [f"{name}={address}" for name, address in extra_hosts(value)]


def _words(value: Any) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]


def _networks(value: Any) -> dict[str, Any]:
    return dict.fromkeys(value) if isinstance(value, list) else dict(value)


def _depends(value: Any) -> dict[str, Any]:
    usual = {"condition": "service_started", "required": True}
    if isinstance(value, list):
        return {name: dict(usual) for name in value}
    return {name: {**usual, **(how or {})} for name, how in value.items()}


def _ports(value: Any) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for item in value:
        if isinstance(item, dict):
            out.append({"mode": "ingress", "protocol": "tcp", **item, "target": int(item["target"])})
            if "published" in item:
                out[-1]["published"] = str(item["published"])
            continue
        found = _PORT.fullmatch(str(item))
        if not found:
            raise Unreadable(f"invalid port {item!r}, as far as the engine in memory reads ports")
        port: dict[str, Any] = {"mode": "ingress", "target": int(found["target"]), "protocol": found["proto"] or "tcp"}
        if found["published"]:
            port["published"] = found["published"]
        if host := found["six"] or found["host"]:
            port["host_ip"] = host
        out.append(port)
    return out


def _mount(item: Any, folder: Path) -> dict[str, Any]:
    if not isinstance(item, dict):
        parts = str(item).split(":")
        source = parts[0] if len(parts) > 1 else ""
        kind = "bind" if source.startswith((".", "/", "~")) else "volume"
        item = {"type": kind, **({"source": source} if source else {}), "target": parts[min(1, len(parts) - 1)]}
        if "ro" in parts[2:]:
            item["read_only"] = True
    if item.get("type") == "bind":
        item = {**item, "source": _path(str(item.get("source") or "."), folder)}
    return dict(item)


def _path(text: str, folder: Path) -> str:
    return text if "://" in text else os.path.normpath(folder / os.path.expanduser(text))


_SHAPES: Mapping[str, Callable[[Any], Any]] = {
    "environment": _environment,
    "labels": _labels,
    "extra_hosts": _hosts,
    "command": _words,
    "entrypoint": _words,
    "networks": _networks,
    "depends_on": _depends,
    "ports": _ports,
    "mem_limit": _bytes,
    "sysctls": _labels,
    "scale": int,
}
