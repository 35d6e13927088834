"""What a run's Compose file would start, and what of it nobody may start for a stranger unasked.

What is harmless stands in tables: whatever they don't name counts as harm, also what Compose learns in years to come.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labctl.bundle import checked
from labctl.bundle.checked import Malformed
from labctl.engine.model import LABEL_COMPOSE, Engine
from labctl.topology import shipped

_OWN = re.compile(r"labctl/([a-z-]+)(?::latest)?")  # which labctl builds from what it came with
_TOP = {"name", "services", "networks", "x-labctl"}
# Of a service: what a container may have that is held in.
_SERVICE = {
    "image",
    "command",
    "entrypoint",
    "environment",
    "hostname",
    "networks",
    "read_only",
    "cap_drop",
    "stdin_open",
    "tty",
    "user",
    "working_dir",
    "init",
    "stop_signal",
    "stop_grace_period",
    "restart",
    "healthcheck",
    "depends_on",
    "mem_limit",
    "memswap_limit",
    "pids_limit",
    "cpus",
    "scale",
    "tmpfs",
    "expose",
    "labels",
    "x-labctl",
}
_NETWORK = {"ipam", "internal", "enable_ipv6", "enable_ipv4", "attachable", "labels", "x-labctl"}
_LARGEST = 4 << 20  # bytes of a Compose file, as of one in a run
_LIMITS = ("nofile", "nproc")
_MOST = 65_536  # files, or processes
_HARMLESS: tuple[object, ...] = (None, {}, [], "", False)


def configuration(compose: str) -> dict[str, Any]:
    """The file as data. It is JSON, so nothing in it is more than it looks. Raises checked.Malformed, ValueError."""
    found = checked.document(compose.encode())
    services, networks = checked.record(found.get("services")), checked.record(found.get("networks") or {})
    for owner in (*services.values(), *networks.values()):
        if owner is not None:
            _forget_labels(checked.record(owner))
    if not services or not all(services.values()):
        raise Malformed("a service says nothing")
    return found


def labelled(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with itself on one of its nodes: a lab of it can be saved, and replayed in turn, though the
    file that it is made from doesn't stay."""
    packed = base64.b64encode(zlib.compress(json.dumps(config, separators=(",", ":")).encode(), 9)).decode()
    bearer, *_ = config["services"]
    service = config["services"][bearer]
    labels = {**(service.get("labels") or {}), LABEL_COMPOSE: packed}
    return {**config, "services": {**config["services"], bearer: {**service, "labels": labels}}}


def borne(labels: Mapping[str, str]) -> dict[str, Any] | None:
    """The configuration that a node bears; None: it bears none, or somebody else's label is what it isn't."""
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(base64.b64decode(labels.get(LABEL_COMPOSE, ""), validate=True), _LARGEST)
        return configuration(found.decode()) if unpacker.eof else None
    except (Malformed, ValueError, RecursionError, zlib.error):
        return None


def _forget_labels(owner: dict[str, Any]) -> None:
    """Labels are labctl's state: what is to stand in labctl's own and in Compose's, the two say anew."""
    labels = checked.record(owner.get("labels") or {})
    kept = {key: value for key, value in labels.items() if not key.startswith(("dev.labctl.", "com.docker."))}
    if kept or "labels" in owner:
        owner["labels"] = kept


def objections(engine: Engine, config: Mapping[str, Any]) -> list[str]:
    """Why it isn't started unasked, as lines; empty: it may be."""
    found = [f"{key}: at the top of the file" for key, value in config.items() if _stands(key, value, _TOP)]
    for name, network in (config.get("networks") or {}).items():
        found += [f"network {name}: {what}" for what in _of_network(network or {})]
    for name, service in config["services"].items():
        found += [f"{name}: {what}" for what in _of_service(service)]
        image = str(service.get("image") or "")
        if not is_ours(image) and engine.image(image) is None:
            found.append(f"{name}: the image {image or 'that it builds'}, which is not here")
    if variables := sorted(set(_variables(config))):
        found.append(f"variables of this machine's environment: {', '.join(variables)}")
    return found


def is_ours(image: str) -> bool:
    """One of labctl's own, which is built here from labctl's own sources."""
    own = _OWN.fullmatch(image)
    return own is not None and (shipped.root() / "services" / own[1] / "README.md").is_file()


def _stands(key: str, value: object, known: set[str]) -> bool:
    return key not in known and not key.startswith("x-") and not any(value is one or value == one for one in _HARMLESS)


def _of_service(service: Mapping[str, Any]) -> Iterator[str]:
    checks: dict[str, Callable[[Any], bool]] = {
        "security_opt": lambda value: set(value) <= {"no-new-privileges:true", "no-new-privileges"},
        "ports": lambda value: all(_is_local(port) for port in value),
        "logging": lambda value: value.get("driver") in ("json-file", "local", "none"),
        "ulimits": lambda value: all(key in _LIMITS and _limit(one) <= _MOST for key, one in value.items()),
        "network_mode": lambda value: value == "none" or str(value).startswith("service:"),
        "deploy": lambda value: set(value) <= {"replicas", "resources", "placement", "restart_policy"},
    }
    for key, value in service.items():
        if key in checks and value is not None:
            try:
                fine = checks[key](value)
            except (TypeError, AttributeError, KeyError, Malformed):
                fine = False
            if not fine:
                yield f"{key}: {_brief(value)}"
        elif _stands(key, value, _SERVICE):
            yield f"{key}: {_brief(value)}"


def _limit(value: object) -> int:
    return checked.number(value["hard"] if isinstance(value, dict) else value)


def _is_local(port: object) -> bool:
    return isinstance(port, dict) and port.get("host_ip") in ("127.0.0.1", "::1")


def _of_network(network: Mapping[str, Any]) -> Iterator[str]:
    for key, value in checked.record(network).items():
        if key == "driver" and value in ("bridge", "default"):
            continue
        if key == "driver_opts" and set(value or ()) <= {"com.docker.network.driver.mtu"}:
            continue
        if key == "ipam" and isinstance(value, dict) and value.get("driver") not in (None, "default"):
            yield f"ipam: {_brief(value)}"
        elif _stands(key, value, _NETWORK):
            yield f"{key}: {_brief(value)}"


def _variables(value: object) -> Iterator[str]:
    """What Compose would put in from the environment of whoever starts it: `$NAME`, `${NAME}`, and not `$$`."""
    if isinstance(value, str):
        yield from re.findall(r"\$\{?[A-Za-z_]\w*\}?", value.replace("$$", ""))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _variables(key)
            yield from _variables(item)
    elif isinstance(value, list):
        for item in value:
            yield from _variables(item)


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:79]}…"


def shown(config: Mapping[str, Any]) -> Iterator[str]:
    """What would be started, a line for each service."""
    for name, service in config["services"].items():
        command = service.get("entrypoint"), service.get("command")
        what = " ".join(_brief(one) for one in command if one)
        yield f"{name}  {service.get('image')}{'  ' + what if what else ''}"


def written(config: Mapping[str, Any], folder: Path) -> Path:
    """The file for Compose, in a folder of the caller's own."""
    path = folder / "compose.yaml"
    path.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    return path
