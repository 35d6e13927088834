"""Reorder: the packet is overtaken by the next one of its flow."""

from random import Random

from labfault.passage import Fields, Passage

LONGEST = 0.1  # seconds that it waits for a next one


class Reorder:
    action = "reorder"
    fields = ("reorder",)

    def __init__(self, rule: Fields, chance: Random) -> None:
        """`reorder` is the share of packets that let the next one past, 0 to 1. Where none comes within LONGEST, the
        packet goes on in order, late."""
        self._share = rule["reorder"]
        self._chance = chance

    def apply(self, passage: Passage) -> Fields | None:
        if self._chance.random() >= self._share:
            return None
        passage.behind = LONGEST
        return None  # whether the next one comes in time is told when it is known
