"""Reads a pattern.

pattern   = { line NEWLINE }
line      = [ item ] [ "#" comment ]
item      = "*" / "ignore acks" / [ count "x" ] packet / "{" / "}"
count     = N / N "-" N / N "+"
packet    = end ">" end ( tcp / other ) { outcome } [ "within" time ]
end       = node [ ":" number ]                       node = name / "[" address "]"
tcp       = flags [ range ] [ "ack" number ] [ "win" number ] [ "<" options ">" ] [ payload ]
flags     = "-" / 1*( "S" / "." / "P" / "F" / "R" / "U" / "E" / "W" / "e" )
other     = protocol [ "fragment" ] [ words ] [ range ] [ payload ]
range     = number ":" number "(" number ")" / "(" number ")"
payload   = text [ "..." ] / "0x" hexadecimal / "sha256" hexadecimal / variable
outcome   = word [ "by" ( rule / variable ) ]         word: one of labctl.packets.pattern.outcomes
number    = digits / variable                         variable = "$" name
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from labctl.errors import nearest
from labctl.faults import measures
from labctl.packets.pattern.model import (
    Anything,
    End,
    Item,
    Line,
    Number,
    Option,
    Outcome,
    Pattern,
    Payload,
    Repeated,
    Unordered,
    Variable,
)
from labctl.packets.pattern.outcomes import WORDS
from labctl.packets.pattern.words import BadPattern, Word, bytes_of, split
from labctl.packets.protocols import table

LONGEST = 4_000_000  # characters of a pattern
_MOST_UNORDERED = 16  # lines of a block: each more doubles what must be tried
_FLAGS = re.compile(r"-|[SFRP.UEWe]+")
_PROTOCOL = re.compile(r"[a-z?][a-z0-9_.-]*")
_NUMBER = r"\d+|\$[A-Za-z_]\w*"
_RANGE = re.compile(rf"(?:({_NUMBER}):({_NUMBER}))?\(({_NUMBER})\)")
_IS_NUMBER = re.compile(_NUMBER)
_COUNT = re.compile(r"(\d+)(?:(\+)|-(\d+))?")
_END = re.compile(rf"(?:\[([^\]]+)\]|([^:\[\]]+))(?::({_NUMBER}))?")
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_NUMBERED = ("mss", "wscale")
OPTIONS = ("mss", "wscale", "sackOK", "TS", "sack")
_ENDERS = (*WORDS, "within")
_LAST_PORT = 65_535


def parse(text: str) -> Pattern:
    """Raises BadPattern, which knows the line and the column."""
    if len(text) > LONGEST:
        raise BadPattern(1, 1, f"the pattern has {len(text)} characters, and {LONGEST} are the most")
    items: list[Item] = []
    ignores_acks = False
    lines = iter(enumerate(text.splitlines(), 1))
    for row, line in lines:
        words = split(line, row)
        if not words:
            continue
        if [word.text for word in words] == ["ignore", "acks"]:
            if items:
                raise words[0].bad("`ignore acks` is for the whole pattern: it stands before the first packet")
            ignores_acks = True
        else:
            items.append(_item(words, lines))
    if not items:
        raise BadPattern(1, 1, "the pattern is empty: * is one that any packets fit")
    return Pattern(tuple(items), text, ignores_acks)


def _item(words: list[Word], lines: Iterator[tuple[int, str]]) -> Item:
    first = words[0]
    if first.text in ("*", "{", "}"):
        if len(words) > 1:
            raise words[1].bad(f"{first.text} stands alone in its line")
        if first.text == "}":
            raise first.bad("no { came before this }")
        return Anything(first.row) if first.text == "*" else _block(first, lines)
    if len(words) > 1 and words[1].text == "x" and (found := _COUNT.fullmatch(first.text)):
        least = int(found[1])
        most = None if found[2] else int(found[3] or found[1])
        if most is not None and (most < least or not most):
            raise first.bad(f"{first.text} is no count of packets: 3, 1-3 or 2+ are")
        return Repeated(_line(words[2:], words[1]), least, most)
    return Repeated(_line(words, first))


def _block(opening: Word, lines: Iterator[tuple[int, str]]) -> Unordered:
    found: list[Line] = []
    for row, line in lines:
        words = split(line, row)
        if not words:
            continue
        if words[0].text == "}" and len(words) == 1:
            if not found:
                raise words[0].bad("there is nothing between { and }")
            return Unordered(opening.row, tuple(found))
        if words[0].text in ("*", "{") or (len(words) > 1 and words[1].text == "x"):
            raise words[0].bad("between { and } stand packets alone, one in each line")
        if len(found) == _MOST_UNORDERED:
            raise words[0].bad(f"between {{ and }} are {_MOST_UNORDERED} lines at most")
        found.append(_line(words, words[0]))
    raise opening.bad("} is missing: nothing ends what begins here")


def _line(words: list[Word], place: Word) -> Line:
    if len(words) < 3 or words[1].text != ">":
        bad = words[1] if len(words) > 1 else place
        raise bad.bad("a packet is written `alice > bob ...`: from which node to which, and what")
    rest = _Rest(words[3:], words[2])
    line = Line(words[0].row, words[0].column, _end(words[0]), _end(words[2]), "tcp")
    if line.source.node == line.target.node:
        raise words[2].bad(f"{line.target.node} sends itself nothing that the wire shows")
    what = rest.take("what the packet is: flags of TCP such as S. or P., or udp, icmp, arp ...")
    if what.kind == "word" and _FLAGS.fullmatch(what.text):
        line = replace(line, flags=frozenset(what.text) - {"-"}, **_tcp(rest))
    elif what.kind == "word" and _PROTOCOL.fullmatch(what.text):
        line = replace(line, protocol=_protocol(what), **_other(rest, what))
    else:
        raise what.bad(f"{what.text} is neither flags of TCP (S . P F R U E W) nor a protocol (udp, icmp, arp ...)")
    return replace(line, **_outcomes(rest))


def _end(word: Word) -> End:
    found = _END.fullmatch(word.text) if word.kind == "word" else None
    if found is None:
        raise word.bad(f"{word.text} is no node: a name, or one with a port (alice:9000)")
    port = _number(found[3]) if found[3] else None
    if isinstance(port, int) and port > _LAST_PORT:
        raise word.bad(f"{port} is no port: {_LAST_PORT} is the last one")
    return End(found[1] or found[2], port)


def _number(text: str) -> Number:
    return Variable(text[1:]) if text.startswith("$") else int(text)


class _Rest:
    """The words of a line that are left."""

    def __init__(self, words: list[Word], last: Word) -> None:
        self._words, self._last = words, last

    @property
    def next(self) -> Word | None:
        return self._words[0] if self._words else None

    def take(self, wanted: str) -> Word:
        if not self._words:
            raise BadPattern(self._last.row, self._last.column + len(self._last.text), f"missing here: {wanted}")
        self._last = self._words.pop(0)
        return self._last

    def takes(self, fits: Callable[[Word], object]) -> Word | None:
        """The next word, if it fits."""
        return self.take("") if self._words and fits(self._words[0]) else None

    def takes_word(self, text: str) -> bool:
        """Whether the next word is that one, which is taken then."""
        return self.takes(lambda word: word.kind == "word" and word.text == text) is not None


def _range(rest: _Rest) -> dict[str, Any]:
    word = rest.takes(lambda word: word.kind == "word" and _RANGE.fullmatch(word.text))
    if word is None:
        return {}
    found = _RANGE.fullmatch(word.text)
    assert found
    first, last, length = (_number(text) if text else None for text in found.groups())
    if isinstance(first, int) and isinstance(last, int) and isinstance(length, int) and last - first != length:
        raise word.bad(f"{word.text}: from {first} to {last} are {last - first} bytes, not {length}")
    return {"first": first, "last": last, "length": length}


def _tcp(rest: _Rest) -> dict[str, Any]:
    found = _range(rest)
    for name, field in (("ack", "ack"), ("win", "window")):
        if rest.takes_word(name):
            number = rest.take(f"a number behind {name}")
            if not _IS_NUMBER.fullmatch(number.text):
                raise number.bad(f"{number.text} is no number")
            found[field] = _number(number.text)
    if options := rest.takes(lambda word: word.kind == "options"):
        found["options"] = _options(options)
    return found | _payload(rest)


def _options(word: Word) -> tuple[Option, ...]:
    out = []
    for text in word.text[1:-1].split(","):
        name, _, value = text.strip().partition(" ")
        if name in ("...", "nop", "eol"):
            continue
        if name not in OPTIONS:
            raise word.bad(f"{name!r} is no option that is looked at: {', '.join(OPTIONS)}, or ... for any")
        if name == "TS":
            value = ""  # its two clocks are nobody's business
        if value and name not in _NUMBERED:
            raise word.bad(f"{name} stands alone, without {value!r}: only whether it is there is looked at")
        if value and not _IS_NUMBER.fullmatch(value):
            raise word.bad(f"{value!r} is no number for {name}")
        out.append(Option(name, _number(value) if value else None))
    return tuple(out)


def _payload(rest: _Rest) -> dict[str, Any]:
    word = rest.next
    if word is None:
        return {}
    if word.kind == "text":
        rest.take("")
        return {"payload": Payload(bytes_of(word), begins=word.text.endswith("..."))}
    if word.text.startswith("0x"):
        rest.take("")
        try:
            return {"payload": Payload(bytes.fromhex(word.text[2:]))}
        except ValueError:
            raise word.bad(f"{word.text} is no hexadecimal: two digits for each byte") from None
    if word.text == "sha256":
        rest.take("")
        digest = rest.take("the first 8 digits or more of a SHA-256")
        if not _DIGEST.fullmatch(digest.text):
            raise digest.bad(f"{digest.text} are no 8 to 64 hexadecimal digits")
        return {"payload": Payload(digest=digest.text)}
    if word.text.startswith("$") and _IS_NUMBER.fullmatch(word.text):
        rest.take("")
        return {"payload": Variable(word.text[1:])}
    return {}


def _protocol(word: Word) -> str:
    if word.text in _ENDERS:
        raise word.bad(f"before {word.text} stands what the packet is: flags such as P., or udp, icmp ...")
    if not table().is_name(word.text):
        raise word.bad(f"there is no protocol {word.text}{nearest(word.text, (*table().names, *_ENDERS))}")
    return word.text


def _other(rest: _Rest, protocol: Word) -> dict[str, Any]:
    fragment = rest.takes_word("fragment")
    message = []
    while word := rest.takes(_is_message):
        message.append(word.text)
    if message and protocol.text in table().with_ports:
        raise protocol.bad(f"{protocol.text} is followed by (LENGTH) and a payload, and not by {' '.join(message)}")
    return {"fragment": fragment, "message": " ".join(message).lower()} | _range(rest) | _payload(rest)


def _is_message(word: Word) -> bool:
    """It goes on saying what an ICMP or ARP packet says."""
    if word.kind != "word" or word.text in (*_ENDERS, "sha256", "by"):
        return False
    return not (_RANGE.fullmatch(word.text) or word.text.startswith(("0x", "$")))


def _rule(word: Word) -> str | Variable:
    if not word.text.startswith("$"):
        return word.text
    if not _IS_NUMBER.fullmatch(word.text):
        raise word.bad(f"{word.text} is no variable: $rule would be one")
    return Variable(word.text[1:])


def _outcomes(rest: _Rest) -> dict[str, Any]:
    out: list[Outcome] = []
    while word := rest.takes(lambda word: word.kind == "word" and word.text in WORDS):
        if word.text in [one.word for one in out]:
            raise word.bad(f"{word.text} stands twice")
        rule: str | Variable | None = None
        if rest.takes_word("by"):
            rule = _rule(rest.take("a rule's name behind by, such as f1"))
        out.append(Outcome(word.text, rule))
    found: dict[str, Any] = {"outcomes": tuple(out)}
    if rest.takes_word("within"):
        time = rest.take("a time behind within, such as 200ms")
        try:
            found["within_ns"] = round(measures.span("within", time.text) * 1e9)
        except measures.Malformed as problem:
            raise time.bad(str(problem)) from None
    if rest.next is not None:
        word = rest.next
        raise word.bad(f"{word.text} is nothing that can stand here{nearest(word.text, _ENDERS)}")
    return found
