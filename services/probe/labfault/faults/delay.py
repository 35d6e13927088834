"""Delay: the packet leaves later, by a fixed time and a part that varies from packet to packet."""

from random import Random

from labfault.passage import Fields, Passage


class Delay:
    action = "delay"
    fields = ("delay", "jitter")

    def __init__(self, rule: Fields, chance: Random) -> None:
        """`delay` and `jitter` in seconds: each packet is held from delay - jitter to delay + jitter, evenly spread.

        Packets keep their order, as on a wire: one whose own time is shorter waits for those before it, which can take
        it no further than its own bounds. Who wants them out of order says so (`reorder`).
        """
        self._delay, self._jitter = rule.get("delay", 0.0), rule.get("jitter", 0.0)
        self._chance = chance
        self._last = 0.0

    def apply(self, passage: Passage) -> Fields | None:
        varied = self._chance.uniform(-self._jitter, self._jitter) if self._jitter else 0.0
        leaves = max(passage.leaves + max(0.0, self._delay + varied), self._last)
        if leaves <= passage.leaves:
            return None
        held = leaves - passage.leaves
        passage.leaves = self._last = leaves
        return {"delay_ms": round(held * 1000, 3)}
