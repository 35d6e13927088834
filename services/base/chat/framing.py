"""Messages on a stream of bytes: UTF-8, each ended by a newline. Bytes in, messages out, no socket anywhere.

TCP hands over a stream (RFC 9293, section 3.1): a message may come in many pieces, and many messages in one. Every
item holds `offset`, the position of its first byte in the stream, and `size`, all its bytes with the newline; so the
next one always starts at `offset + size`, whatever became of this one.

A carriage return is a character like any other, also before the newline: what was typed is what arrives. Only
`byebye` is understood with one, too, or who comes with telnet(1) or `ncat -C` could not say it.
"""

from collections import namedtuple

LIMIT = 65_536  # bytes of one message, its newline not counted

Message = namedtuple("Message", "offset size text")
Invalid = namedtuple("Invalid", "offset size data")
Invalid.__doc__ = "A message that is not UTF-8: `data` is all of it, without the newline."
TooLong = namedtuple("TooLong", "offset size")
TooLong.__doc__ = "A message over LIMIT, its bytes thrown away as they came; without a newline if the stream ended."
Incomplete = namedtuple("Incomplete", "offset size data")
Incomplete.__doc__ = "The stream ended within a message: these bytes came without a newline."
Item = Message | Invalid | TooLong | Incomplete


def encode(text: str) -> bytes:
    """The bytes of one message. ValueError where it would be no message: too long, or more than one line."""
    data = text.encode()
    if len(data) > LIMIT:
        raise ValueError(f"a message is {LIMIT} bytes at most, and this one has {len(data)}")
    if b"\n" in data:
        raise ValueError("a message is one line")
    return data + b"\n"


def is_byebye(text: str) -> bool:
    return text in ("byebye", "byebye\r")


class Framer:
    """The messages of one direction of one connection. Keeps LIMIT bytes at most, however long a message gets."""

    def __init__(self) -> None:
        self._offset = 0  # of the message that is arriving
        self._length = 0  # bytes of it so far
        self._pending = bytearray()  # those bytes, unless there are too many

    def feed(self, data: bytes) -> list[Item]:
        """What these bytes complete: Message, Invalid and TooLong, in the order of the stream."""
        *ends, rest = data.split(b"\n")
        items = []
        for end in ends:
            self._add(end)
            items.append(self._completed())
        self._add(rest)
        return items

    def close(self) -> list[Item]:
        """The stream has ended: one TooLong or Incomplete for what is left, or nothing."""
        offset, length, data = self._next(0)
        if not length:
            return []
        return [TooLong(offset, length) if length > LIMIT else Incomplete(offset, length, data)]

    def _add(self, data: bytes) -> None:
        self._length += len(data)
        if self._length <= LIMIT:
            self._pending += data
        else:
            self._pending.clear()

    def _completed(self) -> Item:
        offset, length, data = self._next(1)
        if length > LIMIT:
            return TooLong(offset, length + 1)
        try:
            return Message(offset, length + 1, data.decode())
        except UnicodeDecodeError:
            return Invalid(offset, length + 1, data)

    def _next(self, newline: int) -> tuple[int, int, bytes]:
        done = self._offset, self._length, bytes(self._pending)
        self._offset += self._length + newline
        self._length = 0
        self._pending.clear()
        return done
