"""What no other protocol of applications knows: text, if it is any, or else bytes."""

from __future__ import annotations

from unicodedata import category

from labctl.packets.model import Packet
from labctl.packets.protocols.reader import Field, Layer

_BEGINNING = 64  # bytes of the payload that are looked at for a label
_CONTROLS = bytes(code for code in (*range(32), 127) if chr(code) not in "\r\n\t")  # ASCII's


def text_of(data: bytes) -> str | None:
    """The bytes as text if they are UTF-8 and mostly no control characters; a character cut at the end is left out."""
    if not data:
        return None
    for cut in range(min(4, len(data))):
        try:
            text = data[: len(data) - cut].decode()
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            return text
        return text if _odd(text) * 10 <= len(text) else None
    return None


def _odd(text: str) -> int:
    """How many are control characters, or aren't assigned; not those that join an emoji's parts."""
    if text.isascii():  # most are, and looking at each character takes longest of all that is done to a packet
        return len(text) - len(text.encode().translate(None, _CONTROLS))
    return sum(category(character) in ("Cc", "Cn", "Co") and character not in "\r\n\t" for character in text)


def beginning(packet: Packet) -> str:
    """The payload's first bytes for a label, where they are text."""
    return text_of(packet.payload[:_BEGINNING]) or ""


def text_or_data(name: str, data: bytes, at: int) -> Field:
    """Bytes that are text, under that name, or else `data`: the two are drawn in different ways."""
    text = text_of(data)
    return Field("data", f"{len(data)} bytes", at, len(data)) if text is None else Field(name, text, at, len(data))


def text_layer(packet: Packet) -> Layer:
    """The payload of a packet as text or as bytes."""
    field = text_or_data("text", packet.payload, packet.payload_offset)
    return Layer("application", field.name, packet.payload_offset, len(packet.payload), (field,))


def data_layer(packet: Packet, known: tuple[Field, ...] = ()) -> Layer:
    """The payload of a packet as bytes that stand for themselves, behind the fields that are known of it."""
    at, size = packet.payload_offset, len(packet.payload)
    used = sum(field.length for field in known)
    if used < size:
        known = (*known, Field("data", f"{size - used} bytes", at + used, size - used))
    return Layer("application", "data", at, size, known)
