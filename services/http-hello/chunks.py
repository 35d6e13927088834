"""The lines of a chunked body (RFC 9112, section 7.1), followed beside h11, which lets a bare CR pass in an extension.

Whoever in front of us takes such a CR for the end of a line sees other chunks than we do, and so another next request:
it is to be refused (section 2.2).
"""

import re

LINE_LIMIT = 4096  # bytes of a chunk's size and extensions
# What int() takes beside digits (a sign, `0x`, `_`) is no size, and a negative one would lead back.
SIZE = re.compile(rb"([0-9A-Fa-f]{1,20})[ \t]*(?:;.*)?", re.DOTALL)


class Chunks:
    """Follows one body from its first byte on; ValueError says what is wrong with it."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._left = 0  # bytes of a chunk's data, and the CR LF behind it
        self._ended = False  # what follows the last chunk is checked as header fields are

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self._ended:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            end = data.find(b"\n", at)
            self._line += data[at : end + 1 or len(data)]
            if len(self._line) > LINE_LIMIT:
                raise ValueError(f"the line before a chunk is over {LINE_LIMIT} bytes")
            if end < 0:
                return
            at = end + 1
            self._begin(bytes(self._line))
            self._line.clear()

    def _begin(self, line: bytes) -> None:
        if line[-2:] != b"\r\n" or any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in line[:-2]):
            raise ValueError("the line before a chunk holds a bare CR, a bare LF or another control character")
        found = SIZE.fullmatch(line[:-2])
        if not found:
            raise ValueError("the line before a chunk has no size")
        size = int(found[1], 16)
        self._ended = not size
        self._left = size + 2
