"""Duplicate: the packet arrives twice."""

from random import Random

from labfault.passage import Fields, Passage


class Duplicate:
    action = "duplicate"
    fields = ("duplicate",)

    def __init__(self, rule: Fields, chance: Random) -> None:
        """`duplicate` is the share of packets that arrive twice, 0 to 1; the copy comes right behind."""
        self._share = rule["duplicate"]
        self._chance = chance

    def apply(self, passage: Passage) -> Fields | None:
        if self._chance.random() >= self._share:
            return None
        passage.copies += 1
        return {}
