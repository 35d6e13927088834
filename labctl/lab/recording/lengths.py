"""How long a packet may be on the networks of a lab's nodes."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from labctl.engine.model import Engine, Network
from labctl.lab.model import Node
from labctl.packets.matching.taps import MTU, SENT, tap_of
from labctl.packets.model import Packet, Record
from labctl.packets.protocols.ip import decode

_SHORT = 576  # bytes: no network takes less of IPv4 in one piece that anybody uses (RFC 791, section 3.1)


class Lengths:
    """Asks the engine only once a packet is so long that it matters, and then once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._networks: dict[str, Network] | None = None

    def of(self, node: Node, record: Record) -> int:
        """The MTU in bytes of the network by which a node sends what it was recorded to send. Raises LabError."""
        if tap_of(record) != SENT or len(record.data) <= _SHORT:
            return MTU
        if self._networks is None:
            self._networks = {network.name: network for network in self._engine.networks()}
        packet = decode(record)
        joined = [
            (found, addresses)
            for name, addresses in node.container.addresses.items()
            if (found := self._networks.get(name)) is not None
        ]
        ways = [network for network, _ in joined if _reaches(network, packet)]
        ways = ways or [network for network, addresses in joined if packet.src in addresses]
        return max((network.mtu or MTU for network in ways or [network for network, _ in joined]), default=MTU)


def _reaches(network: Network, packet: Packet) -> bool:
    """Who a packet is for is on this network."""
    return bool(packet.dst) and any(ip_address(packet.dst) in ip_network(subnet) for subnet in network.subnets)
