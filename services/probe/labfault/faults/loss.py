"""Loss: the packet never arrives, and nobody is told."""

from random import Random

from labfault.passage import Passage


class Loss:
    action = "drop"

    def __init__(self, rule: dict, chance: Random) -> None:
        """`loss` is the share of packets that are lost, 0 to 1."""
        self._share = rule["loss"]
        self._chance = chance

    def apply(self, passage: Passage) -> dict | None:
        if self._chance.random() >= self._share:
            return None
        passage.dropped = True
        return {}
