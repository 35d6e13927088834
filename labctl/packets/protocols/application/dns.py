"""DNS messages taken apart (RFC 1035, section 4): every record, also those of a kind that isn't known here; and which
packets have one, its fields one by one, and what its label says. No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from labctl.packets.model import Packet
from labctl.packets.protocols.application import dns_values
from labctl.packets.protocols.application.dns_values import CLASSES, TYPES, Malformed, type_name
from labctl.packets.protocols.kind import Application
from labctl.packets.protocols.reader import Field, Layer

__all__ = ["NO_SUCH_NAME", "NUMBERS", "Entry", "Malformed", "Message", "decode", "read", "summary"]

NUMBERS = {name: number for number, name in TYPES.items()}
NO_SUCH_NAME = 3
RCODES = {0: "", 1: "format error", 2: "server failure", 3: "no such name", 4: "not implemented", 5: "refused"}
_MNEMONICS = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_OPERATIONS = ("query", "inverse query", "status", "operation 3", "notify", "update", "stateful")
_BITS = {0x0400: "authoritative", 0x0200: "truncated", 0x0100: "recursion desired", 0x0080: "recursion available"}
_BITS |= {0x0020: "authentic", 0x0010: "checking disabled"}


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


def message_of(packet: Packet) -> tuple[Seen, int] | None:
    """The DNS message in a packet, and where in its payload it begins: over TCP, which needs a length before it (RFC
    7766, section 8), only one that fills a segment is recognised. None: there is none."""
    if packet.protocol == "udp":
        found = read(packet.payload)
        return None if found is None else (found, 0)
    if packet.tcp is None or int.from_bytes(packet.payload[:2], "big") != len(packet.payload) - 2:
        return None
    found = read(packet.payload[2:])
    return None if found is None else (found, 2)


def summary(found: Seen) -> str:
    """`A alice.lab?`, or `A alice.lab = 10.0.0.5` (RFC 1035, section 4)."""
    asked = ", ".join(f"{one.type} {one.name}" for one in found.questions)
    if not found.is_answer:
        return f"{asked or 'nothing'}?"
    kinds = {one.type for one in found.questions}
    answers = [one.value if one.type in kinds else f"{one.type} {one.value}" for one in found.answers]
    if not asked:  # multicast DNS tells without having been asked (RFC 6762, section 6)
        answers = [f"{one.type} {one.name} = {one.value}" for one in found.answers]
        return ", ".join(answers) or found.words or "nothing"
    return f"{asked} = {', '.join(answers) or found.words or found.problem or 'no answer'}"


def _layer(packet: Packet) -> Layer | None:
    found = message_of(packet)
    return None if found is None else _fields(found[0], packet.payload_offset, found[1], len(packet.payload))


def _fields(found: Seen, at: int, start: int, size: int) -> Layer:
    fields = [Field("length", str(size - start), at, start, "bytes")] if start else []
    begin = at + start
    operation = found.flags >> 11 & 15
    said = ["answer" if found.is_answer else "question"]
    said += [_OPERATIONS[operation]] if operation and operation < len(_OPERATIONS) else []
    said += [name for bit, name in _BITS.items() if found.flags & bit]
    fields.append(Field("identifier", f"0x{found.ident:04x}", begin, 2))
    fields.append(Field("flags", f"0x{found.flags:04x}", begin + 2, 2, ", ".join(said)))
    for place, (name, count) in enumerate(
        zip(("questions", "answers", "authorities", "additional"), found.counts, strict=True)
    ):
        fields.append(Field(name, str(count), begin + 4 + 2 * place, 2))
    fields += [Field("question", f"{one.type} {one.name}", begin + one.offset, one.length) for one in found.questions]
    for name, entries in (
        ("answer", found.answers),
        ("authority", found.authority),
        ("additional", found.additional),
    ):
        for one in entries:
            life = "" if one.type == "OPT" else f"kept for {one.ttl} s"
            value = f"{one.type} {one.name} = {one.value}"
            fields.append(Field(name, value, begin + one.offset, one.length, life))
    if found.is_answer and found.words:
        fields.append(Field("error", found.words, begin + 3, 1))
    if found.problem:
        fields.append(Field("unread", found.problem, begin, size - start))
    return Layer("application", "DNS", at, size, tuple(fields))


def _label(packet: Packet) -> tuple[str, str] | None:
    found = message_of(packet)
    return None if found is None else ("DNS", summary(found[0]))


PROTOCOLS = (
    Application(
        name="dns",
        words="DNS",
        over=("udp", "tcp"),
        ports=frozenset({53, 5353, 5355}),
        layer=_layer,
        label=_label,
    ),
)
