"""How far the headers before the network layer have been walked through."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Told:
    """One field of what stands between; `offset` and `length` in bytes of the captured data. `ethertype`: the one that
    it tells, if any, which the table has words for."""

    name: str
    value: str
    offset: int
    length: int
    meaning: str = ""
    ethertype: int = 0


@dataclass(slots=True)
class Walked:
    """Where the network layer begins and ends, and which it is: an EtherType (0: none is known), and a `protocol`'s
    name where that says more. The remarks are as those of Packet."""

    ethertype: int
    offset: int
    end: int
    vlans: tuple[int, ...] = ()
    protocol: str = ""
    malformed: str = ""
    unread: str = ""
    fields: list[Told] = field(default_factory=list)

    def tell(self, name: str, value: str, length: int, meaning: str = "", ethertype: int = 0) -> None:
        """One more field, where the walk stands; it steps on."""
        self.fields.append(Told(name, value, self.offset, length, meaning, ethertype))
        self.offset += length
