"""Fields and layers, and what cuts fields out of a header."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.named import NamedTuple
from labctl.packets.model import Checksum, Packet

_SUMS: dict[Checksum, str] = {
    "ok": "right",
    "partial": "not computed, but left for the network card, it seems (checksum offload)",
    "none": "none: the sender computed no checksum",
    "missing": "none, which UDP over IPv6 must have but in tunnels (RFC 6935)",
    "unknown": "can't be checked: not all that it is made of is here",
}


class Field(NamedTuple):
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


_made = tuple.__new__  # a saved run has some hundred thousand fields, and Field() itself takes twice the time


class Reader:
    """Fields cut out of a header one after the other, as far as there are bytes."""

    def __init__(self, data: bytes, at: int, end: int | None = None) -> None:
        self.data, self.at, self.start = data, at, at
        self.end = len(data) if end is None else min(end, len(data))
        self.fields: list[Field] = []

    def number(self, name: str, length: int, meaning: str = "", *, text: str = "{}") -> int:
        at, after = self.at, self.at + length
        if after > self.end:
            return int.from_bytes(self._take(length), "big")
        self.at = after
        value = int.from_bytes(self.data[at:after], "big")
        shown = str(value) if text == "{}" else text.format(value)
        self.fields.append(_made(Field, (name, shown, at, length, meaning)))
        return value

    def text(self, name: str, length: int, value: str, meaning: str = "") -> None:
        at, after = self.at, self.at + length
        if after > self.end:
            self._take(length)
            return
        self.at = after
        self.fields.append(_made(Field, (name, value, at, length, meaning)))

    def mac(self, name: str) -> None:
        raw = self.data[self.at : self.at + 6]
        self.text(name, 6, raw.hex(":"), "everybody" if raw == b"\xff" * 6 else "")

    def _take(self, length: int) -> bytes:
        raw = self.data[self.at : min(self.at + length, self.end)]
        self.at += len(raw)
        return raw

    def layer(self, level: str, name: str) -> Layer:
        return Layer(level, name, self.start, self.at - self.start, tuple(self.fields))

    def checksum(self, packet: Packet) -> None:
        """The checksum of what IP carries."""
        self.number("checksum", 2, sum_words(packet.checksum, packet.checksum_wanted), text="0x{:04x}")


def sum_words(state: Checksum, wanted: int | None) -> str:
    """What is to be said of a checksum; `wanted`: what would be right in the place of a bad one."""
    if state == "bad":
        right = "" if wanted is None else f", 0x{wanted:04x} would be right"
        return f"wrong{right}: bytes were changed, or it was never computed (checksum offload)"
    return _SUMS[state]
