"""HTTP by its start line (RFC 9112)."""

from __future__ import annotations

import re

from labctl.packets.model import Packet
from labctl.packets.protocols.application.text import text_or_data
from labctl.packets.protocols.kind import Application
from labctl.packets.protocols.reader import Field, Layer

_START_LINE = re.compile(rb"(HTTP/\d\.\d \d{3}[^\r\n]*|[A-Z]{3,16} \S+ HTTP/\d\.\d)\r?\n")


def start_line(data: bytes) -> str | None:
    """The first line of an HTTP message (RFC 9112, section 2.1), if the bytes begin with one."""
    found = _START_LINE.match(data)
    return found[1].decode("latin-1") if found else None


def http_head(data: bytes) -> tuple[str, list[tuple[str, str, int, int]], int] | None:
    """Start line, headers (name, value, offset, length) and where the body begins; None: this is no HTTP."""
    first = start_line(data)
    if first is None:
        return None
    at = data.index(b"\n") + 1
    headers: list[tuple[str, str, int, int]] = []
    while at < len(data):
        end = data.find(b"\n", at)
        line = data[at : end if end >= 0 else len(data)]
        after = at + len(line) + (end >= 0)
        if not line.strip(b"\r"):
            return first, headers, after
        name, _, value = _decoded(line).rstrip("\r").partition(":")
        headers.append((name, value.strip(), at, len(line)))
        at = after
    return first, headers, at


def _decoded(line: bytes) -> str:
    # What isn't ASCII in a header means nothing by itself (RFC 9110, section 5.5); mostly it is UTF-8.
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _layer(packet: Packet) -> Layer | None:
    at, data = packet.payload_offset, packet.payload
    if (head := http_head(data)) is None:
        return None
    line, headers, body = head
    fields = [Field("start line", line, at, len(line))]
    fields += [Field(name, value, at + offset, length) for name, value, offset, length in headers]
    if body < len(data):
        fields.append(text_or_data("body", data[body:], at + body))
    return Layer("application", "HTTP", at, len(data), tuple(fields))


PROTOCOLS = (Application(name="http", words="HTTP", over=("tcp",), layer=_layer),)
