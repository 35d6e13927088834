"""The other files that a Compose file takes in, by `include` and by `extends`."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator

from labctl.topology.check.kinds import Trait
from labctl.topology.check.problems import Problem
from labctl.topology.check.reading.source import Mapping, Scalar, Sequence, Source, Unreadable, Value, read

MOST = 200  # files that are followed; Compose reads what is behind them within its limits


def endless(source: Source, files: Iterable[pathlib.Path]) -> Problem | None:
    """What Compose would take gigabytes and hours for, in a file that `files` take in, or that those do in turn; said
    of the place where one of `files` names the first. What isn't there or can't be known (a variable in its name,
    another machine's) is left to Compose."""
    paths = tuple(files)
    waiting = [
        (name.place, own.parent, pathlib.Path(name.text))
        for root, own in zip(source.parts or (source.root,), paths, strict=False)
        for name in named(root)
    ]
    known = {file.resolve() for file in paths}
    for place, folder, shown in waiting:  # which grows meanwhile
        file = (folder / shown).resolve()
        if file in known or len(known) > MOST:
            continue
        known.add(file)
        try:
            found = read(file)
        except Unreadable as stop:
            if stop.problem.has(Trait.ENDLESS):
                inside = stop.problem.place
                where = f"{shown}:{inside.line}:{inside.column}" if inside else str(shown)
                return Problem.of("file-endless", place, file=where, why=stop.problem.message)
            continue
        waiting += [(place, folder, shown.parent / name.text) for name in named(found.root)]
    return None


def named(root: Mapping) -> Iterator[Scalar]:
    """The names of the files that one takes in; relative ones begin at its folder."""
    yield from _included(root)
    services = root.entries.get("services")
    for entry in services.value.entries.values() if services and isinstance(services.value, Mapping) else ():
        extends = _under(entry.value, "extends")
        file = _under(extends, "file") if extends else None
        if isinstance(file, Scalar):
            yield file


def _included(root: Mapping) -> Iterator[Scalar]:
    """Of an `include`, which is a list; an item is a path, or a mapping with one path or a list of them."""
    include = root.entries.get("include")
    for item in _items(include.value) if include else ():
        for value in _items(_under(item, "path") or item):
            if isinstance(value, Scalar):
                yield value


def _items(value: Value) -> Iterable[Value]:
    return value.items if isinstance(value, Sequence) else (value,)


def _under(value: Value, key: str) -> Value | None:
    entry = value.entries.get(key) if isinstance(value, Mapping) else None
    return entry.value if entry else None
