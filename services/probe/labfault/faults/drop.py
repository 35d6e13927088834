"""Drop: the packet never arrives, and nobody is told."""

from random import Random

from labfault.passage import Fields, Passage


class Drop:
    action = "drop"
    fields = ("drop",)
    sequence = "loss"  # its name once, from which its generator begins: a seed goes on giving what it gave

    def __init__(self, rule: Fields, chance: Random) -> None:
        """`drop` is the share of packets that are dropped, 0 to 1."""
        self._share = rule["drop"]
        self._chance = chance

    def apply(self, passage: Passage) -> Fields | None:
        if self._chance.random() >= self._share:
            return None
        passage.dropped = True
        return {}
