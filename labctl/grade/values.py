"""A spec's YAML as values that are asked for by their kind, each with its place: read as a topology's are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from labctl.errors import LabError, brief, nearest
from labctl.topology.check.kinds import Trait
from labctl.topology.check.problems import Place
from labctl.topology.check.reading.source import DEPTH_LIMIT, Mapping, Scalar, Sequence, Unreadable, Value, parse

LARGEST = 1 << 20  # bytes of a file
_DIGITS = 10  # of a number: no limit here has more, and Python reads no number of thousands
_YAML = "tag:yaml.org,2002:"
_TEXTS = (f"{_YAML}str", f"{_YAML}int")  # what is meant as a text without quotes: a name may be a number
_TAGS = (None, "!", *_TEXTS, f"{_YAML}map", f"{_YAML}seq")
_BEGIN = Place(1, 1)
_RESOLVER: Any = yaml.resolver.Resolver()
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class At:
    """A part of the file, and where it stands."""

    def __init__(self, file: Path, value: Value) -> None:
        self.file, self.value = file, value

    def bad(self, why: str) -> LabError:
        return _bad(self.file, self.value.place, why)

    def mapping(self, what: str, keys: tuple[str, ...]) -> dict[str, At]:
        if not isinstance(self.value, Mapping):
            raise self.bad(f"{what} is a mapping with {', '.join(keys)}")
        found: dict[str, At] = {}
        for name, (key, value) in self.value.entries.items():
            if name not in keys:
                raise At(self.file, key).bad(
                    f"{what} has no {brief(name)}{nearest(name, keys)}; it has {', '.join(keys)}"
                )
            found[name] = At(self.file, value)
        return found

    def sequence(self, what: str) -> list[At]:
        if not isinstance(self.value, Sequence):
            raise self.bad(f"{what} is a list")
        return [At(self.file, one) for one in self.value.items]

    def text(self, what: str) -> str:
        if not isinstance(self.value, Scalar) or _tag(self.value) not in _TEXTS:
            raise self.bad(f"{what} is a text")
        try:
            self.value.text.encode()
        except UnicodeEncodeError:  # only PyYAML's own parser, where libyaml isn't there, lets such an escape through
            raise self.bad(f"{what} is a text, and half of a surrogate pair is no character") from None
        return self.value.text

    def number(self, what: str, least: int, most: int) -> int:
        text = self.value.text if isinstance(self.value, Scalar) else ""
        readable = text.isascii() and text.isdigit() and len(text) <= _DIGITS
        if not readable or not least <= int(text) <= most:
            raise self.bad(f"{what} is a whole number from {least} to {most}")
        return int(text)

    @property
    def is_true(self) -> bool:
        value = self.value
        return (
            isinstance(value, Scalar)
            and _tag(value) == f"{_YAML}bool"
            and bool(yaml.SafeLoader.bool_values[value.text.lower()])
        )


def load(file: Path, what: str) -> At:
    """All of a file; `what` it has to be, where it is no mapping. Raises LabError `file-unreadable`, `spec-invalid`."""
    text = _text(file)
    _refuse_what_is_none(file, text, what)
    try:
        source = parse(text)
    except Unreadable as found:
        why = "it is empty" if found.problem.has(Trait.EMPTY) else found.problem.message
        raise _bad(file, found.problem.place or _BEGIN, why) from None
    for problem in source.problems:
        raise _bad(file, problem.place or _BEGIN, problem.message)
    return At(file, source.root)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:  # and no more than is looked at: a device may have no end
            data = stream.read(LARGEST + 1)
    except OSError as problem:
        raise LabError("file-unreadable", file=file, why=problem.strerror or str(problem)) from None
    if len(data) > LARGEST:
        raise _bad(file, _BEGIN, "it is larger than a mebibyte")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _bad(file, _BEGIN, "it is no UTF-8 text") from None


def _refuse_what_is_none(file: Path, text: str, what: str) -> None:
    """What a topology may have, and a spec has not: several documents, which are laid over each other, and tags."""
    documents, depth, is_root = 0, 0, False
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    try:
        for event in events:
            place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
            if getattr(event, "tag", None) not in _TAGS:
                raise _bad(file, place, f"a spec has no tags, such as {brief(event.tag)}")
            is_list, is_text = isinstance(event, yaml.SequenceStartEvent), isinstance(event, yaml.ScalarEvent)
            if is_root and (is_list or (is_text and event.value)):
                raise _bad(file, place, what)
            is_root = isinstance(event, yaml.DocumentStartEvent)
            documents += is_root
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH_LIMIT:  # parse() tells it; libyaml takes ever longer over what is deeper
                return
            if documents > 1:
                raise _bad(file, place, "a second document begins here, and a spec is one")
    except yaml.YAMLError:  # whoever reads the values tells it
        return


def _bad(file: Path, place: Place, why: str) -> LabError:
    return LabError("spec-invalid", file=file, row=place.line, column=place.column, why=why)


def _tag(scalar: Scalar) -> str:
    """What YAML 1.1 takes it for."""
    if not scalar.plain:
        return f"{_YAML}str"
    return str(_RESOLVER.resolve(yaml.ScalarNode, scalar.text, (True, False)))
