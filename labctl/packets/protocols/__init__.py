"""What bytes are: the table of protocols, which decodes nothing by itself.

A protocol is one file in the folder of its place (link, network, transport, application) that ends in its row, and its
name in one of the lists here. What decodes records (`frame`, `ip`), takes packets apart (`layers`) and labels them
(`labctl.packets.ladder.label`) looks here for who does it; what is in no list is known by its number and named as
`numbers` has it, or by that number.
"""

from __future__ import annotations

from labctl.packets.model import Packet
from labctl.packets.protocols import numbers
from labctl.packets.protocols.application.dns import DNS
from labctl.packets.protocols.application.http import HTTP
from labctl.packets.protocols.kind import Application, Link, Names, Network, Protocol, Tag, Transport
from labctl.packets.protocols.link import cooked, ethernet, hdlc, loopback, nflog, ppp, pppoe, raw
from labctl.packets.protocols.link.llc import LLC
from labctl.packets.protocols.link.mpls import MPLS
from labctl.packets.protocols.link.vlan import VLAN
from labctl.packets.protocols.network import extensions
from labctl.packets.protocols.network.arp import ARP, RARP
from labctl.packets.protocols.network.ipv4 import IPV4
from labctl.packets.protocols.network.ipv6 import IPV6
from labctl.packets.protocols.transport.icmp import ICMP
from labctl.packets.protocols.transport.icmpv6 import ICMPV6
from labctl.packets.protocols.transport.igmp import IGMP
from labctl.packets.protocols.transport.tcp import TCP
from labctl.packets.protocols.transport.udp import UDP

LINKS: tuple[Link, ...] = (
    ethernet.LINK,
    cooked.SLL_LINK,
    cooked.SLL2_LINK,
    raw.LINK,
    loopback.LINK,
    nflog.LINK,
    ppp.LINK,
    pppoe.LINK,
    hdlc.LINK,
)
TAGS: tuple[Tag, ...] = (
    VLAN,
    MPLS,
    pppoe.DISCOVERY,
    pppoe.SESSION,
    ppp.TAG,
    LLC,
)
NETWORKS: tuple[Network, ...] = (
    IPV4,
    IPV6,
    ARP,
    RARP,
)
TRANSPORTS: tuple[Transport, ...] = (
    ICMP,
    IGMP,
    TCP,
    UDP,
    ICMPV6,
)
# In the order in which a payload is tried.
APPLICATIONS: tuple[Application, ...] = (
    DNS,
    HTTP,
)
TABLE: tuple[Protocol, ...] = (*LINKS, *TAGS, *NETWORKS, *TRANSPORTS, *APPLICATIONS)

# By the number or the name that leads to a row.
LINK_BY_TYPE = {number: row for row in LINKS for number in row.link_types}
TAG_BY_ETHERTYPE = {number: row for row in TAGS for number in row.ethertypes}
NETWORK_BY_ETHERTYPE = {number: row for row in NETWORKS for number in row.ethertypes}
NETWORK_BY_VERSION = {row.version: row for row in NETWORKS if row.version}
NETWORK_BY_NAME = {row.name: row for row in NETWORKS if not row.version}
TRANSPORT_BY_NUMBER = {number: row for row in TRANSPORTS for number in row.numbers}
TRANSPORT_BY_NAME = {row.name: row for row in TRANSPORTS}

# What numbers are called: in lists, and in words.
_ETHERTYPES = {number: name for number, (name, _) in numbers.ETHERTYPES.items()}
_ETHERTYPES |= {number: row.name for number, row in TAG_BY_ETHERTYPE.items()}
_ETHERTYPES |= {number: row.name for number, row in NETWORK_BY_ETHERTYPE.items()}
_IP = {number: name for number, (name, _) in numbers.IP.items()}
_IP |= {number: row.name for row in TRANSPORTS for number in row.numbers}
NAMES = Names(
    ethertypes={number: words for number, (_, words) in numbers.ETHERTYPES.items()}
    | {number: words for row in TAGS for number, words in row.ethertypes.items()}
    | {number: row.words for row in NETWORKS for number in row.ethertypes},
    ip={number: words for number, (_, words) in numbers.IP.items()}
    | extensions.WORDS
    | {number: row.words for row in TRANSPORTS for number in row.numbers},
)
LINK_WORDS = numbers.LINK_TYPES | {number: words for row in LINKS for number, words in row.link_types.items()}


def ethertype_name(number: int) -> str:
    """`ipv4`, or `0x1234` where there is none."""
    return _ETHERTYPES.get(number) or f"0x{number:04x}"


def ip_name(number: int) -> str:
    """What IP carries under a number, as `tcp`; `ip-200` where it has no name."""
    return _IP.get(number) or f"ip-{number}"


def applications(packet: Packet) -> tuple[Application, ...]:
    """Those that the payload of a packet may be of, by what carries it and by its ports."""
    return tuple(row for row in APPLICATIONS if row.may_be(packet))
