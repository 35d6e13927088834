"""Unknown keys and wrong types, and the words on the way: the file is walked along the shapes of keys.py."""

from __future__ import annotations

from labctl.topology.check.problems import Path, Problems
from labctl.topology.check.reading.keys import TOP, Shape
from labctl.topology.check.reading.scalars import WORDS, type_of
from labctl.topology.check.reading.source import Mapping, Scalar, Sequence, Source, Value, describe, shorten
from labctl.topology.check.traps import check_flag, check_key, check_word

_KNOWN_SHOWN = 12


def check_shapes(source: Source) -> Problems:
    """All that can be said of keys and types, without knowing what the values mean to each other."""
    found = Problems()
    for part in source.parts:
        _check(part, TOP, (), found)
    return found


def is_known(path: Path, key: str) -> bool:
    """Whether the Compose specification has a key at that place, as far as labctl knows it."""
    shape: Shape | None = TOP
    for step in path:
        if shape is None:
            return False
        inside = shape.values if shape.keys is None else shape.keys.get(str(step))
        shape = shape.items if isinstance(step, int) else inside
    return shape is not None and shape.keys is not None and key in shape.keys


def _check(value: Value, shape: Shape, path: Path, found: Problems) -> None:
    if shape.open:
        return
    if isinstance(value, Mapping) and (shape.keys is not None or shape.values):
        _mapping(value, shape, path, found)
    elif isinstance(value, Sequence) and shape.items:
        for number, item in enumerate(value.items):
            _check(item, shape.items, (*path, number), found)
    elif isinstance(value, Scalar) and shape.word:
        _scalar(value, shape, path, found)
    elif not _empty(value):
        _wrong_type(value, shape, path, found, wanted=_forms(shape))


def _empty(value: Value) -> bool:
    """A key without a value: most keys may stand so, and Compose says which may not."""
    return isinstance(value, Scalar) and type_of(value) == "null"


def _mapping(value: Mapping, shape: Shape, path: Path, found: Problems) -> None:
    for name, entry in value.entries.items():
        inside = (*path, name)
        if shape.keys is None:
            if _is_extension(name) and shape.names:
                continue
            check_key(entry.key, inside, found)
            if shape.values:
                _check(entry.value, shape.values, inside, found)
        elif name in shape.keys:
            _check(entry.value, shape.keys[name], inside, found)
        elif not _is_extension(name):
            _unknown(entry.key, shape.keys, path, found)


def _is_extension(name: str) -> bool:
    return name.startswith("x-")


def _unknown(key: Scalar, known: object, path: Path, found: Problems) -> None:
    names = sorted(name for name in known if isinstance(name, str)) if isinstance(known, dict) else []
    shown = ", ".join(names[:_KNOWN_SHOWN]) + (", ..." if len(names) > _KNOWN_SHOWN else "")
    found.add("unknown-key", path, key.place, key=shorten(key.text), near=found.near(key.text, names), known=shown)


def _scalar(value: Scalar, shape: Shape, path: Path, found: Problems) -> None:
    kind = type_of(value)
    if "$" in value.text:
        return  # a variable: Compose knows its value
    if shape.word == "flag":
        if not check_flag(value, path, found) and kind not in ("bool", "null"):
            _wrong_type(value, shape, path, found, wanted="true or false")
    elif shape.word == "bool":
        if kind != "bool":
            _wrong_type(value, shape, path, found, wanted="true or false")
    elif shape.word == "number":
        if kind not in ("int", "float", "null") and not _is_number(value.text):
            _wrong_type(value, shape, path, found, wanted="a number")
    elif shape.word in ("amount", "port") and kind == "bool":
        _wrong_type(value, shape, path, found, wanted="a number or text")
    else:
        check_word(value, shape, path, found)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wrong_type(value: Value, shape: Shape, path: Path, found: Problems, *, wanted: str) -> None:
    key = next((step for step in reversed(path) if isinstance(step, str)), "")
    seen = describe(value)
    if isinstance(value, Scalar) and type_of(value) in ("int", "float", "bool"):
        seen = f"the {WORDS[type_of(value)].split()[-1]} {value.text}"
    if path and isinstance(path[-1], int):
        mend = f"make each item {wanted}"
    elif shape.items and not (shape.word or shape.values or shape.keys is not None):
        mend = f"write `{key}: [...]`, or each item in a line of its own after `- `"
    elif shape.values or shape.keys is not None:
        mend = "indent `key: value` lines under it"
    else:
        mend = {"true or false": f"write `{key}: true` or `{key}: false`", "a number": f"write `{key}: 2`, say"}.get(
            wanted, f"write one text after `{key}:`"
        )
    found.add("wrong-type", path, value.place, wanted=wanted, found=seen, mend=mend)


def _forms(shape: Shape) -> str:
    forms = [
        *(["a number or text" if shape.word in ("amount", "port", "number") else "text"] if shape.word else []),
        *(["a list"] if shape.items else []),
        *(["a mapping"] if shape.values or shape.keys is not None else []),
    ]
    if shape.word in ("flag", "bool"):
        forms[0] = "true or false"
    return " or ".join(forms)
