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
        return [self._layer(layer) for layer in layers(packet)]

    def _layer(self, layer: Layer) -> list[Any]:
        # Of each field its name, its value, its offset, its length, its meaning: turned round by zip, as that is where
        # the time goes.
        names, values, *rest = zip(*layer.fields, strict=True) if layer.fields else ((), ())
        shape = (layer.level, layer.name, layer.offset, layer.length, names, *rest)
        return [self._numbers.setdefault(shape, len(self._numbers)), *values]

    def document(self) -> list[dict[str, Any]]:
        """All that were met, in the order of their numbers."""
        return [
            {
                "level": level,
                "name": name,
                "offset": offset,
                "length": length,
                "fields": [[word, meaning or None, at, size] for word, at, size, meaning in zip(*fields, strict=True)],
            }
            for level, name, offset, length, *fields in self._numbers
        ]
