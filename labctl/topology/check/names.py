"""Networks, volumes, secrets, configs and services that a service uses and the file doesn't define."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labctl.named import NamedTuple
from labctl.topology.check.problems import Path, Problems
from labctl.topology.check.reading.source import Mapping, Scalar, Sequence, Source, Value, shorten
from labctl.topology.model import project_name

_PATH = re.compile(r"[./~\\]|[A-Za-z]:[\\/]")  # a mount's source that is a folder of this machine
_SECTIONS = {
    "network": "networks",
    "volume": "volumes",
    "service": "services",
    "secret": "secrets",
    "config": "configs",
}


class _Use(NamedTuple):
    """A name that a service uses, and the value or key that holds it."""

    what: str
    name: str
    holder: Scalar
    path: Path


def check_names(source: Source) -> Problems:
    """With `include`, names can come from other files: then only Compose can tell."""
    found = Problems()
    _check_project(source, found)
    whole = "include" not in source.root.entries
    for name, entry in source.section("services").items() if whole else ():
        if isinstance(entry.value, Mapping):
            for use in _uses(entry.value, ("services", name)):
                _check(source, use, found)
    for name, entry in source.section("services").items():
        if isinstance(entry.value, Mapping) and not {"image", "build", "extends", "provider"} & set(
            entry.value.entries
        ):
            found.add("missing-image", ("services", name), entry.key.place)
    if whole and not source.section("services"):
        _no_services(source, found)
    return found


def _no_services(source: Source, found: Problems) -> None:
    """A file that is laid over others may well have none: it is told what it is rather than what it lacks."""
    entry = source.root.entries.get("services")
    if entry and isinstance(entry.value, Mapping | Sequence) and not _is_empty(entry.value):
        return
    others = [key for key in source.root.entries if key in ("networks", "volumes", "configs", "secrets")]
    why, mend = "", "add `services:` with at least one service"
    if others and len(source.parts) == 1:
        why = f", only {' and '.join(others)}"
    found.add("missing-services", (), entry.key.place if entry else source.root.place, why=why, mend=mend)


def _is_empty(value: Mapping | Sequence) -> bool:
    return isinstance(value, Mapping) and not value.entries


def _check_project(source: Source, found: Problems) -> None:
    entry = source.root.entries.get("name")
    if entry and isinstance(entry.value, Scalar) and "$" not in entry.value.text:
        read = project_name(entry.value.text)
        if read and read != entry.value.text:
            found.add("name-rewritten", ("name",), entry.value.place, text=shorten(entry.value.text), read=read)


def _check(source: Source, use: _Use, found: Problems) -> None:
    known = source.section(_SECTIONS[use.what])
    if not use.name or use.name in known or "$" in use.name or (use.what, use.name) == ("network", "default"):
        return
    section = _SECTIONS[use.what]
    mend = (
        f"services here: {', '.join(sorted(known)[:20])}"
        if use.what == "service"
        else f"define it at the top level under `{section}:`, or use one that stands there"
    )
    name = shorten(use.name)
    found.add(
        "unknown-name", use.path, use.holder.place, what=use.what, name=name, near=found.near(name, known), mend=mend
    )


def _uses(service: Mapping, path: Path) -> Iterator[_Use]:
    yield from _named(service, "networks", "network", path)
    yield from _named(service, "depends_on", "service", path)
    yield from _named(service, "secrets", "secret", path)
    yield from _named(service, "configs", "config", path)
    yield from _mounts(service, path)
    yield from _others(service, path)


def _named(service: Mapping, key: str, what: str, path: Path) -> Iterator[_Use]:
    """Names as a list, as keys, or as each item's `source`."""
    value = _get(service, key)
    if isinstance(value, Mapping):
        for name, entry in value.entries.items():
            yield _Use(what, name, entry.key, (*path, key, name))
    elif isinstance(value, Sequence):
        for at, item in enumerate(value.items):
            holder = _get(item, "source") if isinstance(item, Mapping) else item
            if isinstance(holder, Scalar):
                yield _Use(what, holder.text, holder, (*path, key, at))


def _mounts(service: Mapping, path: Path) -> Iterator[_Use]:
    value = _get(service, "volumes")
    for at, item in enumerate(value.items if isinstance(value, Sequence) else []):
        where = (*path, "volumes", at)
        if isinstance(item, Scalar):
            name, colon, _ = item.text.partition(":")
            if colon and not _PATH.match(item.text) and "$" not in name:
                yield _Use("volume", name, item, where)
        elif isinstance(item, Mapping):
            kind, holder = _get(item, "type"), _get(item, "source")
            if isinstance(kind, Scalar) and kind.text == "volume" and isinstance(holder, Scalar):
                yield _Use("volume", holder.text, holder, where)


def _others(service: Mapping, path: Path) -> Iterator[_Use]:
    """Services that are named in other ways: links, volumes_from, network_mode and its like, extends."""
    for key in ("links", "volumes_from"):
        value = _get(service, key)
        for at, item in enumerate(value.items if isinstance(value, Sequence) else []):
            if isinstance(item, Scalar) and not item.text.startswith("container:"):
                yield _Use("service", item.text.partition(":")[0], item, (*path, key, at))
    for key in ("network_mode", "ipc", "pid"):
        value = _get(service, key)
        if isinstance(value, Scalar) and value.text.startswith("service:"):
            yield _Use("service", value.text.removeprefix("service:"), value, (*path, key))
    base = _get(service, "extends")
    if isinstance(base, Mapping):
        base = None if "file" in base.entries else _get(base, "service")
    if isinstance(base, Scalar):
        yield _Use("service", base.text, base, (*path, "extends"))


def _get(value: Value, key: str) -> Value | None:
    entry = value.entries.get(key) if isinstance(value, Mapping) else None
    return entry.value if entry else None
