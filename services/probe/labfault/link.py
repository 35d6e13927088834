"""The way of packets through the rules, and their leaving in time.

No I/O: the queue, the clock and the sender of copies are given. So it runs in a test without a kernel.
"""

from __future__ import annotations

import heapq
import itertools

from labfault.nfqueue import ACCEPT, DROP
from labfault.packet import Flow, Packet
from labfault.passage import Passage
from labfault.rule import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from labfault.rule import Tell
    from labnode.types import Fields

    class Deciding(Protocol):
        """What takes verdicts."""

        def decide(self, ident: int, verdict: int, data: bytes | None = None) -> None: ...


SOON = 20e-6  # seconds: what is due within that, leaves now


class Links:
    """All rules of one node's links.

    `queue` takes verdicts (`decide`), `again(data)` sends a copy of a packet, `report(rule, packet, action, fields)` is
    told of everything that isn't a pass, `route(destination)` gives the addresses of the neighbours that a destination
    is reached by: its own, and its router's. `takes(packet)` tells whether a packet that must wait can be taken from
    the kernel, and sent by `again` when it is due.
    """

    def __init__(
        self,
        queue: Deciding,
        again: Callable[[Packet, bytes], object],
        report: Callable[[Rule, Packet, str, Fields], object],
        route: Callable[[bytes], set[bytes]],
        takes: Callable[[Packet], bool],
    ) -> None:
        self.rules: list[Rule] = []
        self._queue, self._again, self._report, self._route, self._takes = queue, again, report, route, takes
        self._held: list[tuple[float, int, Passage]] = []
        self._order = itertools.count()
        self._behind: dict[Flow, Passage] = {}
        self._chosen: dict[bytes, list[Rule]] = {}

    @property
    def holds(self) -> bool:
        """Whether any packet waits for its time."""
        return bool(self._held)

    def replace(self, rules: list[Rule]) -> None:
        """Puts rules in force; the packets that are held leave when they were to."""
        self.rules = rules
        self._chosen = {}

    def arrive(self, ident: int, data: bytes, now: float) -> None:
        """One packet from the queue."""
        packet = Packet(data)
        rules = self._chosen.get(packet.dst)
        if rules is None:
            rules = self._choose(packet.dst)
        passage = Passage(ident, packet, now)
        report = self._reporter(passage)
        for rule in rules:
            rule.apply(passage, report)
            if passage.dropped:
                self._queue.decide(ident, DROP)
                return
        self._send_on(passage, now)

    def _reporter(self, passage: Passage) -> Tell:
        return lambda rule, action, fields: self._report(rule, passage.packet, action, fields)

    def _choose(self, destination: bytes) -> list[Rule]:
        if len(self._chosen) > 4096:
            self._chosen.clear()
        ways = self._route(destination)
        rules = [rule for rule in self.rules if rule.peers is None or not rule.peers.isdisjoint(ways)]
        self._chosen[destination] = rules
        return rules

    def _send_on(self, passage: Passage, now: float) -> None:
        flow = passage.packet.flow
        waiting = self._behind.get(flow) if self._behind else None
        if passage.behind is not None and waiting is None:
            # It lets the next one past, whenever that leaves.
            self._behind[flow] = passage
            self._hold(passage, passage.leaves + passage.behind)
            return
        if waiting is not None:
            del self._behind[flow]
            passage.followers.append(waiting)
            waiting.follows = True  # its own time is of no account now
            if waiting.behind_by:
                waiting.behind_by.count(self._reporter(waiting), "reorder", {})
        if passage.leaves <= now + SOON:
            self._release(passage)
        else:
            self._hold(passage, passage.leaves)

    def _hold(self, passage: Passage, until: float) -> None:
        # A packet in the queue counts as not sent yet: its socket's buffer stays full of it, and TCP stops at a few
        # segments (its small queues), where on a wire they would be on their way. So for the kernel it has gone.
        if self._takes(passage.packet):
            passage.taken = True
            self._queue.decide(passage.ident, DROP)
        heapq.heappush(self._held, (until, next(self._order), passage))

    def _release(self, passage: Passage) -> None:
        if passage.released:
            return
        passage.released = True
        if self._behind and self._behind.get(passage.packet.flow) is passage:
            del self._behind[passage.packet.flow]  # nothing overtook it in time: it is only late
            if passage.behind is not None and passage.behind_by:
                held = {"delay_ms": round(passage.behind * 1000, 3)}
                passage.behind_by.count(self._reporter(passage), "delay", held)
        if not passage.taken:
            self._queue.decide(passage.ident, ACCEPT, passage.data)
        for _ in range(passage.copies + passage.taken):
            self._again(passage.packet, passage.data or passage.packet.data)
        for follower in passage.followers:
            self._release(follower)

    def release_due(self, now: float) -> float | None:
        """Lets go what is due; gives the time at which the next one is."""
        while self._held:
            due, _, passage = self._held[0]
            if due > now + SOON and not passage.released:
                return due
            heapq.heappop(self._held)
            if not passage.follows:
                self._release(passage)
        return None

    def release_all(self) -> None:
        """Lets everything go at once, in its order: the links are whole again."""
        for _, _, passage in sorted(self._held):
            self._release(passage)
        self._held.clear()
        self._behind.clear()
