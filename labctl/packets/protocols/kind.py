"""What a row of the table of protocols says: one class for each place that a protocol can have in a packet.

A protocol is one file, which ends in its row, and one line in the table (`labctl.packets.protocols`). What decodes it
takes bytes and never does I/O; what draws it takes the packet that came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.packets.model import Packet, Record
from labctl.packets.protocols.carried import Carried, Upper
from labctl.packets.protocols.checksum import Rule
from labctl.packets.protocols.link import LONGEST_802_3
from labctl.packets.protocols.link.walked import Walked
from labctl.packets.protocols.reader import Layer, Reader
from labctl.packets.tcp.segment import Segment

Fields = dict[str, Any]  # those of Packet


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on an arrow: `head` says what it is (`SYN, ACK`), `parts` are its numbers, `text` its first bytes
    where they are text."""

    head: str
    parts: tuple[str, ...]
    text: str = ""
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A packet that asks for the hardware address of an `address` on the same link, or tells it."""

    asks: bool
    address: str


@dataclass(frozen=True, slots=True)
class Names:
    """What the table calls a number, in words; empty: it has none."""

    ethertypes: Mapping[int, str]
    ip: Mapping[int, str]

    def type_or_length(self, reader: Reader) -> None:
        """The next field is an EtherType, or in its place the length of what follows."""
        found = int.from_bytes(reader.data[reader.at : reader.at + 2], "big")
        if found <= LONGEST_802_3:
            reader.number("length", 2, "bytes")
        else:
            self.type_alone(reader)

    def type_alone(self, reader: Reader, name: str = "type") -> None:
        """The next field is an EtherType, or a number of Linux's own, but no length."""
        found = int.from_bytes(reader.data[reader.at : reader.at + 2], "big")
        reader.number(name, 2, self.ethertypes.get(found, ""), text="0x{:04x}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """`name` is what it is called in lists and in Packet.protocol (`icmp6`), `words` what people write (`ICMPv6`)."""

    name: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Protocol):
    """A capture's link layer. `link_types` has the words for each number; `begin` steps over the header, and raises
    struct.error or IndexError where that isn't whole; `fields` reads it (None: as so many bytes)."""

    link_types: Mapping[int, str]
    begin: Callable[[Record], Walked]
    fields: Callable[[Reader, Record, Names], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(Protocol):
    """What may stand between a link's header and the network layer. `ethertypes` has the words for each number that
    leads to it (`lengths`: a length in place of one does); `step` goes on to what is inside, and raises as `begin`."""

    ethertypes: Mapping[int, str]
    step: Callable[[Record, Walked], None]
    lengths: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Protocol):
    """A network protocol, by its EtherType; `version` of IP.

    `decode` gets the data, where the packet begins in them, the record, the byte up to which the frame has room, and
    whether an ICMP error quotes it. It gives the packet's fields and, for IP, what the header says of what follows.
    `neighbour`: what a packet asks or tells of who has an address, if anything. `is_upkeep`: whether kernels send a
    packet by themselves, whatever programs do. `arrives_only`: recorders have it where
    it arrives alone, as nothing of it passes the place where what is sent is recorded.
    """

    ethertypes: tuple[int, ...]
    decode: Callable[[bytes, int, Record, int, bool], tuple[Fields, Upper | None]]
    layer: Callable[[Packet, Names], Layer]
    label: Callable[[Packet, Segment | None], Label | None] | None = None
    neighbour: Callable[[Packet], Neighbour | None] | None = None
    checksum: Rule | None = None
    is_upkeep: Callable[[Packet], bool] = lambda packet: False
    version: int = 0
    arrives_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport(Protocol):
    """What IP carries, by the `numbers` in its header.

    `layer` is its header; `inside` the layer behind it where that isn't an application's (None: it is); `label` gives
    None where there is no more to say than the protocol's name and a length. `neighbour` is as in Network; `checksum`
    says where its checksum is. `ports`: its header begins with two of them. `stream`: what it carries are the
    bytes of a conversation, numbered in order; `datagrams`: each is whole by itself, also with nothing in it.
    `of_programs`: whether a program had a packet sent, and no kernel by itself; `is_upkeep` as in Network.
    """

    numbers: tuple[int, ...]
    decode: Callable[[Carried], Fields]
    layer: Callable[[Packet], Layer]
    label: Callable[[Packet, Segment | None], Label | None] | None = None
    inside: Callable[[Packet], Layer | None] | None = None
    neighbour: Callable[[Packet], Neighbour | None] | None = None
    checksum: Rule | None = None
    ports: bool = False
    stream: bool = False
    datagrams: bool = False
    of_programs: Callable[[Packet], bool] = lambda packet: False
    is_upkeep: Callable[[Packet], bool] = lambda packet: False


@dataclass(frozen=True, slots=True, kw_only=True)
class Application(Protocol):
    """What is inside UDP or TCP (`over`), by one of its ports where it has any. `layer` and `label` give None where
    the payload isn't of this protocol; a label is its head and one more part."""

    over: tuple[str, ...]
    layer: Callable[[Packet], Layer | None]
    label: Callable[[Packet], tuple[str, str] | None] | None = None
    ports: frozenset[int] = field(default_factory=frozenset)

    def may_be(self, packet: Packet) -> bool:
        """What carries it does, and by one of its ports."""
        if packet.protocol not in self.over:
            return False
        return not self.ports or packet.sport in self.ports or packet.dport in self.ports
