"""The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then 16 bytes before each packet.

Old and odd ones are read as well, as Wireshark does: versions until 2.2, whose lengths stand in the other order; 2.3,
where either order was written; and Alexey Kuznetzov's "modified" pcap, which has 24 bytes before each packet.
"""

from __future__ import annotations

import struct

from labctl.packets.model import CaptureError, Interface, Record

# The first four bytes: the byte order, and the nanoseconds of one unit of a time's fraction.
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x34\xcd\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xcd\x34": (">", 1000),
}
_MODIFIED = (b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34")

LONGEST = 262_144  # bytes: what tcpdump, dumpcap and Wireshark hold for the most that a packet can have


class Pcap:
    """Takes a pcap apart, one record at a time."""

    def __init__(self) -> None:
        self.drops: dict[str, int] = {}
        self._interface: Interface | None = None
        self._unit = 1000
        self._longest = LONGEST
        self._records = 0
        self._header = struct.Struct("<IIII")
        self._swap: bool | None = False  # the two lengths of a packet stand in the other order; None: either one may
        self._wanted = 24

    def take(self, buffer: bytearray, start: int) -> tuple[int, Record | None]:
        """The next record and where it ends; the same `start` where more bytes are needed first."""
        left = len(buffer) - start
        if self._interface is None:
            return (start, None) if left < 24 else (self._begin(bytes(buffer[start : start + 24]), start), None)
        size = self._wanted = self._header.size
        if left < size:
            return start, None
        seconds, fraction, captured, original = self._header.unpack_from(buffer, start)[:4]
        if self._swap or (self._swap is None and captured > original):
            captured, original = original, captured
        if captured > self._longest:
            raise CaptureError(
                f"the capture is broken at packet {self._records + 1}: that would have {captured} bytes, and no packet "
                f"has more than {self._longest}"
            )
        self._wanted = size + captured
        if left < self._wanted:
            return start, None
        self._records += 1
        end = start + self._wanted
        moment = seconds * 1_000_000_000 + fraction * self._unit
        return end, Record(moment, bytes(buffer[start + size : end]), original, self._interface)

    def _begin(self, head: bytes, start: int) -> int:
        order, self._unit = MAGICS[head[:4]]
        # A modified one adds the interface, the protocol and the kind of packet, and a byte that fills up.
        self._header = struct.Struct(order + ("IIIIIHBx" if head[:4] in _MODIFIED else "IIII"))
        major, minor = struct.unpack_from(order + "HH", head, 4)
        if major != 2:
            raise CaptureError(f"the capture is a pcap of version {major}.{minor}, and only version 2 can be read")
        # Until 2.3 the length on the wire came first, but for some writers of that (pcap-savefile(5)).
        self._swap = True if minor < 3 else None if minor == 3 else False
        longest, network = struct.unpack_from(order + "II", head, 16)
        self._longest = max(LONGEST, min(longest, 64 * LONGEST))
        # The upper bits say how long a frame check sequence is, if there is one.
        self._interface = Interface(0, "", network & 0xFFFF, order)
        return start + 24

    def rest(self, left: int) -> str:
        """What is wrong with a capture of which so many bytes are left over; nothing: an empty text."""
        if self._interface is None:
            return f"the capture ends inside its header: {left} of 24 bytes are there"
        if left:
            return f"the capture ends inside packet {self._records + 1}: {left} of {self._wanted} bytes are there"
        return ""
