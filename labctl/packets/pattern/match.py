"""Compares a pattern with what the wire showed: every packet must fit, in an order in which one may have caused the
other (labctl.packets.pattern.causes)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labctl.packets.pattern.causes import Chain, chains
from labctl.packets.pattern.compare import Values, fits
from labctl.packets.pattern.model import Anything, Line, Pattern, Repeated, Unordered
from labctl.packets.pattern.seen import Seen

MOST_TRIED = 400_000  # ways to read the wire, after which it is said that there are too many


class Undecided(Exception):
    """There are too many ways in which the packets may fit: its text is one sentence."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A packet, and the line that it fits (None: `*`)."""

    packet: Seen
    line: Line | None


@dataclass(frozen=True, slots=True)
class Found:
    """`fits`: the whole wire fits the whole pattern, and `pairs` are all packets; else these are as far as it goes, and
    `open` are the lines of which one should come next (none: the pattern has ended).

    `left` are the packets that are not in pairs, in order of time; `next` those of them that may come next.
    """

    fits: bool
    pairs: tuple[Pair, ...]
    values: Values
    open: tuple[Line, ...] = ()
    left: tuple[Seen, ...] = ()
    next: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class _State:
    """`item` of the pattern is next, of which `done` are matched (of a block: a bit for each line); of each chain so
    many packets are `used`. `last_ns`: of the last packet that a line fits, where a deadline counts from it."""

    item: int
    done: int
    used: tuple[int, ...]
    values: tuple[tuple[str, int | str | bytes], ...] = ()
    last_ns: int = 0


def wanted(pattern: Pattern, packets: Sequence[Seen]) -> list[Seen]:
    """The packets that a pattern is about: what kernels send by themselves only where it has a line of that protocol,
    pure acknowledgements unless it ignores them."""
    named = pattern.protocols
    return [
        one
        for one in packets
        if not (one.upkeep and one.upkeep not in named) and not (pattern.ignores_acks and one.is_pure_ack)
    ]


def match(pattern: Pattern, packets: Sequence[Seen]) -> Found:
    """Raises Undecided."""
    return _Search(pattern, wanted(pattern, packets)).found()


class _Search:
    """Depth first, the likeliest way first; no state twice."""

    def __init__(self, pattern: Pattern, packets: Sequence[Seen]) -> None:
        self._items = pattern.items
        self._packets = packets
        self._chains = chains(packets)
        self._whole = tuple(len(chain.packets) for chain in self._chains)
        self._counts = _counting(pattern.items)
        self._came_from: dict[_State, tuple[_State, Pair | None] | None] = {}

    def found(self) -> Found:
        start = _State(0, 0, (0,) * len(self._chains))
        stack, best = [start], start
        self._came_from[start] = None
        while stack:
            state = stack.pop()
            if self._is_end(state):
                return Found(True, self._pairs(state), dict(state.values))
            if self._progress(state) > self._progress(best) and not self._is_star(state):
                best = state
            fresh = [step for step in self._steps(state) if step[0] not in self._came_from]
            for following, pair in reversed(fresh):
                if following not in self._came_from:
                    self._came_from[following] = (state, pair)
                    stack.append(following)
            if len(self._came_from) > MOST_TRIED:
                raise Undecided(
                    f"{MOST_TRIED} ways to read {len(self._packets)} packets were tried, and more are left: "
                    "write fewer * and { }, or let it look at less (a port, a shorter time)"
                )
        return self._failed(best)

    def _progress(self, state: _State) -> tuple[int, int]:
        """How far in the pattern it is. Of states as far, the first that was reached has left out the least."""
        is_block = state.item < len(self._items) and isinstance(self._items[state.item], Unordered)
        return state.item, state.done.bit_count() if is_block else state.done

    def _is_star(self, state: _State) -> bool:
        return state.item < len(self._items) and isinstance(self._items[state.item], Anything)

    def _is_end(self, state: _State) -> bool:
        if state.item == len(self._items):
            return state.used == self._whole
        return state.item == len(self._items) - 1 and self._is_star(state)

    def _steps(self, state: _State) -> Iterator[tuple[_State, Pair | None]]:
        if state.item == len(self._items):
            return
        item = self._items[state.item]
        if isinstance(item, Anything):
            yield self._moved(state, state.item + 1, 0), None
            for place, one in self._next(state):
                yield self._taken(state, place, one, None), Pair(one, None)
        elif isinstance(item, Repeated):
            yield from self._line_steps(state, item)
        else:
            for place, one in self._next(state):
                for number, line in enumerate(item.lines):
                    if not state.done >> number & 1 and (values := self._fit(line, one, state)) is not None:
                        done = state.done | 1 << number
                        whole = done == (1 << len(item.lines)) - 1
                        at = (state.item + 1, 0) if whole else (state.item, done)
                        yield self._taken(state, place, one, line, at, values), Pair(one, line)

    def _line_steps(self, state: _State, item: Repeated) -> Iterator[tuple[_State, Pair | None]]:
        line = item.line
        for place, one in self._next(state):
            if (values := self._fit(line, one, state)) is not None:
                done = state.done + 1
                over = done if item.most is not None else min(done, item.least)
                at = (state.item + 1, 0) if done == item.most else (state.item, over)
                yield self._taken(state, place, one, line, at, values), Pair(one, line)
        if state.done >= item.least:
            yield self._moved(state, state.item + 1, 0), None

    def _next(self, state: _State) -> list[tuple[int, Seen]]:
        """The packets that may come next, by their chains, in order of time."""
        out = []
        for place, chain in enumerate(self._chains):
            at = state.used[place]
            if at < len(chain.packets) and _is_caused(chain, at, state.used):
                out.append((place, chain.packets[at]))
        return sorted(out, key=lambda one: one[1].at_ns) if len(out) > 1 else out

    def _fit(self, line: Line, one: Seen, state: _State) -> Values | None:
        if line.within_ns is not None and state.last_ns and one.at_ns - state.last_ns > line.within_ns:
            return None
        return fits(line, one, dict(state.values))

    def _moved(self, state: _State, item: int, done: int) -> _State:
        return _State(item, done, state.used, state.values, state.last_ns)

    def _taken(
        self,
        state: _State,
        place: int,
        one: Seen,
        line: Line | None,
        at: tuple[int, int] | None = None,
        values: Values | None = None,
    ) -> _State:
        used = (*state.used[:place], state.used[place] + 1, *state.used[place + 1 :])
        item, done = at or (state.item, state.done)
        held = state.values if values is None or len(values) == len(state.values) else tuple(values.items())
        last = one.at_ns if line is not None else state.last_ns
        return _State(item, done, used, held, last if self._counts[item] else 0)

    def _pairs(self, state: _State) -> tuple[Pair, ...]:
        out: list[Pair] = []
        place: _State | None = state
        while place is not None:
            came = self._came_from[place]
            if came is None:
                break
            place, pair = came
            if pair is not None:
                out.append(pair)
        out.reverse()
        taken = [sum(1 for pair in out if pair.packet.sender == chain.sender) for chain in self._chains]
        rest = [one for chain, count in zip(self._chains, taken, strict=True) for one in chain.packets[count:]]
        if state.item == len(self._items) - 1 and self._is_star(state):
            out += [Pair(one, None) for one in sorted(rest, key=lambda one: one.at_ns)]
        return tuple(out)

    def _failed(self, best: _State) -> Found:
        pairs = self._pairs(best)
        mine = {id(pair.packet) for pair in pairs}
        left = tuple(one for one in self._packets if id(one) not in mine)
        item = self._items[best.item] if best.item < len(self._items) else None
        lines: tuple[Line, ...] = ()
        if isinstance(item, Repeated):
            lines = (item.line,)
        elif isinstance(item, Unordered):
            lines = tuple(line for number, line in enumerate(item.lines) if not best.done >> number & 1)
        behind_star = best.item > 0 and isinstance(self._items[best.item - 1], Anything)
        following = left if behind_star else tuple(one for _, one in self._next(best))
        return Found(False, pairs, dict(best.values), lines, left, following)


def _is_caused(chain: Chain, at: int, used: tuple[int, ...]) -> bool:
    return all(need <= have for need, have in zip(chain.needs[at], used, strict=True))


def _counting(items: Sequence[Anything | Repeated | Unordered]) -> list[bool]:
    """Of each item, and of the end: whether a deadline may count from the packet before it. It is its own, or that of
    one behind `*`, or behind a line that may have ended here."""
    out = [False]
    for item in reversed(items):
        is_timed = any(line.within_ns is not None for line in _lines(item))
        is_over = isinstance(item, Anything) or (isinstance(item, Repeated) and (item.least != 1 or item.most != 1))
        out.append(is_timed or (is_over and out[-1]))
    return out[::-1]


def _lines(item: Anything | Repeated | Unordered) -> tuple[Line, ...]:
    if isinstance(item, Repeated):
        return (item.line,)
    return item.lines if isinstance(item, Unordered) else ()
