"""Rows: what evidence is made of. A row has fields, and nothing else can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labctl.errors import nearest


class Row:
    """One event, packet, system call, socket or output. A field that it doesn't have is None where `known` is None (an
    event may have any), and a mistake of the lesson's where its kind has fixed fields.

    `source` is the thing that it was made of, which `show` draws.
    """

    __slots__ = ("_known", "_values", "source")

    def __init__(self, values: Mapping[str, Any], known: Iterable[str] | None = None, source: Any = None) -> None:
        self._values = dict(values)
        self._known = None if known is None else frozenset(known) | self._values.keys()
        self.source = source

    def get(self, name: str) -> Any:
        """Raises KeyError, with what is to say about it."""
        if name in self._values:
            return self._values[name]
        if self._known is not None and name not in self._known:
            raise KeyError(f"there is no field {name}{nearest(name, self._known)}")
        return None

    def has(self, wanted: Mapping[str, Any]) -> bool:
        """Whether each of these fields is so."""
        return all(self.get(name) == value for name, value in wanted.items())

    def items(self) -> list[tuple[str, Any]]:
        return list(self._values.items())

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name}: {value!r}" for name, value in self._values.items() if value is not None) + "}"
