"""One packet layer by layer as text and as data: each field with its bytes, then all bytes in hexadecimal."""

from __future__ import annotations

from typing import Any

from labctl.packets.model import Packet
from labctl.packets.protocols.layers import Field, Layer, layers
from labctl.packets.protocols.words import ends, moment
from labctl.render.phrases.saying import Say, as_it_is
from labctl.render.text import BOLD, DIM, RED, fitted, left_to_right, padded, paint, printable, quoted, width, wrapped

_NAME, _BYTES = 26, 9  # columns of a field's name, and of where its bytes are
_QUOTED = frozenset({"text", "body", "start line"})
_LEAST = 60


def draw(packet: Packet, *, columns: int = 100, colour: bool = False, dump: bool = True, say: Say = as_it_is) -> str:
    """The packet in lines of at most so many columns, 60 at least. `say` has the names of layers and fields, and what
    values mean, in another language."""
    columns = max(columns, _LEAST)
    record = packet.record
    total = say(f"{len(record.data)} bytes")
    if record.original_length > len(record.data):
        total = say(f"{len(record.data)} of {record.original_length} bytes captured")
    where = f"  {say(f'at {printable(packet.node)}')}" if packet.node else ""
    when = moment(packet.ts_ns) if record.timed else "without a time"
    name = f"{packet.protocol.upper()}  {ends(packet)}" if packet.src else packet.protocol.upper()
    out = [
        fitted(f"{say(f'packet {packet.index + 1}')}  {when}{where}  {total}", columns),
        fitted(printable(name), columns),
    ]
    out += [line for comment in record.comments for line in wrapped(f"comment: {printable(comment)}", columns)]
    if packet.malformed:
        out.append(paint(fitted(printable(f"malformed: {packet.malformed}"), columns), RED, colour))
    if packet.unread:
        out += wrapped(f"unread: {printable(packet.unread)}", columns)
    for layer in layers(packet):
        out += ["", paint(_heading(layer, say), BOLD, colour)]
        for field in layer.fields:
            out += _field(field, columns, say)
    if dump:
        out += ["", paint(say("bytes"), BOLD, colour), *_dump(packet, columns, colour)]
    return "\n".join(map(left_to_right, out))


def _heading(layer: Layer, say: Say) -> str:
    return f"{say(layer.level)}: {layer.name}  ({say(f'{layer.length} bytes from {layer.offset}')})"


def _field(field: Field, columns: int, say: Say) -> list[str]:
    place = f"{field.offset}+{field.length}".rjust(_BYTES)
    value = quoted(field.value) if field.name in _QUOTED else printable(field.value)
    meaning = printable(say(field.meaning))
    text = f"{value}  ({meaning})" if meaning and value else value or meaning
    head = f"{place}  {padded(fitted(printable(say(field.name)), _NAME), _NAME)}  "
    room = columns - width(head)
    first, *more = wrapped(text, room) if width(text) > room else [text]
    return [f"{head}{first}".rstrip(), *(" " * width(head) + line for line in more)]


def _dump(packet: Packet, columns: int, colour: bool) -> list[str]:
    """Sixteen bytes a line, or eight where there is less room, with the characters that are ASCII."""
    step = 16 if columns >= 76 else 8
    out = []
    data = packet.record.data
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        halves = "  ".join(piece[n : n + 8].hex(" ") for n in range(0, len(piece), 8))
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        out.append(f"{paint(f'{at:06x}', DIM, colour)}  {halves.ljust(step * 3 + step // 8 - 2)}  {shown}")
    return out


def document(packet: Packet) -> dict[str, Any]:
    """The packet as data: all layers, and all bytes in hexadecimal."""
    return {
        "schema_version": 1,
        "number": packet.index + 1,
        "node": packet.node,
        "ts": moment(packet.ts_ns) if packet.record.timed else None,
        "ts_ns": packet.ts_ns if packet.record.timed else None,
        "protocol": packet.protocol,
        "captured_length": len(packet.record.data),
        "original_length": packet.record.original_length,
        "comments": list(packet.record.comments),
        "malformed": packet.malformed or None,
        "unread": packet.unread or None,
        "layers": [
            {
                "level": layer.level,
                "name": layer.name,
                "offset": layer.offset,
                "length": layer.length,
                "fields": [
                    {
                        "name": field.name,
                        "value": field.value,
                        "meaning": field.meaning or None,
                        "offset": field.offset,
                        "length": field.length,
                    }
                    for field in layer.fields
                ],
            }
            for layer in layers(packet)
        ],
        "bytes": packet.record.data.hex(),
    }
