"""Numbered trains of datagrams: what a link loses, doubles and reorders can be counted at its other end.

Each datagram of a train begins with the line `labctl-train ID SEQ COUNT` in ASCII, SEQ from 0 to COUNT - 1; what
follows is filler. Nothing here touches a socket or a clock; station.py does.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from labnode.types import Fields

MOST = 1_000_000  # datagrams in one train
LARGEST = 65_507  # bytes that one UDP datagram over IPv4 can carry: 65,535 less its headers (RFC 768, RFC 791)
LEAST_RATE, MOST_RATE = 0.001, 1_000_000  # datagrams a second

_NAME = b"labctl-train "
_LONGEST = len(_NAME) + 16 + 2 * (1 + 7)  # bytes of a header: an ID has 16 characters at most, a number 7


def header(ident: str, seq: int, count: int) -> bytes:
    return _NAME + b"%b %d %d\n" % (ident.encode(), seq, count)


def parse(data: bytes) -> tuple[str, int, int] | None:
    """(ID, SEQ, COUNT) of a train's datagram; None for any other."""
    end = data.find(b"\n", 0, _LONGEST + 1) if data.startswith(_NAME) else -1
    if end < 0:
        return None
    ident, *numbers = data[len(_NAME) : end].split(b" ")
    # By hand: a regular expression takes a node as long to compile as all else of this file. Bytes know ASCII only.
    if len(numbers) != 2 or not ident.isalnum() or len(ident) > 16 or not all(map(_is_number, numbers)):
        return None
    seq, count = map(int, numbers)
    return (ident.decode(), seq, count) if seq < count <= MOST else None


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 7 and (text == b"0" or text[:1] != b"0")


class Departing:
    """A train that is being sent: datagram number n is due n / rate seconds after the first one."""

    def __init__(self, ident: str, text: str, options: Fields) -> None:
        """Checks an envelope's options; ValueError says which is wrong."""
        unknown = ", ".join(sorted(set(options) - {"count", "size", "rate"}))
        if unknown:
            raise ValueError(f"this node knows no option {unknown[:80]}; it knows count, size and rate")
        if "count" not in options:
            raise ValueError("size and rate are options of a train, and its count is missing")
        self.count = int(_number(options, "count", 1, MOST))
        self.size = int(_number(options, "size", 0, LARGEST, default=0))
        self.rate = _number(options, "rate", 0, MOST_RATE, default=100, kinds=(int, float))
        if 0 < self.rate < LEAST_RATE:
            raise ValueError(
                f"rate is {self.rate}, and must be 0 (as fast as can be) or at least {LEAST_RATE} a second"
            )
        self.ident = ident
        longest = len(header(ident, self.count - 1, self.count))
        if 0 < self.size < longest:
            raise ValueError(
                f"size is {self.size}, and the header alone takes {longest} bytes; 0 is as short as can be"
            )
        filler = text.encode()[: self.size] or b"."
        self._filler = filler * (self.size // len(filler) + 1)
        self.sent = self.bytes = 0

    def next(self) -> bytes:
        """The next datagram."""
        head = header(self.ident, self.sent, self.count)
        return head + self._filler[: max(0, self.size - len(head))]

    def due(self, seconds: float) -> int:
        """How many should have been sent, `seconds` after the first."""
        return min(self.count, int(seconds * self.rate) + 1) if self.rate else self.count

    @property
    def wait(self) -> float:
        """When the next one is due, in seconds after the first."""
        return self.sent / self.rate if self.rate else 0.0


def _number(
    options: Fields,
    name: str,
    least: int,
    most: int,
    default: int | None = None,
    kinds: tuple[type, ...] = (int,),
) -> float:
    value: Any = options.get(name, default)
    if type(value) not in kinds or not least <= value <= most:  # not isinstance: True is an int too
        whole = "a whole number" if kinds == (int,) else "a number"
        raise ValueError(f"{name} is {repr(value)[:40]}, and must be {whole} from {least:,} to {most:,}")
    number: float = value
    return number


class Arriving:
    """A train as it is received.

    lost        numbers that had not been seen when the train ended. A datagram that comes later stays lost, as in any
                measurement that doesn't wait for ever (RFC 7680: the threshold Tmax).
    overflowed  so many of the lost were dropped at the socket, whose receive queue was full: they had come all the way.
                The kernel counts them by the socket, so a train that another one shares it with may be told the
                other's; never more than it has lost.
    duplicated  datagrams whose number had been seen before: each arrival but the first (RFC 5560).
    reordered   datagrams whose number is lower than one seen before (RFC 4737, section 3: the singleton s < NextExp).
                One that was overtaken counts once, however many overtook it; duplicates don't count.
    """

    def __init__(self, ident: str, count: int, now: float) -> None:
        self.ident, self.count = ident, count
        self.first = self.last = now  # when its first and its latest datagram came
        self.received = self.unique = self.duplicated = self.reordered = 0
        self._seen = bytearray((count + 7) // 8)  # a bit for each number
        self._next = 0  # RFC 4737's NextExp: one more than the highest number so far

    def add(self, seq: int, now: float) -> None:
        self.received += 1
        self.last = now
        place, bit = seq >> 3, 1 << (seq & 7)
        if self._seen[place] & bit:
            self.duplicated += 1
            return
        self._seen[place] |= bit
        self.unique += 1
        if seq < self._next:
            self.reordered += 1
        else:
            self._next = seq + 1

    @property
    def complete(self) -> bool:
        return self.unique == self.count

    def result(self, overflowed: int | None = None) -> Fields:
        """What came of it, as event fields; `overflowed` is what the socket's queue had no room for (None: unknown)."""
        lost = self.count - self.unique
        told = {} if overflowed is None else {"overflowed": min(overflowed, lost)}
        return {
            "train": self.ident,
            "count": self.count,
            "received": self.received,
            "unique": self.unique,
            "lost": lost,
            **told,
            "duplicated": self.duplicated,
            "reordered": self.reordered,
            "seconds": round(self.last - self.first, 6),
        }
