"""Link layers, and what may stand between them and the network layer: the numbers that tell which."""

from __future__ import annotations

from labctl.packets.model import Record

# Link types of captures.
NULL, ETHERNET, RAW_BSD, RAW, LOOP, SLL, IPV4, IPV6, NFLOG, SLL2 = 0, 1, 12, 101, 108, 113, 228, 229, 239, 276
PPP, PPP_SERIAL, PPP_ETHERNET, C_HDLC = 9, 50, 51, 104

# EtherTypes.
IP4, IP6, ARP, RARP = 0x0800, 0x86DD, 0x0806, 0x8035
VLANS, MPLS = (0x8100, 0x88A8, 0x9100), (0x8847, 0x8848)
PPPOE_DISCOVERY, PPPOE_SESSION, PPP_TYPE = 0x8863, 0x8864, 0x880B
LEAST_ETHERTYPE = 0x0600
LONGEST_802_3 = 1500  # what is no more is a length and no type (IEEE 802.3, section 3.2.6)


def is_to_one(record: Record) -> bool:
    """It is an Ethernet frame to one station: the group bit of the target is not set (IEEE 802, section 8.2)."""
    return record.interface.link_type == ETHERNET and len(record.data) >= 6 and not record.data[0] & 1


def by_version(data: bytes, at: int) -> int:
    """The EtherType of an IP packet that begins there, by its version; 0: it is none. Raises IndexError."""
    return {4: IP4, 6: IP6}.get(data[at] >> 4, 0)
