"""DNS messages taken apart (RFC 1035, section 4): every record, also those of a kind that isn't known here. No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from labctl.packets.protocols import dns_values
from labctl.packets.protocols.dns_values import CLASSES, TYPES, Malformed, type_name

__all__ = ["NO_SUCH_NAME", "NUMBERS", "Entry", "Malformed", "Message", "decode", "read"]

NUMBERS = {name: number for number, name in TYPES.items()}
NO_SUCH_NAME = 3
RCODES = {0: "", 1: "format error", 2: "server failure", 3: "no such name", 4: "not implemented", 5: "refused"}
_MNEMONICS = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource record; `ttl` in seconds, `value` as zone files have it (RFC 1035, section 5.1; RFC 3597).

    `offset` and `length` say where it is in the message.
    """

    name: str
    type: str
    ttl: int
    value: str
    offset: int = field(default=0, compare=False)
    length: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    type: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Message:
    """`questions` are (name, type); `authority` says, of a name without records, where that was found out."""

    ident: int
    rcode: int
    authoritative: bool
    truncated: bool
    questions: tuple[tuple[str, str], ...]
    answers: tuple[Entry, ...]
    authority: tuple[Entry, ...] = ()

    @property
    def mnemonic(self) -> str:
        return _MNEMONICS.get(self.rcode, f"RCODE{self.rcode}")

    @property
    def words(self) -> str:
        """What went wrong; empty: nothing."""
        return RCODES.get(self.rcode, f"error {self.rcode}")


@dataclass(slots=True)
class Seen:
    """As much of a message as could be read; `counts` are what its header says, and `problem` why that is not all."""

    ident: int
    flags: int
    counts: tuple[int, int, int, int]
    questions: list[Question] = field(default_factory=list)
    answers: list[Entry] = field(default_factory=list)
    authority: list[Entry] = field(default_factory=list)
    additional: list[Entry] = field(default_factory=list)
    problem: str = ""

    @property
    def is_answer(self) -> bool:
        return bool(self.flags & 0x8000)

    @property
    def words(self) -> str:
        """What went wrong, by the answer's own word; empty: nothing."""
        return RCODES.get(self.flags & 0x0F, f"error {self.flags & 0x0F}")


def decode(data: bytes) -> Message:
    """Raises Malformed."""
    seen = _walked(data, 3)
    if seen.problem:
        raise Malformed(seen.problem)
    flags = seen.flags
    asked = tuple((one.name, one.type) for one in seen.questions)
    answers, above = tuple(seen.answers), tuple(seen.authority)
    return Message(seen.ident, flags & 0x0F, bool(flags & 0x0400), bool(flags & 0x0200), asked, answers, above)


def read(data: bytes) -> Seen | None:
    """All that can be read of a message; None: it isn't one, as far as can be told."""
    if len(data) < 12:
        return None
    seen = _walked(data, 4)
    if seen.flags >> 11 & 15 > 6:  # no such operation (RFC 8490)
        return None
    return seen if seen.questions or seen.answers or seen.authority or seen.additional else None


def _walked(data: bytes, sections: int) -> Seen:
    """The questions, then so many sections less one, up to what can't be read."""
    if len(data) < 12:
        return Seen(0, 0, (0, 0, 0, 0), problem=_early(data))
    ident, flags, *numbers = struct.unpack_from("!6H", data)
    counts = (numbers[0], numbers[1], numbers[2], numbers[3])
    seen = Seen(ident, flags, counts)
    at = 12
    try:
        for _ in range(counts[0]):
            start = at
            found, at = dns_values.name(data, at)
            (kind,) = struct.unpack_from("!H2x", data, at)
            at += 4
            seen.questions.append(Question(found, type_name(kind), start, at - start))
        for section, count in zip((seen.answers, seen.authority, seen.additional), counts[1:sections], strict=False):
            for _ in range(count):
                entry = _entry(data, at)
                section.append(entry)
                at += entry.length
    except (struct.error, IndexError):
        seen.problem = _early(data)
    except Malformed as problem:
        seen.problem = str(problem)
    return seen


def _early(data: bytes) -> str:
    return f"the DNS message ends early, after {len(data)} bytes"


def _entry(data: bytes, start: int) -> Entry:
    found, at = dns_values.name(data, start)
    number, group, ttl, length = struct.unpack_from("!HHIH", data, at)
    at += 10
    if at + length > len(data):
        raise Malformed(f"a record says that it has {length} bytes, and {len(data) - at} are there")
    kind = type_name(number)
    said = dns_values.value(data, kind, at, length)
    if kind == "OPT":  # its class and TTL are something else (RFC 6891, section 6.1.3)
        said, ttl = f"{group} bytes of UDP{', DNSSEC wanted' if ttl & 0x8000 else ''}, {said}", 0
    elif group & 0x7FFF not in (1, 255):
        said = f"{CLASSES.get(group, f'class {group}')} {said}"
    # The highest bit of a TTL means nothing (RFC 2181, section 8).
    return Entry(found, kind, ttl if ttl < 1 << 31 else 0, said, start, at + length - start)
