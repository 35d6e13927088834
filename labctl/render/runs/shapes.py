"""What the packets of a saved run are made of, field by field, without saying the same of each of them.

A layer of a packet is `[number, value, value, ...]`: the number of its shape, and what its fields have. A shape says
the rest: `{"level", "name", "offset", "length", "fields": [[name, meaning or null, offset, length], ...]}`.
"""

from __future__ import annotations

from typing import Any

from labctl.packets.model import Packet
from labctl.packets.protocols.layers import Layer, layers


class Shapes:
    """The shapes of a run, as they are met."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}

    def layers(self, packet: Packet) -> list[list[Any]]:
        """The layers of one packet."""
        return [[self._number(layer), *[field.value for field in layer.fields]] for layer in layers(packet)]

    def _number(self, layer: Layer) -> int:
        fields = tuple([(name, meaning, offset, length) for name, _, offset, length, meaning in layer.fields])
        return self._numbers.setdefault(
            (layer.level, layer.name, layer.offset, layer.length, fields), len(self._numbers)
        )

    def document(self) -> list[dict[str, Any]]:
        """All that were met, in the order of their numbers."""
        return [
            {
                "level": level,
                "name": name,
                "offset": offset,
                "length": length,
                "fields": [[word, meaning or None, at, size] for word, meaning, at, size in fields],
            }
            for level, name, offset, length, fields in self._numbers
        ]
