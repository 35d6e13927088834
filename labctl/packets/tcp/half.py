"""What one end of a TCP conversation has sent, as far as an observer saw, and what it has told the other to have."""

from __future__ import annotations

from dataclasses import dataclass, field

from labctl.packets.model import Packet, Tcp
from labctl.packets.tcp.ranges import Ranges

_NEAR = 256  # IP ids: what was sent so shortly before or after another has an id so near to its


@dataclass(slots=True)
class Half:
    """What one end has sent, as seen so far. Positions are relative; `base` is where they count from."""

    base: int | None = None
    next: int = 0
    syn: bool = False
    scale: int | None = None
    window: int | None = None  # the last, as it stood
    unscaled: bool = False  # that was a SYN's
    told_window: int = 0  # the number of the segment that told it
    newest_id: int = 0  # of IP, of the segment with the newest bytes; 0: none, or not known
    answered: bool = False  # it has sent a SYN, ACK
    early: int = 0  # where the data ends that its SYN took along (TCP Fast Open, RFC 7413); 0: there was none
    acked: int | None = None  # the last that it acknowledged of the other's
    sacked: int = 0  # up to where it has told that it got some of the other's out of order (RFC 2018)
    duplicates: int = 0
    told_at: int = 0  # when it last told so, or that it lacks something, by a duplicate acknowledgement
    recovery: int | None = None  # this end resends all lost below this (RFC 6582, RFC 8985)
    smaller: int = 0  # this end resends all below this in smaller segments, as an ICMP error told it
    smaller_at: int = 0
    fin: int | None = None
    probing: str = ""
    holes: Ranges = field(default_factory=Ranges)  # what was passed over, and when
    sent: Ranges = field(default_factory=Ranges)  # what the other has not acknowledged, and when it was last sent

    def place(self, number: int, around: int) -> int:
        """A number of 32 bits as a position: the one next to `around` (RFC 9293, section 3.4: modulo 2**32)."""
        assert self.base is not None
        off = (number - self.base - around) & 0xFFFFFFFF
        return around + (off if off < 0x80000000 else off - 0x100000000)


def acknowledged(now: int, tcp: Tcp, mine: Half, other: Half, ack: int) -> None:
    """What one end has told the other to have received."""
    if mine.acked is None or ack > mine.acked:
        mine.acked, mine.duplicates = ack, 0
        if ack <= other.next:  # else it is of bytes that nobody has seen, or no true number at all
            other.holes.remove_below(ack)
            other.sent.remove_below(ack)
        if other.recovery is not None:
            mine.told_at = now  # of several lost ones, this lets the next be sent again (RFC 6582, section 3.2)
    edges = [other.place(right, ack) for _, right in tcp.sack]
    if (farthest := max(edges, default=0)) > ack:
        mine.sacked, mine.told_at = max(mine.sacked, farthest), now
    if other.recovery is not None and ack >= other.recovery:
        other.recovery = None
    other.probing = ""


def order(packet: Packet, mine: Half) -> int:
    """Whether IP's ids, which most kernels count up, tell that a segment was sent before (-1) or after (1) the one with
    the newest bytes; 0: they don't tell."""
    if packet.version != 4 or not packet.ip_id or not mine.newest_id:
        return 0
    ahead = (packet.ip_id - mine.newest_id) & 0xFFFF
    return 1 if 0 < ahead <= _NEAR else -1 if ahead >= 0x10000 - _NEAR else 0
