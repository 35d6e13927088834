"""A ladder as text: two lifelines, one arrow a line, and under it what there is to remark of it."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.packets.ladder.ladder import Arrow, Ladder, Lifeline, Moment
from labctl.packets.protocols import words
from labctl.packets.tcp.segment import milliseconds
from labctl.render.phrases.saying import Say, as_it_is
from labctl.render.text import (
    DIM,
    RED,
    colour_of,
    fitted,
    left_to_right,
    padded,
    paint,
    printable,
    quoted,
    width,
    wrapped,
)

COLUMNS = 100
_LATENCY = 8  # columns: `12.3 ms`
_SIGNS = {"call": "●", "state": "■"}
_MOST = 3  # lines of a system call
_CLOCK = 12  # columns of a growing ladder's clock: microseconds for a day, and less of them after that
_LEAST = 60  # columns that a ladder needs
# What went wrong with a packet, as against what is merely to be said of it.
TROUBLE = frozenset(
    {"lost", "duplicate", "delayed", "out of order", "corrupted", "malformed", "not captured", "limited", "reset"}
)
TROUBLE |= {"retransmission", "fast retransmission", "gap", "from elsewhere", "zero window", "no answer"}
TROUBLE |= {"connection refused", "spurious retransmission"}


def draw(ladder: Ladder, *, columns: int = COLUMNS, colour: bool = False, say: Say = as_it_is) -> str:
    """The ladder in lines of at most so many columns, 60 at least. `say` has its own words in another language; what
    stands on an arrow are the packet's."""
    return "\n".join(map(left_to_right, _Page(ladder, max(columns, _LEAST), colour, say=say).lines()))


class Roll:
    """A ladder that grows: its lines as they come. Seconds count from its first arrow."""

    def __init__(self, *, columns: int = COLUMNS, colour: bool = False) -> None:
        self._columns, self._colour = max(columns, _LEAST), colour
        self._begin_ns: int | None = None
        self._last = ("", "")
        self._told: set[str] = set()

    def lines(self, ladder: Ladder, fresh: Sequence[Arrow]) -> list[str]:
        """What `fresh`, the newest arrows of the ladder, add to it."""
        if not fresh:
            return []
        out: list[str] = []
        is_first = self._begin_ns is None
        if self._begin_ns is None:
            self._begin_ns = fresh[0].at_ns
        page = _Page(ladder, self._columns, self._colour, self._begin_ns, _CLOCK)
        page.told = self._told
        out += page.head() if is_first else []
        more, self._last = page.rows(fresh, self._last)
        return list(map(left_to_right, out + more))


class _Page:
    """The columns of one ladder: the clock, a lifeline, the arrows, a lifeline, the time that each arrow took."""

    def __init__(
        self,
        ladder: Ladder,
        columns: int,
        colour: bool,
        begin_ns: int | None = None,
        clock: int | None = None,
        say: Say = as_it_is,
    ) -> None:
        self._ladder, self._colour, self._columns, self._say = ladder, colour, columns, say
        self.told: set[str] = set()  # what a router makes of a conversation's ends is said once, for each way
        self._begin_ns = ladder.begin_ns if begin_ns is None else begin_ns
        self._clock = clock or len(_seconds(ladder.end_ns - self._begin_ns))
        one_sided = all(arrow.fate == "seen" for arrow in ladder.arrows)
        self._inner = columns - self._clock - 3 - (0 if one_sided else _LATENCY + 1)

    def lines(self) -> list[str]:
        ladder = self._ladder
        out = self.head() + self.rows(ladder.rows, ("", ""))[0]
        if not ladder.arrows:
            out.append(self._between("", padded(f"   {self._say('no packet between the two')}", self._inner)))
        return out + self._foot()

    def rows(self, rows: Sequence[Arrow | Moment], last: tuple[str, str]) -> tuple[list[str], tuple[str, str]]:
        """Their lines; `last` is the conversation and the phase of the arrow before, and is given back."""
        out = []
        for arrow in rows:
            if isinstance(arrow, Moment):
                out += self._moment(arrow)
                continue
            now = (arrow.flow, arrow.label.phase)
            if not arrow.copy and now != last:
                out.append(self._divider(arrow, new_flow=arrow.flow != last[0]))
                last = now
            out += self._arrow(arrow)
        return out, last

    def head(self) -> list[str]:
        ladder = self._ladder
        out = []
        if ladder.arrows or ladder.moments:
            begun = words.moment(self._begin_ns).replace("T", " ").replace("Z", " UTC")
            out.append(fitted(self._say(f"seconds from {begun}"), self._columns))
        left, right = _named(ladder.left), _named(ladder.right)
        half = (self._inner + 2) // 2 - 1
        for index in range(max(len(left), len(right))):
            one = fitted(printable(left[index]), half) if index < len(left) else ""
            other = fitted(printable(right[index]), half) if index < len(right) else ""
            gap = self._inner + 2 - width(one) - width(other)
            line = " " * (self._clock + 1) + self._name(one, ladder.left) + " " * gap + self._name(other, ladder.right)
            out.append(line.rstrip())
        return out

    def _name(self, text: str, line: Lifeline) -> str:
        return paint(text, colour_of(line.name), self._colour and bool(text))

    def _between(self, clock: str, inner: str, latency: str = "") -> str:
        clock = paint(clock.rjust(self._clock), DIM, self._colour and bool(clock))
        return f"{clock} │{inner}│ {latency}".rstrip()

    def _divider(self, arrow: Arrow, *, new_flow: bool) -> str:
        phase = arrow.label.phase if arrow.label.phase and arrow.segment else ""
        said = ", ".join(part for part in (printable(arrow.flow) if new_flow else "", phase) if part)
        text = f"┄┄ {fitted(self._say(said) or printable(arrow.flow), self._inner - 6)} "
        return self._between("", paint(text + "┄" * (self._inner - width(text)), DIM, self._colour))

    def _arrow(self, arrow: Arrow) -> list[str]:
        broken = arrow.fate in ("lost", "unknown", "elsewhere") and not arrow.copy
        room = self._inner - 8
        if broken:
            room = max(self._inner // 2 - 4, min(room - 6, 24))
        label, spilled = _fitting(arrow, room)
        drawn = self._line(arrow, label, broken)
        took = arrow.took(self._ladder.clock_error_ns)
        latency = "" if took is None else milliseconds(took).rjust(_LATENCY - 1)
        trouble = any(mark.word in TROUBLE for mark in arrow.marks)
        code = RED if trouble else colour_of((self._ladder.left if arrow.rightwards else self._ladder.right).name)
        clock = _seconds(arrow.at_ns - self._begin_ns)[: self._clock].removesuffix(".")
        out = [self._between(clock, paint(drawn, code, self._colour), latency)]
        return out + self._remarks(arrow, spilled)

    def _moment(self, moment: Moment) -> list[str]:
        """What a node did, at its own lifeline."""
        sign = _SIGNS[moment.kind]
        line = self._ladder.right if moment.on_right else self._ladder.left
        code = RED if moment.trouble else colour_of(line.name)
        clock = paint(_seconds(moment.at_ns - self._begin_ns).rjust(self._clock), DIM, self._colour)
        lines = wrapped(printable(moment.text), self._inner - 4)
        if len(lines) > _MOST:
            lines[_MOST - 1 :] = [f"{fitted(lines[_MOST - 1], self._inner - 6)} …"]
        out = []
        for number, text in enumerate(lines):
            blank = " " * (self._inner - width(text) - 1)
            inner, mark = paint(text, code, self._colour), "│" if number else sign
            drawn = f"│{blank}{inner} {mark}" if moment.on_right else f"{mark} {inner}{blank}│"
            out.append(f"{' ' * self._clock if number else clock} {drawn}")
        return out

    def _line(self, arrow: Arrow, label: str, broken: bool) -> str:
        """The arrow itself, as wide as the room between the lifelines."""
        wide = self._inner
        if not broken:
            rest = wide - width(label) - 6
            if arrow.rightwards:
                return f"── {label} {'─' * rest}─>"
            return f"<─{'─' * rest} {label} ──"
        reach = max(wide // 2, width(label) + 6)
        blank = " " * (wide - reach)
        tail = "─" * (reach - width(label) - 5)
        if arrow.fate == "elsewhere":  # it begins nowhere
            line = f"o─ {label} {tail}>" if arrow.rightwards else f"<{tail} {label} ─o"
            return blank + line if arrow.rightwards else line + blank
        end = "X" if arrow.fate == "lost" else "?"
        return f"── {label} {tail}{end}{blank}" if arrow.rightwards else f"{blank}{end}{tail} {label} ──"

    def _remarks(self, arrow: Arrow, spilled: list[str]) -> list[str]:
        room = self._inner - 8
        out = [fitted(text, room) for text in ["  ".join(spilled)] if text]
        for mark in arrow.marks:
            if mark.word == "rewritten":
                if str(mark) in self.told:
                    continue
                self.told.add(str(mark))
            sign = "!" if mark.word in TROUBLE else "·"
            first, *more = wrapped(printable(self._say(str(mark))), room - 2)
            out += [f"{sign} {first}", *(f"  {line}" for line in more)]
        return [self._between("", padded(f"      {line}", self._inner)) for line in out]

    def _foot(self) -> list[str]:
        ladder, out = self._ladder, []
        if ladder.cut:
            out.append(f"Cut here: {_count(ladder.cut, 'more arrow')} beyond the limit of {len(ladder.arrows)}.")
        if ladder.hidden:
            out.append(f"Not shown: {_count(ladder.hidden, 'pure acknowledgement')}.")
        out += ladder.notes
        return [line for text in out for line in wrapped(printable(self._say(text)), self._columns)]


def _fitting(arrow: Arrow, room: int) -> tuple[str, list[str]]:
    """As much of the label as there is room for, and the rest."""
    head, *rest = (printable(part) for part in (arrow.label.head, *arrow.label.parts))
    label = fitted(head, room)
    spilled: list[str] = []
    pieces = rest + ([quoted(arrow.label.text)] if arrow.label.text else [])
    for piece in pieces:
        if not spilled and width(label) + 2 + width(piece) <= room:
            label += f"  {piece}"
        elif not spilled and piece.startswith('"') and room - width(label) >= 14:
            # Of the text what fits: all of it is in the capture.
            label += f"  {fitted(piece, room - width(label) - 2)}"
        else:
            spilled.append(piece)
    return label, spilled


def _named(line: Lifeline) -> list[str]:
    return [line.name, *line.addresses[:3]]


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000 // 1000:06d}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
