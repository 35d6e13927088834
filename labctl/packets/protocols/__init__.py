"""What bytes are: the table of protocols.

A protocol is one file in the folder of its place (link, network, transport, application), whose PROTOCOLS say what
decodes it, takes it apart, labels and sums it, and which numbers or ports lead to it; and its line here. What decodes
records (`frame`, `ip`), takes packets apart (`layers`) and labels them (`labctl.packets.ladder.label`) looks in the
table for who does it. What no row is for has the name that `numbers` has for it, or its number.
CONTRIBUTING.md shows how one is added.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.packets.protocols.lookup import Table

# Those of applications in the order in which a payload is tried.
NAMES = (
    "link.ethernet",
    "link.cooked",
    "link.raw",
    "link.loopback",
    "link.nflog",
    "link.ppp",
    "link.hdlc",
    "link.pppoe",
    "link.vlan",
    "link.mpls",
    "link.llc",
    "network.arp",
    "network.ipv4",
    "network.ipv6",
    "transport.icmp",
    "transport.icmpv6",
    "transport.igmp",
    "transport.tcp",
    "transport.udp",
    "application.dns",
    "application.http",
)


@cache
def table() -> Table:
    """All rows. Made when it is first asked for: who needs a word of one protocol does not load them all."""
    from labctl.packets.protocols.lookup import Table

    return Table(tuple(row for name in NAMES for row in importlib.import_module(f"{__name__}.{name}").PROTOCOLS))
