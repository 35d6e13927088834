"""What the wire between nodes showed, to be asserted: patterns and counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labctl.cancel import sleep

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.api.results.drawn import Ladder
    from labctl.packets.ladder.ladder import Arrow
    from labctl.packets.pattern import Found, Pattern

_AGAIN = 0.1  # seconds from one look to the next
SHOWN = 160  # characters of a pattern's line that can't be read


@dataclass(frozen=True)
class Fits:
    """How a pattern fits: `rows` has for each packet the number of its line (from 1; None: of `*`), `values` what the
    pattern's variables stand for."""

    rows: tuple[tuple[str, int | None], ...]
    values: dict[str, int | str | bytes] = field(default_factory=dict)


class Wire:
    """The packets between some nodes; `lab.wire("alice", "bob")` gives it.

    It holds none: each property asks the recorders what there is now. What kernels send by themselves, as ARP, counts
    in patterns only that name it.
    """

    def __init__(self, place: Place, names: tuple[str, ...], begin_ns: int | None, port: int | None) -> None:
        self._place, self.nodes, self._begin_ns, self._port = place, names, begin_ns, port

    def __repr__(self) -> str:
        return f"<labctl.Wire {', '.join(self.nodes)}>"

    @property
    def ladders(self) -> tuple[Ladder, ...]:
        """One for each two of the nodes that sent each other anything, in order of their beginning.

        Raises NotRecorded (`no-recording`), NodeNotFound, NotRunning, ProbeError.
        """
        from labctl.api.results.drawn import Ladder
        from labctl.lab.recording import wire
        from labctl.packets.ladder.ladder import Options

        engine, lab = self._place.engine, self._place.find()
        nodes = wire.nodes_of(lab, self.nodes)
        found = wire.between(engine, lab, nodes, self._begin_ns, Options(self._port, True, 0))
        return tuple(map(Ladder, found))

    @property
    def packets(self) -> tuple[Arrow, ...]:
        """All of them, in order of time, as ladders have them."""
        return tuple(sorted((one for ladder in self.ladders for one in ladder.arrows), key=lambda one: one.at_ns))

    def pattern(self, *, acks: bool = True) -> str:
        """What there is as a pattern, to be edited and asserted; `acks`: with pure acknowledgements."""
        from labctl.packets.pattern import seen_of, write

        seen = [one for one in seen_of(ladder.drawn for ladder in self.ladders) if acks or not one.is_pure_ack]
        return write(seen, ignores_acks=not acks)

    def expect(self, pattern: str, *, timeout: float = 2.0) -> Fits:
        """What there is must fit a pattern (docs/patterns.md), within so many seconds: what was just sent is still on
        its way to the recorders.

        Raises PatternDiffers, an AssertionError that shows where the two part; InvalidArgument (`bad-pattern`), which
        knows the line and the column; Cancelled, and what `ladders` raises.
        """
        from labctl.packets.pattern import seen_of

        __tracebackhide__ = True  # of pytest: the failure is the caller's line
        wanted = read(pattern)
        deadline = time.monotonic() + timeout
        while True:
            found = compared(wanted, lambda: seen_of(ladder.drawn for ladder in self.ladders))
            if found.fits:
                return fits_of(found)
            if time.monotonic() >= deadline:
                raise differs(wanted, found, self.nodes)
            sleep(min(_AGAIN, max(0.0, deadline - time.monotonic())), self._place.engine.cancels)

    @property
    def handshakes(self) -> int:
        """How many TCP connections were set up: the third segment of the handshake was sent (RFC 9293, 3.5)."""
        return len({one.flow for one in self.packets if one.segment and one.segment.kind == "handshake-ack"})

    @property
    def retransmissions(self) -> int:
        """How many TCP segments were sent again, whatever for."""
        return self._outcomes["retransmission"]

    @property
    def lost(self) -> int:
        """How many packets were sent and never arrived."""
        return self._outcomes["lost"]

    @property
    def duplicates(self) -> int:
        """How many packets arrived once more though they were sent once."""
        return self._outcomes["duplicate"]

    @property
    def reordered(self) -> int:
        """How many packets arrived after some that were sent later, or were sent in another order than their bytes."""
        return self._outcomes["reordered"]

    @property
    def corrupted(self) -> int:
        """How many packets arrived with other bytes than they were sent with."""
        return self._outcomes["corrupted"]

    @property
    def resets(self) -> int:
        """How many TCP segments with RST there were."""
        return sum(1 for one in self.packets if one.segment and one.segment.kind == "reset")

    @property
    def datagrams(self) -> int:
        """How many UDP datagrams were sent; what came in fragments counts once."""
        from labctl.packets.protocols import table

        return sum(
            1
            for one in self.packets
            if one.crossing.packet.protocol in table().datagrams
            and not one.copy
            and not one.crossing.packet.fragment_offset
        )

    @property
    def _outcomes(self) -> Counter[str]:
        from labctl.packets.pattern.outcomes import outcomes

        return Counter(word for one in self.packets for word in outcomes(one))


def read(text: str, name: str = "the pattern") -> Pattern:
    """Raises InvalidArgument (`bad-pattern`)."""
    from labctl.errors import LabError
    from labctl.packets.pattern import BadPattern, parse

    try:
        return parse(text)
    except BadPattern as problem:
        line = text.splitlines()[problem.row - 1] if text.strip() else ""
        cut = max(0, problem.column - 1 - SHOWN // 2)  # of a long line, what is around the place
        part = f"{'...' if cut else ''}{line[cut : cut + SHOWN]}{'...' if len(line) > cut + SHOWN else ''}"
        shown = f"\n    {part}\n    {' ' * (problem.column - 1 - cut + (3 if cut else 0))}^" if line else ""
        raise LabError(
            "bad-pattern", file=name, row=problem.row, column=problem.column, why=problem.why + shown
        ) from None


def compared(pattern: Pattern, see: Callable[[], Any]) -> Found:
    """Raises PatternDiffers (`pattern-undecided`)."""
    from labctl.errors import LabError
    from labctl.packets.pattern import Undecided, match

    try:
        return match(pattern, see())
    except Undecided as problem:
        raise LabError("pattern-undecided", why=str(problem)) from None


def fits_of(found: Found) -> Fits:
    """What a match came to, in texts."""
    from labctl.packets.pattern.write import line_of

    rows = tuple((line_of(pair.packet), pair.line.row if pair.line else None) for pair in found.pairs)
    return Fits(rows, dict(found.values))


def differs(pattern: Pattern, found: Found, nodes: tuple[str, ...]) -> Exception:
    """The error that says where they part."""
    from labctl.errors import LabError
    from labctl.packets.pattern import explained

    why, _, lines = explained(pattern, found).partition("\n")
    names = " and ".join(nodes) if len(nodes) < 3 else f"{', '.join(nodes[:-1])} and {nodes[-1]}"
    return LabError("pattern-differs", nodes=names, why=why, lines=lines)
