"""Fields and layers, and what cuts fields out of a header."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """`value` as people write it; `offset` and `length` in bytes of the captured data; `meaning` may be empty."""

    name: str
    value: str
    offset: int
    length: int
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """`level` is link, network, transport or application; `name` its protocol here."""

    level: str
    name: str
    offset: int
    length: int
    fields: tuple[Field, ...]


class Reader:
    """Fields cut out of a header one after the other, as far as there are bytes."""

    def __init__(self, data: bytes, at: int, end: int | None = None) -> None:
        self.data, self.at, self.start = data, at, at
        self.end = len(data) if end is None else min(end, len(data))
        self.fields: list[Field] = []

    def number(self, name: str, length: int, meaning: str = "", *, text: str = "{}") -> int:
        raw = self._take(length)
        value = int.from_bytes(raw, "big")
        if len(raw) == length:
            self.fields.append(Field(name, text.format(value), self.at - length, length, meaning))
        return value

    def text(self, name: str, length: int, value: str, meaning: str = "") -> None:
        if len(self._take(length)) == length:
            self.fields.append(Field(name, value, self.at - length, length, meaning))

    def mac(self, name: str) -> None:
        raw = self.data[self.at : self.at + 6]
        self.text(name, 6, raw.hex(":"), "everybody" if raw == b"\xff" * 6 else "")

    def _take(self, length: int) -> bytes:
        raw = self.data[self.at : min(self.at + length, self.end)]
        self.at += len(raw)
        return raw

    def layer(self, level: str, name: str) -> Layer:
        return Layer(level, name, self.start, self.at - self.start, tuple(self.fields))
