"""Packets of several nodes as they come: in order of time, with what faults did to them, in their conversations."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.packets.crossings import Verdict
from labctl.packets.matching.blame import assigned
from labctl.packets.matching.taps import SENT
from labctl.packets.model import Packet
from labctl.packets.tcp.segment import Segment
from labctl.packets.tcp.tcp import Conversation

CONVERSATIONS, VERDICTS = 4096, 200_000  # how many are kept; verdicts wait for their packets
PASSED = 64  # packets that look alike, and have gone: what is said of these late is no other's
FAR, LAG = 200_000_000, 5_000_000  # ns: how long after its packet a verdict may come, and how long it mostly takes

_Key = tuple[object, ...]
_Kind = tuple[str, str]  # a rule and its action


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet as a tap of one node saw it (see packets/taps.py), and what faults did to it there."""

    packet: Packet
    tap: str
    verdicts: tuple[Verdict, ...] = ()


class InOrder:
    """Puts packets in order of time: each is given out once every node has told all that came before it.

    What faults do is told by others than what packets there are, and may come later than that: what a fault looked at
    is held for `grace_ns` more, and with it what follows.
    """

    def __init__(self, nodes: list[str], grace_ns: int = 0) -> None:
        self._told = dict.fromkeys(nodes, 0)
        self._grace_ns = grace_ns
        self._held: list[tuple[int, int, Packet, str]] = []
        self._numbers = itertools.count()
        self._alike: dict[_Key, _Alike] = {}
        self._quiet: dict[_Key, None] = {}  # of which nothing is held, and nothing waits; the longest first
        self._waiting = 0  # verdicts

    def add(self, packet: Packet, tap: str) -> None:
        heapq.heappush(self._held, (packet.ts_ns, next(self._numbers), packet, tap))
        if tap == SENT:  # only what is seen before a fault looks at it is as the fault found it
            self._those_like(_of_packet(packet)).hold(packet)

    def blame(self, verdict: Verdict) -> None:
        """What a fault did to a packet that may still be held here."""
        if self._waiting > VERDICTS:
            self._alike = {key: alike for key, alike in self._alike.items() if alike.forget()}
            self._waiting = 0
        self._those_like(_of_verdict(verdict)).add(verdict)
        self._waiting += 1

    def told(self, node: str, until_ns: int) -> None:
        """A node has told all that came until then."""
        self._told[node] = max(self._told.get(node, 0), until_ns)

    def ended(self, node: str) -> None:
        """Nothing more comes of a node."""
        self._told.pop(node, None)

    def has_all_until(self, moment_ns: int) -> bool:
        """Every node has told all that came until then, and what faults did to it can be known."""
        waits = any(tap == SENT and at <= moment_ns for at, _, _, tap in self._held)
        known_ns = moment_ns + self._grace_ns if waits else moment_ns
        return all(until >= known_ns for until in self._told.values())

    def take(self, *, everything: bool = False) -> Iterator[Seen]:
        """What may go by now; all that there is, when all nodes have ended or nobody waits for more."""
        until = None if everything else min(self._told.values(), default=None)
        while self._held and (until is None or self._due_ns <= until):
            _, _, packet, tap = heapq.heappop(self._held)
            yield Seen(packet, tap, self._verdicts_of(packet, until) if tap == SENT else ())

    @property
    def _due_ns(self) -> int:
        """When the oldest one that is held may go."""
        at, _, _, tap = self._held[0]
        return at + self._grace_ns if tap == SENT else at

    def _those_like(self, key: _Key) -> _Alike:
        self._quiet.pop(key, None)
        return self._alike.setdefault(key, _Alike())

    def _verdicts_of(self, packet: Packet, until: int | None) -> tuple[Verdict, ...]:
        key = _of_packet(packet)
        alike = self._alike[key]
        waited = len(alike.verdicts)
        found = alike.take(packet, until)
        self._waiting -= waited - len(alike.verdicts)
        if alike.is_quiet:
            self._quiet[key] = None
            if len(self._quiet) > CONVERSATIONS:
                oldest = next(iter(self._quiet))
                del self._quiet[oldest], self._alike[oldest]
        return found


class _Alike:
    """Packets of one node that look alike to a fault, and verdicts on such packets that were not given out yet."""

    def __init__(self) -> None:
        self.verdicts: dict[int, Verdict] = {}  # by their id()
        self._held: dict[int, Packet] = {}  # by their id()
        # When the last ones went that are not held any more, and what was said of them.
        self._passed: deque[tuple[int, set[_Kind]]] = deque(maxlen=PASSED)
        self._found: dict[int, list[Verdict]] = {}  # by the packet's id(); for all that are held, or it is out of date
        self._until: int | None = None  # what was known of when they were looked for
        self._is_known = False

    @property
    def is_quiet(self) -> bool:
        return not (self._held or self.verdicts)

    def hold(self, packet: Packet) -> None:
        self._held[id(packet)] = packet
        self._is_known = False

    def add(self, verdict: Verdict) -> None:
        self.verdicts[id(verdict)] = verdict
        self._is_known = False

    def forget(self) -> bool:
        """Lets go of all verdicts; whether there is anything left."""
        self.verdicts, self._found, self._is_known = {}, {}, False
        return bool(self._held)

    def take(self, packet: Packet, until: int | None) -> tuple[Verdict, ...]:
        """The verdicts on a packet, which goes now."""
        if self.verdicts and not (self._is_known and self._until == until):
            self._look(until)
        mine = self._found.pop(id(packet), [])
        for verdict in mine:
            del self.verdicts[id(verdict)]
        del self._held[id(packet)]
        self._passed.append((packet.ts_ns, {_kind(verdict) for verdict in mine}))
        return tuple(mine)

    def _look(self, until: int | None) -> None:
        """Gives verdicts to the nearest packets, and lets go of those that come too late for theirs.

        All packets until a moment are known of; what was done later, others may be meant by.
        """
        self._found, self._until, self._is_known = {}, until, True
        held = sorted(self._held.values(), key=lambda packet: packet.ts_ns)
        times = [at for at, _ in self._passed] + [packet.ts_ns for packet in held]
        groups: dict[_Kind, list[Verdict]] = {}
        for verdict in self.verdicts.values():
            if until is None or verdict.ts_ns <= max(until, times[-1] + LAG):
                groups.setdefault(_kind(verdict), []).append(verdict)
        for kind, group in groups.items():
            group.sort(key=lambda verdict: verdict.ts_ns)
            taken = [kind in said for _, said in self._passed] + [False] * len(held)
            for verdict, place in zip(group, assigned(group, times, taken, far=FAR), strict=True):
                if place is not None and place >= len(self._passed):
                    self._found.setdefault(id(held[place - len(self._passed)]), []).append(verdict)
                elif place is not None or until is None or verdict.ts_ns <= until - LAG:
                    del self.verdicts[id(verdict)]
        for found in self._found.values():
            found.sort(key=lambda verdict: verdict.ts_ns)


def _kind(verdict: Verdict) -> _Kind:
    """A packet is dropped but once, whichever rule does it."""
    return "" if verdict.action == "drop" else verdict.rule, verdict.action


def _of_verdict(verdict: Verdict) -> _Key:
    ends = (verdict.src, verdict.sport, verdict.dst, verdict.dport)
    return (verdict.node, verdict.proto, *ends, verdict.seq, verdict.ip_id, verdict.length)


def _of_packet(packet: Packet) -> _Key:
    ends = (packet.src, packet.sport, packet.dst, packet.dport)
    seq = packet.tcp.seq if packet.tcp else None
    return (packet.node, packet.protocol, *ends, seq, packet.ip_id, packet.total_length)


class Conversations:
    """The TCP conversations that pass by one observer, for the relative numbers of their segments."""

    def __init__(self) -> None:
        self._open: dict[frozenset[tuple[str, int | None]], Conversation] = {}

    def see(self, packet: Packet) -> Segment | None:
        """The segment that a packet is; None where it is none."""
        if packet.tcp is None or packet.sport is None or packet.is_fragment:
            return None
        key = frozenset((packet.source, packet.target))
        found = self._open.get(key)
        if found is None or found.is_over_by(packet):
            if len(self._open) >= CONVERSATIONS:
                self._open.pop(next(iter(self._open)))
            found = self._open[key] = Conversation(packet)
        return found.see(packet)
