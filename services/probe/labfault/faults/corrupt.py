"""Corrupt: one bit of the packet is flipped."""

from random import Random

from labfault.packet import seal
from labfault.passage import Passage


class Corrupt:
    action = "corrupt"

    def __init__(self, rule: dict, chance: Random) -> None:
        """`corrupt` is the share of packets that are hit, 0 to 1.

        The bit is one of the payload, else one of the transport's header, behind its ports. The checksum stays as it
        was, so that the receiver's kernel finds the damage and drops the packet; with `fix_checksum` it is made right
        again, and the damage reaches the program.
        """
        self._share = rule["corrupt"]
        self._fix = rule.get("fix_checksum", False)
        self._chance = chance

    def apply(self, passage: Passage) -> dict | None:
        if self._chance.random() >= self._share:
            return None
        packet = passage.packet
        data = bytearray(passage.data or packet.data)
        first = packet.payload if packet.length else min(packet.transport + 4, len(data) - 1)
        at, bit = self._chance.randrange(first, len(data)), self._chance.randrange(8)
        data[at] ^= 1 << bit
        if self._fix:
            seal(packet, data)
        passage.data = bytes(data)
        return {"byte": at, "bit": bit, **({"fixed": True} if self._fix else {})}
