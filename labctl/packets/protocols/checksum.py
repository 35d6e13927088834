"""The Internet checksum (RFC 1071): sixteen-bit words added with the carry brought round."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from labctl.packets.model import Checksum


@dataclass(frozen=True, slots=True)
class Rule:
    """Where in a header its checksum stands (in bytes), and over what it is: the message with it and, for `pseudo`, the
    addresses (RFC 9293, section 3.1; RFC 8200, section 8.1). `zero` is what 0 in its place means: that there is none
    (UDP), or that the network card is to fill it in."""

    at: int
    pseudo: bool = False
    zero: Literal["sum", "absent", "partial"] = "sum"


def remainder(data: bytes) -> int:
    """The sum of the words modulo 65,535, which is what adding with the carry brought round gives."""
    if len(data) % 2:
        data += b"\0"
    return int.from_bytes(data, "big") % 0xFFFF


def wanted(summed: bytes, field: int, *, never_zero: bool = False) -> int:
    """What would be right in the place of `field`, which is among what is summed."""
    found = (field - remainder(summed)) % 0xFFFF
    return 0xFFFF if never_zero and not found else found


def pseudo_header(number: int, src: bytes, dst: bytes, length: int) -> bytes:
    """What is summed besides what IP carries under that number; addresses as bytes."""
    if len(src) == 4:
        # The length of what the kernel or its card has merged is more than there is room for.
        return src + dst + struct.pack(">BBH", 0, number, length & 0xFFFF)
    return src + dst + struct.pack(">IHBB", length, 0, 0, number)


def state(rule: Rule, data: bytes, field: int, pseudo: bytes = b"") -> Checksum:
    """Whether a message adds up to nothing with its checksum, as it must; `field` is the checksum that stands in it."""
    if rule.zero == "absent" and field == 0:
        return "none" if len(pseudo) == 12 else "missing"
    if len(pseudo) == 12 and len(data) > 0xFFFF:  # merged by the kernel or its card: there is no such length to sum
        return "unknown"
    addresses = remainder(pseudo)
    if (addresses + remainder(data)) % 0xFFFF == 0:
        return "ok"
    if rule.zero == "partial" and field == 0:
        return "partial"
    # Where the card is to cut a segment up, the length isn't summed: it is another one for each piece.
    left = {addresses, (addresses - len(data)) % 0xFFFF}
    return "partial" if rule.pseudo and field % 0xFFFF in left else "bad"
