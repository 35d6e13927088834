"""Corrupt: one bit of the packet is flipped."""

from random import Random

from labfault.packet import ICMP, ICMP6, UDP, Packet, seal
from labfault.passage import Fields, Passage


class Corrupt:
    action = "corrupt"
    fields = ("corrupt", "fix_checksum")

    def __init__(self, rule: Fields, chance: Random) -> None:
        """`corrupt` is the share of packets that are hit, 0 to 1.

        The bit is one of the payload, else one of the transport's header. The checksum stays as it was, so that the
        receiver's kernel finds the damage and drops the packet. With `fix_checksum` it is made right again, and the
        damage reaches the program; a packet without a payload has nothing to reach it with, and is left alone.
        """
        self._share = rule["corrupt"]
        self._fix = rule.get("fix_checksum", False)
        self._chance = chance

    def apply(self, passage: Passage) -> Fields | None:
        if self._chance.random() >= self._share:
            return None
        packet = passage.packet
        data = bytearray(passage.data or packet.data)
        first, end = _place(packet)
        at, bit = self._chance.randrange(first, end), self._chance.randrange(8)
        if self._fix and not packet.length:
            return None
        data[at] ^= 1 << bit
        if packet.protocol == UDP and not packet.length and not any(data[at & ~1 : (at & ~1) + 2]):
            data[at] ^= 3 << bit if bit < 7 else 0xC0  # a checksum of 0 would mean that there is none
        if self._fix:
            seal(packet, data)
        passage.data = bytes(data)
        return {"byte": at, "bit": bit, **({"fixed": True} if self._fix else {})}


def _place(packet: Packet) -> tuple[int, int]:
    """The bytes, from and to, of which one is hit: where nobody but the checksum notices."""
    if packet.length or packet.proto is None:
        return min(packet.payload, packet.size - 1), packet.size
    if packet.protocol == UDP:
        return packet.transport + 6, packet.transport + 8  # the checksum: there is nothing else but ports and length
    if packet.protocol in (ICMP, ICMP6):
        return packet.transport + 4, packet.transport + 8
    return packet.transport + 4, packet.transport + 12  # TCP's sequence and acknowledgement numbers
