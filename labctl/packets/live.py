"""Packets of several nodes as they come: in order of time, with what faults did to them, in their conversations."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.packets.crossings import Verdict
from labctl.packets.model import Packet
from labctl.packets.taps import SENT
from labctl.packets.tcp import Conversation, Segment

CONVERSATIONS, VERDICTS = 4096, 200_000  # how many are kept; verdicts wait for their packets


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet as a tap of one node saw it (see packets/taps.py), and what faults did to it there."""

    packet: Packet
    tap: str
    verdicts: tuple[Verdict, ...] = ()


class InOrder:
    """Puts packets in order of time: each is given out once every node has told all that came before it."""

    def __init__(self, nodes: list[str]) -> None:
        self._told = dict.fromkeys(nodes, 0)
        self._held: list[tuple[int, int, Packet, str]] = []
        self._numbers = itertools.count()
        self._verdicts: dict[tuple[object, ...], list[Verdict]] = {}

    def add(self, packet: Packet, tap: str) -> None:
        heapq.heappush(self._held, (packet.ts_ns, next(self._numbers), packet, tap))

    def blame(self, verdict: Verdict) -> None:
        """What a fault did to a packet that may still be held here."""
        if len(self._verdicts) > VERDICTS:
            self._verdicts.clear()
        self._verdicts.setdefault(_of_verdict(verdict), []).append(verdict)

    def told(self, node: str, until_ns: int) -> None:
        """A node has told all that came until then."""
        self._told[node] = max(self._told.get(node, 0), until_ns)

    def ended(self, node: str) -> None:
        """Nothing more comes of a node."""
        self._told.pop(node, None)

    def has_all_until(self, moment_ns: int) -> bool:
        """Every node has told all that came until then."""
        return all(until >= moment_ns for until in self._told.values())

    def take(self, *, everything: bool = False) -> Iterator[Seen]:
        """What may go by now; all that there is, when all nodes have ended or nobody waits for more."""
        until = None if everything else min(self._told.values(), default=None)
        while self._held and (until is None or self._held[0][0] <= until):
            _, _, packet, tap = heapq.heappop(self._held)
            # Only what is seen before a fault looks at it is as the fault found it.
            verdicts = self._verdicts.pop(_of_packet(packet), []) if tap == SENT else []
            yield Seen(packet, tap, tuple(verdicts))


def _of_verdict(verdict: Verdict) -> tuple[object, ...]:
    ends = (verdict.src, verdict.sport, verdict.dst, verdict.dport)
    return (verdict.node, verdict.proto, *ends, verdict.seq, verdict.ip_id, verdict.length)


def _of_packet(packet: Packet) -> tuple[object, ...]:
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
