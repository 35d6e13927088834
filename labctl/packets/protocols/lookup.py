"""The table of protocols, by the number, the name or the ports that lead to a row, and what all numbers are called."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.packets.model import Packet
from labctl.packets.protocols import numbers
from labctl.packets.protocols.kind import Application, Link, Names, Network, Protocol, Tag, Transport
from labctl.packets.protocols.link import LONGEST_802_3
from labctl.packets.protocols.network import extensions


class Table:
    """Lookups in rows; where two rows have one number, the later one has it."""

    def __init__(self, rows: Sequence[Protocol]) -> None:
        self.rows = tuple(rows)
        links = [row for row in rows if isinstance(row, Link)]
        tags = [row for row in rows if isinstance(row, Tag)]
        networks = [row for row in rows if isinstance(row, Network)]
        transports = [row for row in rows if isinstance(row, Transport)]
        self.applications = tuple(row for row in rows if isinstance(row, Application))
        self.links = {number: row for row in links for number in row.link_types}
        self.tags = {number: row for row in tags for number in row.ethertypes}
        self._tag_of_length = next((row for row in tags if row.lengths), None)
        self.networks = {number: row for row in networks for number in row.ethertypes}
        self.versions = {row.version: row for row in networks if row.version}
        self.transports = {number: row for row in transports for number in row.numbers}
        # By Packet.protocol: what has a label, or a header, of its own.
        self.named: dict[str, Network | Transport] = {row.name: row for row in networks if not row.version}
        self.named |= {row.name: row for row in transports}
        # Where in the header its checksum is.
        self.sums = {row.name: row.checksum.at for row in transports if row.checksum is not None}
        self.arrives_only = frozenset(row.name for row in networks if row.arrives_only)
        # Whose packets have ports.
        self.with_ports = frozenset(row.name for row in transports if row.ports)
        self.streams = frozenset(row.name for row in transports if row.stream)
        self.datagrams = frozenset(row.name for row in transports if row.datagrams)
        self.link_words = numbers.LINK_TYPES | {
            number: words for row in links for number, words in row.link_types.items()
        }
        self.words = Names(
            {number: words for number, (_, words) in numbers.ETHERTYPES.items()}
            | {number: words for row in tags for number, words in row.ethertypes.items()}
            | {number: row.words for number, row in self.networks.items()},
            {number: words for number, (_, words) in numbers.IP.items()}
            | extensions.WORDS
            | {number: row.words for number, row in self.transports.items()},
        )
        self._ethertypes = {number: name for number, (name, _) in numbers.ETHERTYPES.items()}
        self._ethertypes |= {number: row.name for number, row in self.tags.items()}
        self._ethertypes |= {number: row.name for number, row in self.networks.items()}
        self._ip = {number: name for number, (name, _) in numbers.IP.items()}
        self._ip |= {number: row.name for number, row in self.transports.items()}
        self.names = frozenset((*self._ip.values(), *self._ethertypes.values()))

    def tag(self, ethertype: int) -> Tag | None:
        """What stands between, by an EtherType or by a length in its place."""
        return self._tag_of_length if 0 < ethertype <= LONGEST_802_3 else self.tags.get(ethertype)

    def ethertype_name(self, number: int) -> str:
        """`ipv4`, or `0x1234` where it has no name."""
        return self._ethertypes.get(number) or f"0x{number:04x}"

    def ip_name(self, number: int) -> str:
        """What IP carries under a number, as `tcp`; `ip-200` where it has no name."""
        return self._ip.get(number) or f"ip-{number}"

    def is_name(self, text: str) -> bool:
        """Whether packets between two addresses can be of a protocol of that name."""
        number = text.removeprefix("ip-")
        return text in self.names or text == "?" or (number != text and number.isascii() and number.isdigit())

    def of_programs(self, packet: Packet) -> bool:
        """Whether a program had it sent, and no kernel by itself, as it sends ARP and reports of multicast groups."""
        row = self.named.get(packet.protocol)
        return isinstance(row, Transport) and row.of_programs(packet)

    def is_upkeep(self, packet: Packet) -> bool:
        """Whether kernels send it by themselves, whatever programs do: who has an address, who is in a group."""
        row = self.named.get(packet.protocol)
        return row is not None and row.is_upkeep(packet)

    def inside(self, packet: Packet) -> list[Application]:
        """Those that a payload may be of, by what carries it and by its ports."""
        return [row for row in self.applications if row.may_be(packet)]
