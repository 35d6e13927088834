"""Single values of a service that Compose takes and the engine doesn't: images' names, containers' names, mounts."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from labctl.topology.check import reading
from labctl.topology.check.plan import Plan, items, mapping, table, text
from labctl.topology.check.problems import Path, Place, Problems
from labctl.topology.check.reading.source import Scalar, Sequence, Source, Value, shorten
from labctl.topology.checked import is_missing

# The grammar of references (distribution/reference), in parts: which one is wrong is what people want to know.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_REPOSITORY = re.compile(rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_LONGEST = 512  # characters; the engine's own limit of a name is 255


def check_values(
    source: Source, data: Mapping[str, Any], plan: Plan, folder: pathlib.Path, *, complete: bool
) -> Problems:
    """`data` is the files' content, `complete` where it is Compose's reading of them."""
    found = Problems()
    names: dict[str, tuple[str, Place]] = {}
    for name, each in table(data, "services").items():
        service, path = mapping(each), ("services", name)
        _image(source, text(service.get("image")), (*path, "image"), found)
        _container(source, plan, name, text(service.get("container_name")), names, found)
        _platforms(source, service, path, found)
        mounts = _Mounts(source, folder, (*path, "volumes"))
        for at, mount in enumerate(items(service.get("volumes"))):
            _mount(source, mount, (*path, "volumes", at), mounts, found, complete=complete)
    return found


def _image(source: Source, name: str, path: Path, found: Problems) -> None:
    wrong = _wrong_image(name)
    if wrong:
        found.add("bad-image", path, source.place(path), text=shorten(name), why=wrong[0], mend=wrong[1])


def _wrong_image(name: str) -> tuple[str, str] | None:
    """What is wrong with an image's name, and what to do."""
    if not name or len(name) > _LONGEST:
        return None
    rest, at, digest = name.partition("@")
    slash = rest.rfind("/")
    repository, colon, tag = rest.rpartition(":") if ":" in rest[slash + 1 :] else (rest, "", "")
    if at and not _DIGEST.fullmatch(digest):
        return "what stands behind @ is no digest", "write NAME@sha256:..., or NAME:TAG"
    if colon and not tag:
        return "the tag behind the colon is missing", f"write {repository}:latest, say"
    if colon and not _TAG.fullmatch(tag):
        return f"{shorten(tag)!r} is no tag", "a tag has letters, digits, _ . and -"
    if _REPOSITORY.fullmatch(repository):
        return None
    if _REPOSITORY.fullmatch(repository.lower()):
        return "it has capitals", f"write {repository.lower()}{colon}{tag}"
    return f"{shorten(repository)!r} has what no name has", "write [REGISTRY/]NAME[:TAG], say nginx:1.27"


def _container(
    source: Source, plan: Plan, service: str, name: str, names: dict[str, tuple[str, Place]], found: Problems
) -> None:
    path = ("services", service, "container_name")
    if not name:
        return
    place = source.place(path)
    other = names.get(name)
    if not other:
        names[name] = (service, place)
    elif plan.services[service].beside(plan.services[other[0]]):
        found.add("container-name-twice", path, place, name=shorten(name), other=other[0], line=other[1].line)


def _platforms(source: Source, service: Mapping[str, Any], path: Path, found: Problems) -> None:
    own = text(service.get("platform"))
    platforms = [text(one) for one in items(mapping(service.get("build")).get("platforms"))]
    if own and platforms and own not in platforms and "" not in platforms:
        path = (*path, "build", "platforms")
        found.add("build-platforms", path, source.place(path, key=True), platform=shorten(own))


def _mount(source: Source, mount: Any, path: Path, mounts: _Mounts, found: Problems, *, complete: bool) -> None:
    if isinstance(mount, str):
        if mount.startswith(":"):
            mend = "write ./data:/data, say, or the path in the node alone"
            found.add("bad-mount", path, source.place(path), why="nothing stands before the colon", mend=mend)
        return
    kind, origin = text(mapping(mount).get("type")), mapping(mount).get("source")
    if kind != "bind":
        return
    if origin is None or origin == "":
        found.add(
            "bad-mount", path, source.place(path), why="a bind mount has no source", mend="add `source: ./data`, say"
        )
    elif complete and text(origin):  # only Compose knows what a path is relative to
        _bind(source, text(origin), mapping(mount), path, mounts, found)


def _bind(source: Source, origin: str, mount: Mapping[str, Any], path: Path, mounts: _Mounts, found: Problems) -> None:
    if not is_missing(origin):
        return
    inside = pathlib.Path(origin).is_relative_to(mounts.folder)
    shown = shorten(os.path.relpath(origin, mounts.folder) if inside else origin)
    written = mounts.by_source.get(os.path.normpath(origin))
    place = written.place if written else source.place(path)
    if isinstance(written, reading.source.Mapping) and "source" in written.entries:
        place = written.entries["source"].value.place
    made = mapping(mount.get("bind")).get("create_host_path")
    refused = made is False or (made is None and _says_no(written))
    if refused:
        found.add("bind-refused", path, place, source=shown)
        return
    what = "the engine would make a folder of that name, root's and empty"
    what = what if made else "the engine refuses the node, or Compose, if it is new, has an empty folder made"
    found.add("bind-missing", path, place, source=shown, what=what)


class _Mounts:
    """The mounts of a service as they are written."""

    def __init__(self, source: Source, folder: pathlib.Path, path: Path) -> None:
        self._source, self.folder, self._path = source, folder, path

    @cached_property
    def by_source(self) -> dict[str, Value]:
        """Compose puts them into an order of its own: here is which names what."""
        listed = self._source.find(self._path)[0]
        found: dict[str, Value] = {}
        for item in listed.items if isinstance(listed, Sequence) else ():
            entry = item.entries.get("source") if isinstance(item, reading.source.Mapping) else None
            head = entry.value if entry else item
            text_ = head.text if isinstance(head, Scalar) else ""
            name = text_ if entry else text_.partition(":")[0]
            if name:
                found.setdefault(os.path.normpath(self.folder / os.path.expanduser(name)), item)
        return found


def _says_no(written: Value | None) -> bool:
    """`create_host_path: false`, which some Composes leave out of their answer."""
    bind = written.entries.get("bind") if isinstance(written, reading.source.Mapping) else None
    held = (
        bind.value.entries.get("create_host_path") if bind and isinstance(bind.value, reading.source.Mapping) else None
    )
    return bool(held and isinstance(held.value, Scalar) and held.value.text.lower() == "false")
