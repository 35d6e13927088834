"""The journal: a node's stdout, one JSON object a line, one line an event.

Every event holds `ts` (UTC, RFC 3339 with nanoseconds, taken when it happened), `node` and `event`. Where there is a
socket, `proto`, `local` and `peer` say which: addresses are `[address, port]`, as getsockname(2) and getpeername(2)
give them. docs/node-contract.md lists the events.
"""

from __future__ import annotations

import binascii
import errno
import os
import time

try:
    # What json itself calls. The other half of it, written in Python with its regular expressions, is a seventh of what
    # a node takes to start, and no event needs it.
    from _json import encode_basestring, encode_basestring_ascii
except ImportError:  # another Python than CPython
    from json.encoder import encode_basestring, encode_basestring_ascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from typing import Any

    from labnode.types import Address, Fields

NODE = os.environ.get("LABCTL_NODE") or os.uname().nodename
PREVIEW = 2048  # bytes of a payload that an event repeats; its `bytes` always counts all of them
FLUSH_EVERY = 0.001  # seconds
FLUSH_SIZE = 1 << 16  # characters
# The engine cuts a line after every 16 KiB, and spoils a character that it cuts in two: so many are at most that.
LONG = 4096  # characters

_quote = encode_basestring
_node = _quote(NODE)
_second = ("", "")
_held: list[str] | None = None  # lines that are not written yet; None: each is written at once
_held_size = 0
_flushed = 0.0


class Ends(dict[str, object]):
    """Both ends of a socket as event fields. They never change, so their JSON is made once for all its events."""

    __slots__ = ("json",)

    def __init__(self, fields: Fields) -> None:
        super().__init__(fields)
        self.json = members(fields)


def stamp() -> str:
    """The time now, as `2026-01-31T12:00:00.123456789Z`."""
    global _second
    now = str(time.time_ns())
    seconds, nanoseconds = now[:-9], now[-9:]
    if _second[0] != seconds:
        _second = (seconds, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(int(seconds))))
    return f"{_second[1]}{nanoseconds}Z"


def event(
    name: str, ends: Mapping[str, object] | None = None, when: str | None = None, shown: str = "", /, **fields: object
) -> None:
    """Writes one event. `ends` is what `ends()` gave for the socket that it is about.

    `when` is what `stamp()` gave, for what must not seem later than its effect: the clock is read before a send(2), or
    the peer's `recv` would now and then come before it. `shown` is what `members()` gave for more fields.
    """
    global _held_size
    about = "" if not ends else ends.json if type(ends) is Ends else members(ends)
    line = f'{{"ts":"{when or stamp()}","node":{_node},"event":"{name}"{about}{members(fields)}{shown}}}\n'
    if len(line) > LONG and not line.isascii():
        line = "".join(one if one.isascii() else encode_basestring_ascii(one)[1:-1] for one in line)
    if _held is None:
        _write(line)
        return
    _held.append(line)
    _held_size += len(line)
    if _held_size >= FLUSH_SIZE:
        flush()


def members(fields: Mapping[str, Any]) -> str:
    """Event fields as JSON, for `event`'s `shown`: made once where several events hold the same."""
    text = ""
    for key, value in fields.items():
        # The two kinds that nearly all fields are come first: half the time of json's encoder.
        kind = type(value)
        text += f',"{key}":{value if kind is int else _quote(value) if kind is str else _encode(value)}'
    return text


def _encode(value: object) -> str:
    """A field's value as JSON (RFC 8259): text, numbers, truth and None, lists and dicts of such. Raises TypeError."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_encode, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_quote(key)}:{_encode(one)}' for key, one in value.items())}}}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)  # as enum has it, one of socket's constants would be its name
    if isinstance(value, float):
        return float.__repr__(value) if value - value == 0 else "null"  # RFC 8259, section 6: no infinity, no NaN
    raise TypeError(f"a field of an event is {value!r}, for which JSON has no notation")


def _write(text: str) -> None:
    # A lone surrogate can't be UTF-8; its backslash escape is just what JSON writes for it.
    data = text.encode("utf-8", "backslashreplace")
    # One write(2) where the pipe has room, so that lines of other processes never come between.
    while data:
        data = data[os.write(1, data) :]


def gather() -> None:
    """From now on whoever calls this writes the events, by `flush` or `flush_due`: many with one write(2).

    Each write wakes the engine's reader of the journal, and that costs a busy node more than all of its own work.
    """
    global _held
    if _held is None:
        _held = []


def release() -> None:
    """Writes what is held, and again each event at once."""
    global _held
    flush()
    _held = None


def flush() -> None:
    """Writes what is held."""
    global _held_size, _flushed
    if _held:
        text = "".join(_held)
        _held.clear()
        _held_size = 0
        _write(text)
        _flushed = time.monotonic()


def flush_due() -> float | None:
    """Writes what is held, but not sooner than FLUSH_EVERY after the last time; the seconds until then, if it waits.

    The first events after a pause are written at once.
    """
    if not _held:
        return None
    wait = _flushed + FLUSH_EVERY - time.monotonic()
    if wait > 0:
        return wait
    flush()
    return None


def ends(sock: socket.socket, peer: Address | None = None) -> Ends:
    """Both ends of a socket as event fields; `peer` for a datagram's other end, as recvfrom(2) gave it."""
    found = {"proto": "tcp" if sock.type == 1 else "udp", "local": list(sock.getsockname()[:2])}
    try:
        peer = peer or sock.getpeername()
    except OSError:
        return Ends(found)  # not connected: a listening or an unbound socket has one end only
    return Ends(found | {"peer": list(peer[:2])})


def payload(data: bytes, limit: int = PREVIEW) -> Fields:
    """A payload as event fields: `bytes`, and `text` or, where it isn't UTF-8, `data` in base64.

    Over `limit` bytes only the beginning is repeated, and `cut` counts what is left out.
    """
    fields: Fields = {"bytes": len(data)}
    head = data[:limit]
    if len(head) < len(data):
        # Don't make binary of a text only because the cut went through a character, which has 4 bytes at most.
        whole = next((end for end in range(limit, limit - 4, -1) if end > 0 and data[end] & 0xC0 != 0x80), limit)
        head = head[:whole]
        fields["cut"] = len(data) - len(head)
    try:
        fields["text"] = head.decode()
    except UnicodeDecodeError:
        fields["data"] = binascii.b2a_base64(head, newline=False).decode("ascii")
    return fields


def error(code: int | str | None, reason: str, ends: Mapping[str, object] | None = None, /, **fields: object) -> None:
    """Writes an `error` event: the errno's name, and a sentence for a person."""
    event("error", ends, error=code if isinstance(code, str) else errno_name(code), reason=reason, **fields)


def errno_name(code: int | None) -> str:
    """`ECONNRESET`; an OSError that the kernel didn't raise may have no number."""
    return str(code) if code is None else errno.errorcode.get(code, str(code))
