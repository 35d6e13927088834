"""Which packets a rule is about. `labctl/faults/match.py` reads the words of it; here they are what they became."""

from __future__ import annotations

import binascii

from labfault.packet import FLAGS, Flow, Packet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields


class Match:
    """`takes(packet)` for each packet of the link, in order: it counts.

    `nth` and `every` count, in each flow, the packets that fit all else, from 1 on.
    """

    def __init__(self, fields: Fields) -> None:
        self._proto = fields.get("proto")
        self._set = sum(FLAGS[name] for name in fields.get("flags", ()))
        self._clear = sum(FLAGS[name] for name in fields.get("without", ()))
        self._data = fields.get("data", False)
        self._port, self._sport, self._dport = (fields.get(key) for key in ("port", "sport", "dport"))
        self._contains = binascii.a2b_base64(fields["contains"]) if "contains" in fields else None
        self._least, self._most = fields.get("size", (0, 1 << 32))
        self._nth: int | None = fields.get("nth")
        self._every: int | None = fields.get("every")
        self._counts: dict[Flow, int] = {}

    def takes(self, packet: Packet) -> bool:
        if not self._fits(packet):
            return False
        if self._nth is None and self._every is None:
            return True
        count = self._counts[packet.flow] = self._counts.get(packet.flow, 0) + 1
        if self._nth is not None:
            return count == self._nth
        return self._every is not None and count % self._every == 0

    def _fits(self, packet: Packet) -> bool:
        if self._proto is not None and packet.proto != self._proto:
            return False
        if (self._set or self._clear) and (
            packet.proto != "tcp" or packet.flags & (self._set | self._clear) != self._set
        ):
            return False
        if self._data and not packet.length:
            return False
        if not self._ports_fit(packet):
            return False
        if not self._least <= packet.size <= self._most:
            return False
        return self._contains is None or packet.data.find(self._contains, packet.payload) >= 0

    def _ports_fit(self, packet: Packet) -> bool:
        if self._port is not None and self._port not in (packet.sport, packet.dport):
            return False
        if self._sport is not None and self._sport != packet.sport:
            return False
        return self._dport is None or self._dport == packet.dport
