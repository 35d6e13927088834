"""ARP and its kin (RFC 826, 903, 2390) on any hardware."""

from __future__ import annotations

import struct
from socket import AF_INET, inet_ntop
from typing import Any

from labctl.packets.model import Arp, Record
from labctl.packets.protocols.ending import early
from labctl.packets.protocols.shims import IP4

REQUEST, REPLY = 1, 2
OPERATIONS = {
    REQUEST: "who has the target's address?",
    REPLY: "I have the sender's",
    3: "which address has the target's hardware? (RARP)",
    4: "the target's address (RARP)",
    5: "dynamic RARP request",
    6: "dynamic RARP reply",
    7: "dynamic RARP error",
    8: "which address has the target's hardware? (inverse ARP)",
    9: "I have the sender's (inverse ARP)",
    10: "no",
    23: "the sender leaves (MAPOS)",
}
HARDWARE = {1: "Ethernet", 6: "IEEE 802", 7: "ARCNET", 15: "frame relay", 16: "ATM", 19: "ATM", 24: "IEEE 1394"}
HARDWARE |= {18: "Fibre Channel", 20: "serial line", 32: "InfiniBand"}
_ATM = 19  # its addresses have lengths of their own (RFC 2225)


def arp(data: bytes, at: int, record: Record, protocol: str) -> dict[str, Any]:
    """A packet's fields as the message has them."""
    fields: dict[str, Any] = {"protocol": protocol, "network_offset": at, "payload_offset": at}
    if at + 8 > len(data):
        return fields | early(f"its {protocol.upper()} message", at + 8, record.original_length, record)
    hardware, kind, size, length, operation = struct.unpack_from(">HHBBH", data, at)
    if hardware == _ATM or kind != IP4 or length != 4:
        what = f"for hardware {hardware} and protocol 0x{kind:04x}"
        return fields | {"payload": data[at:], "unread": f"an {protocol.upper()} message {what} isn't decoded"}
    end = at + 8 + 2 * (size + 4)
    if end > len(data):
        return (
            fields
            | {"payload": data[at:]}
            | early(f"its {protocol.upper()} message", end, record.original_length, record)
        )
    mine, other = at + 8, at + 12 + size
    return fields | {
        "src": inet_ntop(AF_INET, data[mine + size : mine + size + 4]),
        "dst": inet_ntop(AF_INET, data[other + size : other + size + 4]),
        "arp": Arp(operation, data[mine : mine + size].hex(":"), data[other : other + size].hex(":")),
        "payload_offset": end,
    }
