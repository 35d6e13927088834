"""A file's YAML as values that know where they stand, merge keys and aliases put in.

The tree is built from the parser's events and not by PyYAML's compose(): that follows nested values by recursion in C,
and a file of 100,000 brackets ends the whole process.
"""

from __future__ import annotations

import pathlib
import stat
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from labctl.named import NamedTuple
from labctl.topology.check.kinds import Trait
from labctl.topology.check.problems import Path, Place, Problem, Problems

SIZE_LIMIT = 1 << 20  # bytes: some 5,000 services
VALUE_LIMIT = 250_000  # values, once aliases are put in
DEPTH_LIMIT = 64

_TAGS = ("!reset", "!override")
_MARK = "\ufeff"  # a byte order mark, which some editors write first; Python's utf-8-sig is one more module
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """Nothing can be said about what is in the file; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Scalar(NamedTuple):
    """`plain`: without quotes and without a tag, so that each reader guesses its type from the text. `tag` is one of
    Compose's own, which say what becomes of what other files say in the same place: !reset or !override."""

    text: str
    plain: bool
    place: Place
    tag: str | None = None


class Sequence:
    """`weight` and `tag` as of a Mapping."""

    __slots__ = ("items", "place", "tag", "weight")

    def __init__(self, items: list[Value], place: Place, weight: int = 1, tag: str | None = None) -> None:
        self.items, self.place, self.weight, self.tag = items, place, weight, tag


class Entry(NamedTuple):
    key: Scalar
    value: Value


class Mapping:
    """`weight` is the number of values in it once aliases are put in."""

    __slots__ = ("entries", "place", "tag", "weight")

    def __init__(self, entries: dict[str, Entry], place: Place, weight: int = 1, tag: str | None = None) -> None:
        self.entries, self.place, self.weight, self.tag = entries, place, weight, tag


Value = Scalar | Sequence | Mapping


class Source:
    """What stands in the file, or in several, one over the other: so are the YAML documents of one file for Compose.

    `parts` are the files one by one; of one file, that alone.
    """

    def __init__(self, root: Mapping, problems: Problems | None = None, parts: tuple[Mapping, ...] = ()) -> None:
        self.root, self.parts = root, parts
        self.problems = Problems() if problems is None else problems

    def find(self, path: Path) -> tuple[Value, Scalar | None, int]:
        """The value at a path, the key it stands under, and how many steps of the path there are in this file."""
        value: Value = self.root
        key: Scalar | None = None
        for taken, step in enumerate(path):
            if isinstance(value, Mapping) and isinstance(step, str) and step in value.entries:
                entry = value.entries[step]
                value, key = entry.value, entry.key
            elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value.items):
                value, key = value.items[step], None
            else:
                return value, key, taken
        return value, key, len(path)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value stands (or its key); for what is not in this file, the nearest thing that holds it."""
        value, name, taken = self.find(path)
        if taken < 2 <= len(path) and "include" in self.root.entries:
            return self.root.entries["include"].key.place
        if name and (key or taken < len(path) or (isinstance(value, Scalar) and not value.text)):
            return name.place
        return value.place

    def scalars(self) -> Iterator[Scalar]:
        """All single values, in no order; what aliases repeat comes once."""
        seen: set[int] = set()
        waiting: list[Value] = [self.root]
        while waiting:
            value = waiting.pop()
            if isinstance(value, Scalar):
                yield value
            elif id(value) not in seen:
                seen.add(id(value))
                waiting += value.items if isinstance(value, Sequence) else [e.value for e in value.entries.values()]

    def walk(self) -> Iterator[tuple[Path, Scalar]]:
        """All single values of all files, each once, with the paths that lead to them."""
        seen: set[int] = set()
        waiting: list[tuple[Path, Value]] = [((), part) for part in reversed(self.parts)]
        while waiting:
            path, value = waiting.pop()
            if isinstance(value, Scalar):
                yield path, value
            elif id(value) not in seen:
                seen.add(id(value))
                inside: Iterable[tuple[str | int, Value]] = (
                    enumerate(value.items)
                    if isinstance(value, Sequence)
                    else ((name, entry.value) for name, entry in value.entries.items())
                )
                waiting += reversed([((*path, step), item) for step, item in inside])

    def variables(self) -> list[str]:
        """The texts of all values that Compose puts variables into."""
        return sorted({value.text for value in self.scalars() if "$" in value.text})

    def section(self, name: str) -> dict[str, Entry]:
        """The entries of `services`, `networks` ...; none where it isn't there or is no mapping."""
        entry = self.root.entries.get(name)
        return entry.value.entries if entry and isinstance(entry.value, Mapping) else {}


def read(file: pathlib.Path) -> Source:
    """Raises Unreadable."""
    return parse(_text(file))


def read_all(files: Iterable[pathlib.Path]) -> Source:
    """Several files, each laid over those before it. Raises Unreadable, which says of which file."""
    found: list[Source] = []
    for number, file in enumerate(files):
        try:
            found.append(parse(_text(file), number))
        except Unreadable as stop:
            problem = stop.problem
            if problem.has(Trait.EMPTY) and number and found:
                found.append(Source(Mapping({}, Place(1, 1, number))))  # it adds nothing
                continue
            place = problem.place._replace(file=number) if problem.place else None
            raise Unreadable(problem._replace(place=place, of_file=number)) from None
    root = found[0].root
    problems = Problems()
    for number, source in enumerate(found):
        root = overlaid(root, source.root) if number else root
        problems.extend(source.problems)
    return Source(root, problems, tuple(source.root for source in found))


def _text(file: pathlib.Path) -> str:
    try:
        mode = file.stat().st_mode
        if stat.S_ISDIR(mode):
            raise Unreadable(Problem.of("file-directory"))
        if not stat.S_ISREG(mode):
            raise Unreadable(Problem.of("file-special"))
        with file.open("rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise Unreadable(Problem.of("file-missing")) from None
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the name
        why = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise Unreadable(Problem.of("file-unreadable", why=why)) from None
    if len(data) > SIZE_LIMIT:
        raise Unreadable(Problem.of("file-too-big", limit=SIZE_LIMIT >> 10))
    if b"\0" in data:
        raise Unreadable(_nul(data))
    try:
        return data.decode().removeprefix(_MARK)
    except ValueError:
        raise Unreadable(Problem.of("file-not-text")) from None


def _nul(data: bytes) -> Problem:
    """Where a NUL is, if the rest is text in UTF-8; else the whole file is none."""
    before = data[: data.index(b"\0")]
    try:
        data.decode()
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        place = Place(line, len(before[start:].decode().removeprefix(_MARK)) + 1)
    except ValueError:
        return Problem.of("file-not-text")
    return Problem.of("yaml-syntax", place, why="the character U+0000 (NUL) may not stand in YAML")


def parse(text: str, file: int = 0) -> Source:
    """The values of a text, which is that of the `file`th of several. Raises Unreadable."""
    builder = _Builder(text, file)
    try:
        documents = list(builder.documents())
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = _place(mark, file) if mark else None
        why = ", ".join(part for part in (problem.context, problem.problem) if part)
        raise Unreadable(Problem.of("yaml-syntax", place, why=why or "it can't be parsed")) from None
    except yaml.YAMLError as problem:
        raise Unreadable(_unreadable_character(problem, text, file)) from None
    values = [value for value in documents if not (isinstance(value, Scalar) and value.plain and not value.text)]
    if not values:
        raise Unreadable(Problem.of("file-empty"))
    root = Mapping({}, values[0].place)
    for value in values:
        if not isinstance(value, Mapping):
            raise Unreadable(Problem.of("not-a-mapping", value.place, what=describe(value)))
        root = overlaid(root, value)
    return Source(root, builder.problems, (root,))


_REPLACED = ("command", "entrypoint", "test")  # lists that are no sum of what each file says


def overlaid(below: Mapping, above: Mapping) -> Mapping:
    """Two files, or two documents of one, as one: mappings key by key, lists one behind the other."""
    out = dict(below.entries)
    for key, entry in above.entries.items():
        old, value = out.get(key), entry.value
        if value.tag == "!reset":
            out.pop(key, None)
            continue
        if old and not value.tag:
            if isinstance(old.value, Mapping) and isinstance(value, Mapping):
                entry = Entry(entry.key, overlaid(old.value, value))
            elif isinstance(old.value, Sequence) and isinstance(value, Sequence) and key not in _REPLACED:
                both = [*old.value.items, *value.items]
                entry = Entry(entry.key, Sequence(both, value.place, old.value.weight + value.weight))
        out[key] = entry
    return Mapping(out, below.place, below.weight + above.weight)


def describe(value: Value) -> str:
    """`a list`, `a mapping`, or the text itself."""
    if isinstance(value, Sequence):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    return repr(shorten(value.text)) if value.text or not value.plain else "nothing"


def shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _grow(owner: Sequence | Mapping, value: Value) -> None:
    owner.weight += 1 if isinstance(value, Scalar) else value.weight
    if owner.weight > VALUE_LIMIT:
        raise Unreadable(Problem.of("yaml-aliases", owner.place, limit=VALUE_LIMIT))


def _place(mark: Any, file: int) -> Place:
    return Place(mark.line + 1, mark.column + 1, file)


def _unreadable_character(problem: yaml.YAMLError, text: str, file: int) -> Problem:
    found = getattr(problem, "character", None)
    if not isinstance(found, int):
        return Problem.of("yaml-syntax", why=str(problem).splitlines()[0] if str(problem) else "it can't be parsed")
    at = text.find(chr(found))
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return Problem.of(
        "yaml-syntax", Place(line, column, file), why=f"the character U+{found:04X} may not stand in YAML"
    )


class _Builder:
    """Events to values. `problems` gets what is wrong and can be read over."""

    def __init__(self, text: str, file: int) -> None:
        self._file = file
        self._events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        self._anchors: dict[str, Value | None] = {}  # None: being read
        self._path: list[str | int] = []
        self.problems = Problems()

    def documents(self) -> Iterator[Value]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                yield self._value(next(self._events), 0)

    def _value(self, event: Any, depth: int) -> Value:
        place = _place(event.start_mark, self._file)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor or "", place)
        if depth > DEPTH_LIMIT:
            raise Unreadable(Problem.of("yaml-depth", place, limit=DEPTH_LIMIT))
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style in (None, "") and event.tag in (None, *_TAGS)
            found: Value = Scalar(event.value, plain, place, event.tag if event.tag in _TAGS else None)
        else:
            if event.anchor:
                self._anchors[event.anchor] = None
            found = (self._sequence if isinstance(event, yaml.SequenceStartEvent) else self._mapping)(place, depth)
            found.tag = event.tag if event.tag in _TAGS else None
            if found.tag == "!reset":  # whatever stands here stands for nothing
                found = Scalar("", plain=True, place=place, tag=found.tag)
        if event.anchor:
            self._anchors[event.anchor] = found
        return found

    def _alias(self, name: str, place: Place) -> Value:
        if name not in self._anchors:
            raise Unreadable(Problem.of("yaml-syntax", place, why=f"no anchor &{name} stands before this alias"))
        found = self._anchors[name]
        if found is None:
            raise Unreadable(Problem.of("yaml-recursive", place, name=name))
        return found

    def _sequence(self, place: Place, depth: int) -> Sequence:
        out = Sequence([], place)
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._path.append(len(out.items))
            value = self._value(event, depth + 1)
            self._path.pop()
            out.items.append(value)
            _grow(out, value)
        return out

    def _mapping(self, place: Place, depth: int) -> Mapping:
        out = Mapping({}, place)
        merged: list[Value] = []
        merge: Scalar | None = None
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            self._path.append(key.text if isinstance(key, Scalar) else "?")
            value = self._value(next(self._events), depth + 1)
            _grow(out, value)
            if not isinstance(key, Scalar):
                self.problems.add("bad-key", tuple(self._path[:-1]), key.place, what=describe(key))
            elif key.plain and key.text == "<<":
                if merge:
                    self._report_twice(key, merge)
                merge = key
                merged += value.items if isinstance(value, Sequence) else [value]
            elif key.text in out.entries:
                self._report_twice(key, out.entries[key.text].key)
            else:
                out.entries[key.text] = Entry(key, value)
            self._path.pop()
        for part in merged:
            self._merge(out, part)
        return out

    def _merge(self, out: Mapping, part: Value) -> None:
        """Entries of `<<`: what stands in the mapping itself holds, then what is merged first."""
        if not isinstance(part, Mapping):
            self.problems.add("bad-merge", tuple(self._path), part.place, what=describe(part))
            return
        for name, entry in part.entries.items():
            out.entries.setdefault(name, entry)

    def _report_twice(self, key: Scalar, first: Scalar) -> None:
        path = tuple(self._path[:-1])
        self.problems.add("duplicate-key", path, key.place, key=shorten(key.text), line=first.place.line)
