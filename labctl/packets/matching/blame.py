"""Which sent packet a fault's verdict speaks of."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from labctl.packets.crossings import Rules, Side, Verdict
from labctl.packets.model import Packet

_Ends = tuple[str, str, int | None, str, int | None]
_Numbers = tuple[int | None, int | None, int | None]
_Known = tuple[bool, bool, bool]
_Misfit = Callable[[int, Verdict], int]
FAR = 10_000_000_000  # ns: a verdict this far from a packet's sending isn't about that packet
_AT_ONCE = 1_000_000  # ns: two verdicts on one packet mostly come within that
_RATHER = 10_000_000  # ns: a duplicated packet that didn't arrive at all is looked for after one that has a copy
_STEPS = 64  # packets that are looked at for one verdict


@dataclass
class Outcomes:
    """What became of sent packets, by their `id()`, as far as that is certain without any verdict.

    `first_ns`: when it arrived as it was sent; `copies`: how often more; `overtaken`: something that was sent later
    was there before it. `doubtful`: others look just like it.
    """

    first_ns: dict[int, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    overtaken: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)


def blamed(
    sides: Sequence[Side], verdicts: Iterable[Verdict], outcomes: Outcomes | None = None, rules: Rules | None = None
) -> tuple[dict[int, list[Verdict]], list[Verdict]]:
    """The verdicts of each packet, by the packet's `id()`; and those that no sent packet was found for.

    Of packets that look alike to a fault, the one is meant to which that happened, and which was sent nearest in time.
    One rule does one thing once to a packet, but for a delay: it holds one for a time, and again for another to
    overtake it, in vain.
    """
    verdicts = list(verdicts)
    finder = _Finder(sides if verdicts else ())
    attribution = _Attribution(outcomes or Outcomes(), (rules or Rules()).flight)
    groups: dict[tuple[object, ...], list[tuple[int, Verdict]]] = {}
    for number, verdict in enumerate(verdicts):
        # A packet is dropped but once, whichever rule does it.
        rule = "" if verdict.kind.arrives == "never" else verdict.rule
        groups.setdefault((*finder.key(verdict), verdict.action, rule), []).append((number, verdict))
    found: dict[int, list[tuple[int, Verdict]]] = {}
    rest: list[tuple[int, Verdict]] = []
    # First what a packet does not arrive after, or not as it was.
    for group in sorted(groups.values(), key=lambda group: group[0][1].kind.arrives == "whole"):
        group.sort(key=lambda item: item[1].ts_ns)
        told = [verdict for _, verdict in group]
        for item, packet in zip(group, attribution.of(told, finder.fitting(told[0])), strict=True):
            if packet is None:
                rest.append(item)
            else:
                for piece in (packet, *finder.further.get(id(packet), ())):
                    found.setdefault(id(piece), []).append(item)
    in_turn = {key: [verdict for _, verdict in sorted(mine, key=_number)] for key, mine in found.items()}
    return in_turn, [verdict for _, verdict in sorted(rest, key=_number)]


def _number(item: tuple[int, Verdict]) -> int:
    return item[0]


class _Finder:
    """The sent packets, by what a verdict may know of them.

    A fault sees a datagram before the kernel cuts it up: what it did to that it did to all fragments. The first one
    stands for all here, and `further` are the others, by its `id()`.
    """

    def __init__(self, sides: Sequence[Side]) -> None:
        self.further: dict[int, list[Packet]] = {}
        self._sent: dict[_Ends, list[Packet]] = {}
        self._by: dict[tuple[_Ends, _Known], dict[_Numbers, list[Packet]]] = {}
        firsts: dict[int, Packet] = {}
        for side in sides:
            for packet in side.sent:
                whole = packet.record.piece_of
                if whole is not None and (first := firsts.setdefault(id(whole), packet)) is not packet:
                    self.further.setdefault(id(first), []).append(packet)
                    continue
                self._sent.setdefault((packet.protocol, *packet.source, *packet.target), []).append(packet)
                if packet.fragment_offset and packet.sport is not None:  # a fault sees no ports in a later fragment
                    ends = (packet.protocol, packet.src, None, packet.dst, None)
                    self._sent.setdefault(ends, []).append(packet)

    @staticmethod
    def key(verdict: Verdict) -> tuple[_Ends, _Numbers]:
        ends = (verdict.proto, verdict.src, verdict.sport, verdict.dst, verdict.dport)
        return ends, (verdict.seq, verdict.length, verdict.ip_id)

    def fitting(self, verdict: Verdict) -> list[Packet]:
        """In order of time those that a verdict may speak of."""
        ends, numbers = self.key(verdict)
        known = (verdict.seq is not None, verdict.length is not None, verdict.ip_id is not None)
        if (ends, known) not in self._by:
            self._by[ends, known] = self._indexed(self._sent.get(ends, []), known)
        return self._by[ends, known].get(numbers, [])

    @staticmethod
    def _indexed(packets: list[Packet], known: _Known) -> dict[_Numbers, list[Packet]]:
        out: dict[_Numbers, list[Packet]] = {}
        for packet in sorted(packets, key=lambda packet: packet.ts_ns):
            seq = packet.tcp.seq if packet.tcp else None
            whole = packet.record.piece_of
            values = (seq, len(whole.data) if whole else packet.total_length, packet.ip_id)
            key = tuple(value if use else None for value, use in zip(values, known, strict=True))
            out.setdefault(key, []).append(packet)  # type: ignore[arg-type]
        return out


class _Attribution:
    """Gives verdicts to packets, and keeps in mind what each has been given."""

    def __init__(self, outcomes: Outcomes, flight: int) -> None:
        self._outcomes, self._flight = outcomes, flight
        self._done: set[tuple[int, str, str]] = set()
        self._gone: dict[int, list[int]] = {}  # when packets were given a verdict after which they don't arrive whole
        self._copied: dict[int, int] = {}  # how often packets were duplicated

    def of(self, verdicts: Sequence[Verdict], packets: Sequence[Packet]) -> list[Packet | None]:
        """The packet of each verdict; all of them of one action, and in order of time as the packets are."""
        action, kind = verdicts[0].action, verdicts[0].kind
        rule = "" if kind.arrives == "never" else verdicts[0].rule
        if kind.arrives in ("never", "replaced"):
            packets = [packet for packet in packets if id(packet) not in self._outcomes.first_ns]
        taken = [(id(packet), rule, action) in self._done for packet in packets]
        times = [packet.ts_ns for packet in packets]
        places = assigned(verdicts, times, taken, lambda place, verdict: self._misfit(packets[place], verdict))
        found = [None if place is None else packets[place] for place in places]
        for verdict, packet in zip(verdicts, found, strict=True):
            if packet is not None:
                self._done.add((id(packet), rule, action))
                if kind.arrives != "whole":
                    self._gone.setdefault(id(packet), []).append(verdict.ts_ns)
                elif kind.seen_as == "duplicated":
                    self._copied[id(packet)] = self._copied.get(id(packet), 0) + 1
        return found

    def _misfit(self, packet: Packet, verdict: Verdict) -> int:
        """How badly what became of a packet fits a verdict, as the time (ns) that another may be farther off for it."""
        key, kind = id(packet), verdict.kind
        first = self._outcomes.first_ns.get(key)
        if key in self._outcomes.doubtful:
            if kind.arrives in ("never", "replaced"):
                return self._flight
            return self._after_gone(key, verdict) if key in self._gone else 0
        if kind.arrives != "whole":
            return 0 if first is None else 2 * self._flight
        if kind.seen_as == "duplicated":
            if first is not None:
                return 0 if self._outcomes.copies.get(key, 0) > self._copied.get(key, 0) else 2 * self._flight
            return self._after_gone(key, verdict)
        if first is None:
            return 0
        # What arrived before the verdict, or sooner than it says, had not been held back by it.
        held = first >= verdict.ts_ns and first - packet.ts_ns >= verdict.held_ns // 2
        return 0 if held and (kind.seen_as != "reordered" or key in self._outcomes.overtaken) else self._flight

    def _after_gone(self, key: int, verdict: Verdict) -> int:
        """Of a packet that is not to arrive: one that is comes first, where it is near."""
        at_once = any(abs(at - verdict.ts_ns) <= _AT_ONCE for at in self._gone.get(key, ()))
        return _RATHER if at_once else self._flight


def assigned(
    verdicts: Sequence[Verdict],
    times: Sequence[int],
    taken: Sequence[bool],
    misfit: _Misfit = lambda place, verdict: 0,
    far: int = FAR,
) -> list[int | None]:
    """The place of each verdict's packet among packets that were sent at some times, none farther off than `far`.

    Near linear. Verdicts are of one kind, and all are in order of time. `taken` are the packets that such a verdict
    was given to before, `misfit` says how much farther off (ns) another may be for it to be meant rather than this. A
    verdict goes to the nearest packet, but the packets that verdicts were found for have them in the order of their
    sending: a fault decides on one after the other, and may lag behind by several.
    """
    line = _Line(times, taken, far)
    places: list[int | None] = []
    for verdict in verdicts:
        place = line.nearest(verdict, misfit)
        if place is not None:
            line.take(place)
        places.append(place)
    chosen = [(verdict, place) for verdict, place in zip(verdicts, places, strict=True) if place is not None]
    turned = list(zip((verdict for verdict, _ in chosen), sorted(place for _, place in chosen), strict=True))

    def cost(pairs: Iterable[tuple[Verdict, int]]) -> int:
        return sum(abs(verdict.ts_ns - times[place]) + misfit(place, verdict) for verdict, place in pairs)

    if cost(turned) <= cost(chosen):
        in_turn = iter([place for _, place in turned])
        places = [None if place is None else next(in_turn) for place in places]
    # What is left over of delays is about packets that were delayed before.
    return [
        line.again(verdict) if place is None and verdict.kind.seen_as == "delayed" else place
        for verdict, place in zip(verdicts, places, strict=True)
    ]


class _Line:
    """Packets in order of time, of which those that are taken are stepped over without looking at each."""

    def __init__(self, times: Sequence[int], taken: Sequence[bool], far: int) -> None:
        self._times, self._far = times, far
        # The next free place from each on, in both directions; the ends are never taken. Places count from 1 here.
        self._above, self._below = list(range(len(times) + 2)), list(range(len(times) + 2))
        for place, one in enumerate(taken):
            if one:
                self.take(place)

    def take(self, place: int) -> None:
        self._above[place + 1], self._below[place + 1] = place + 2, place

    @staticmethod
    def _free(towards: list[int], place: int) -> int:
        while towards[place] != place:
            towards[place] = towards[towards[place]]
            place = towards[place]
        return place

    def nearest(self, verdict: Verdict, misfit: _Misfit) -> int | None:
        """The free place that is nearest in time and fits; None where none is near enough."""
        middle = bisect_left(self._times, verdict.ts_ns)
        low, high = self._free(self._below, middle), self._free(self._above, middle + 1)
        best: int | None = None
        least = 0
        for _ in range(_STEPS):
            before = verdict.ts_ns - self._times[low - 1] if low > 0 else self._far + 1
            after = self._times[high - 1] - verdict.ts_ns if high <= len(self._times) else self._far + 1
            off = min(before, after)
            if off > self._far or (best is not None and off >= least):
                break
            place = low if before <= after else high
            cost = off + misfit(place - 1, verdict)
            if best is None or cost < least:
                best, least = place, cost
            if before <= after:
                low = self._free(self._below, low - 1)
            else:
                high = self._free(self._above, high + 1)
        return None if best is None else best - 1

    def again(self, verdict: Verdict) -> int | None:
        """The nearest place, taken or not."""
        middle = bisect_left(self._times, verdict.ts_ns)
        around = [one for one in (middle - 1, middle) if 0 <= one < len(self._times)]
        near = [one for one in around if abs(self._times[one] - verdict.ts_ns) <= self._far]
        return min(near, key=lambda one: abs(self._times[one] - verdict.ts_ns), default=None)
