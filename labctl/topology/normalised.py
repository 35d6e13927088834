"""Reads the YAML that Compose writes: the normalised form of a topology's files."""

from __future__ import annotations

from typing import Any

import yaml

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BaseLoader):  # type: ignore[misc]
    """What Compose writes without quotes and YAML 1.1 takes for more than text (a date, or `=`) is text here."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":value"))]
    for first, found in _BaseLoader.yaml_implicit_resolvers.items()
}


def _int(loader: Any, node: Any) -> int | str:
    try:
        return int(loader.construct_yaml_int(node))
    except ValueError:  # `0b_`
        return str(node.value)


def _refuse_bytes(_loader: Any, node: Any) -> None:
    raise yaml.constructor.ConstructorError(None, None, "a value has bytes that are no text in UTF-8", node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:binary", _refuse_bytes)


def load(text: str) -> Any:
    """The data of Compose's own YAML. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)
