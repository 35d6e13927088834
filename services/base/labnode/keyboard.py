"""The keyboard: a node's stdin, one line an input.

A person who is attached types plain lines. labctl sends each line in an envelope that no key of a keyboard makes: a
JSON text sequence (RFC 7464), which is the byte 0x1E, one JSON object and a newline. Its `text` is the line, `id` is
repeated by the `input` event and by all that follows from it, and `to` (`host:port`) may name where it goes.
"""

from __future__ import annotations

import os
from collections import namedtuple

from labnode import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD_SEPARATOR = 0x1E
ENVELOPE = b"\x1e{"
LIMIT = 2 * 1024 * 1024  # bytes of a line's text; Python takes up to four times that for it, and a node has 64 MiB
LONGEST = 2 * LIMIT  # bytes of one line, envelope and JSON escapes included

Input = namedtuple("Input", "id text to options")
Input.__doc__ = """One line that was typed: its id (None when a person typed it), its text without the newline, the
`host:port` that it is for (None: the node's own peer) and what else the envelope held."""


class Keyboard:
    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._pending = bytearray()
        self._skipping = False
        self.closed = False

    def fileno(self) -> int:
        return self._fd

    def read(self) -> list[Input]:
        """What can be read now, as whole lines. Call it when the descriptor is readable."""
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            data = b""  # EIO: the terminal behind it has gone
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
        typed = [self._parse(line) for line in self._apart(lines)]
        self._check_limit()
        return [one for one in typed if one is not None]

    def _apart(self, lines: list[bytes]) -> Iterator[bytes]:
        """Takes an envelope out of a line that somebody is still typing: the rest of that line is yet to come."""
        begun = b""
        for line in lines:
            line, begun = begun + line, b""
            at = line.find(ENVELOPE, 1)
            if at > 0 and line[0] != RECORD_SEPARATOR:
                line, begun = line[at:], line[:at]
            yield line
        self._pending[:0] = begun

    def _check_limit(self) -> None:
        if len(self._pending) > LONGEST:
            if not self._skipping:
                self._refuse()
            self._skipping = True
            self._pending.clear()

    @staticmethod
    def _refuse(**known: object) -> None:
        journal.error("EMSGSIZE", f"a typed line is over {LIMIT} bytes; it is refused whole", call="input", **known)

    def _parse(self, line: bytes) -> Input | None:
        if len(line) > LONGEST:
            self._refuse()
            return None
        try:
            if line[:1] == b"\x1e":
                import json  # with the first of them: it is a seventh of what a node takes to start

                fields = json.loads(line[1:].decode())
            else:
                fields = {"text": line.removesuffix(b"\r").decode()}  # Windows' consoles end a line with CR LF
        except UnicodeDecodeError:
            journal.error("EILSEQ", "a typed line is not UTF-8", call="input", **journal.payload(line))
            return None
        except (ImportError, OSError) as failed:  # no descriptor is left to open json's files
            journal.error("EMFILE", f"an envelope on the keyboard can't be read now: {failed}", call="input")
            return None
        except (ValueError, RecursionError) as broken:
            journal.error("EBADMSG", f"an envelope on the keyboard is broken: {broken}", call="input")
            return None
        known = {"id": fields["id"]} if isinstance(fields, dict) and _is_text(fields.get("id")) else {}
        problem = self._problem(fields)
        if problem:
            journal.error("EBADMSG", f"an envelope on the keyboard is broken: {problem}", call="input", **known)
            return None
        typed = Input(fields.pop("id", None), fields.pop("text"), fields.pop("to", None), fields)
        data = typed.text.encode()
        if len(data) > LIMIT:
            self._refuse(**known)
            return None
        to = {"to": typed.to} if typed.to else {}
        journal.event("input", **known, **to, **journal.payload(data))
        return typed

    @staticmethod
    def _problem(fields: object) -> str | None:
        if not isinstance(fields, dict) or not _is_text(fields.get("text")):
            return "it holds no text"
        if "\n" in fields["text"]:
            return "its text holds a newline, and a line is one input"
        if not all(_is_text(fields[key]) for key in ("id", "to") if fields.get(key) is not None):
            return "id and to are strings"
        return None


def _is_text(value: object) -> bool:
    """True for a string that UTF-8 can carry: a lone surrogate ("\\ud800") is no text that could be sent."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
