"""Rate: a slow wire. Each packet takes its time to be sent, and those behind it wait."""

from random import Random

from labfault.passage import Fields, Passage

QUEUE = 1.0  # seconds of waiting, beyond which the packet finds the queue full


class Rate:
    action = "rate"
    fields = ("rate",)

    def __init__(self, rule: Fields, chance: Random) -> None:
        """`rate` in bits a second, of whole IP packets. What would wait longer than QUEUE is dropped, as a router does
        whose queue is full."""
        self._rate = rule["rate"]
        self._free = 0.0  # when the wire has sent all before

    def apply(self, passage: Passage) -> Fields | None:
        starts = max(passage.leaves, self._free)
        waited = starts - passage.leaves
        if waited > QUEUE:
            passage.dropped = True
            return {"action": "drop", "reason": "the link's queue is full"}
        self._free = starts + passage.packet.size * 8 * (1 + passage.copies) / self._rate
        held = self._free - passage.leaves
        passage.leaves = self._free
        return {"delay_ms": round(held * 1000, 3)}
