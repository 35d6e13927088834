"""The keyboard: a node's stdin, one line an input.

A person who is attached types plain lines. labctl sends each line in an envelope that no key of a keyboard makes: a
JSON text sequence (RFC 7464), which is the byte 0x1E, one JSON object and a newline. Its `text` is the line, `id` is
repeated by the `input` event and by all that follows from it, and `to` (`host:port`) may name where it goes.
"""

import json
import os
from collections import namedtuple

from labnode import journal

RECORD_SEPARATOR = 0x1E
LIMIT = 8 * 1024 * 1024  # bytes of one line, envelope and JSON escapes included

Input = namedtuple("Input", "id text to options")
Input.__doc__ = """One line that was typed: its id (None when a person typed it), its text without the newline, the
`host:port` that it is for (None: the node's own peer) and what else the envelope held."""


class Keyboard:
    def __init__(self, fd: int = 0):
        self._fd = fd
        self._pending = bytearray()
        self._skipping = False
        self.closed = False

    def fileno(self) -> int:
        return self._fd

    def read(self) -> list:
        """What can be read now, as whole lines. Call it when the descriptor is readable."""
        data = os.read(self._fd, 1 << 16)
        if not data:
            self.closed = True
            return []
        # Look for the newline in what is new only: a line of megabytes would cost its square otherwise.
        if b"\n" not in data:
            self._pending += data
            self._check_limit()
            return []
        *lines, rest = (bytes(self._pending) + data).split(b"\n")
        self._pending = bytearray(rest)
        if self._skipping:
            del lines[0]  # the end of the line that was too long
            self._skipping = False
        return [typed for line in lines if (typed := self._parse(line)) is not None]

    def _check_limit(self) -> None:
        if len(self._pending) > LIMIT:
            if not self._skipping:
                journal.error("EMSGSIZE", f"a typed line is over {LIMIT} bytes; it is refused whole", call="input")
            self._skipping = True
            self._pending.clear()

    def _parse(self, line: bytes):
        try:
            typed = self._open_envelope(line) if line[:1] == b"\x1e" else Input(None, line.decode(), None, {})
        except UnicodeDecodeError:
            journal.error("EILSEQ", "a typed line is not UTF-8", call="input", **journal.payload(line))
            return None
        except ValueError as problem:
            journal.error("EBADMSG", f"an envelope on the keyboard is broken: {problem}", call="input")
            return None
        known = {"id": typed.id} if typed.id else {}
        to = {"to": typed.to} if typed.to else {}
        journal.event("input", **known, **to, **journal.payload(typed.text.encode()))
        return typed

    @staticmethod
    def _open_envelope(line: bytes):
        fields = json.loads(line[1:].decode())
        if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
            raise ValueError("it holds no text")
        if "\n" in fields["text"]:
            raise ValueError("its text holds a newline, and a line is one input")
        fields["text"].encode()  # a lone surrogate ("\ud800") is no text that could be sent
        ident, text, to = fields.pop("id", None), fields.pop("text"), fields.pop("to", None)
        if not isinstance(ident, str | None) or not isinstance(to, str | None):
            raise ValueError("id and to are strings")
        return Input(ident, text, to, fields)
