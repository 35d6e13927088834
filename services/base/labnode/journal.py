"""The journal: a node's stdout, one JSON object a line, one line an event.

Every event holds `ts` (UTC, RFC 3339 with nanoseconds, taken when it happened), `node` and `event`. Where there is a
socket, `proto`, `local` and `peer` say which: addresses are `[address, port]`, as getsockname(2) and getpeername(2)
give them. docs/node-contract.md lists the events.
"""

import binascii
import errno
import json
import os
import time

NODE = os.environ.get("LABCTL_NODE") or os.uname().nodename
PREVIEW = 2048  # bytes of a payload that an event repeats; its `bytes` always counts all of them

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_node = _encode(NODE)
_second = (0, "")


def stamp() -> str:
    """The time now, as `2026-01-31T12:00:00.123456789Z`."""
    global _second
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    if _second[0] != seconds:
        _second = (seconds, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)))
    return f"{_second[1]}.{nanoseconds:09d}Z"


def event(name: str, ends: dict | None = None, /, **fields) -> None:
    """Writes one event. `ends` is what `ends()` gave for the socket that it is about."""
    line = f'{{"ts":"{stamp()}","node":{_node},"event":"{name}"'
    if ends:
        line += "," + _encode(ends)[1:-1]
    if fields:
        line += "," + _encode(fields)[1:-1]
    # A lone surrogate can't be UTF-8; its backslash escape is just what JSON writes for it.
    _write((line + "}\n").encode("utf-8", "backslashreplace"))


def _write(line: bytes) -> None:
    # One write(2) a line where the pipe has room, so that lines of other processes never mix with it.
    while line:
        line = line[os.write(1, line) :]


def ends(sock, peer=None) -> dict:
    """Both ends of a socket as event fields; `peer` for a datagram's other end, as recvfrom(2) gave it."""
    found = {"proto": "tcp" if sock.type == 1 else "udp", "local": list(sock.getsockname()[:2])}
    try:
        found["peer"] = list((peer or sock.getpeername())[:2])
    except OSError:
        pass  # not connected: a listening or an unbound socket has one end only
    return found


def payload(data: bytes, limit: int = PREVIEW) -> dict:
    """A payload as event fields: `bytes`, and `text` or, where it isn't UTF-8, `data` in base64.

    Over `limit` bytes only the beginning is repeated, and `cut` counts what is left out.
    """
    fields: dict = {"bytes": len(data)}
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


def error(code: int | str, reason: str, ends: dict | None = None, /, **fields) -> None:
    """Writes an `error` event: the errno's name, and a sentence for a person."""
    name = code if isinstance(code, str) else errno.errorcode.get(code, str(code))
    event("error", ends, error=name, reason=reason, **fields)
