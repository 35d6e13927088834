"""What there is to say of a TCP segment: sent again, and why; a duplicate acknowledgement; another window."""

from __future__ import annotations

from labctl.packets.model import Packet, Tcp
from labctl.packets.tcp.half import Half, order
from labctl.packets.tcp.segment import Note, milliseconds

_RTO = 200_000_000  # ns: no retransmission timer of Linux is shorter (RFC 6298 asks for a second)
# ns: what a fault dropped has the time when somebody read the log, which may be a little later than it was sent.
_SLACK = 50_000_000
_REORDERING = 3_000_000  # ns: a hole that is filled sooner was no loss but two segments that changed places


def acknowledges(packet: Packet, tcp: Tcp, mine: Half, other: Half, seq: int, ack: int | None) -> list[Note]:
    """What a segment without data says besides: RFC 5681, section 2 on duplicates, RFC 9293, 3.8.6 on windows."""
    if ack is None:
        return []
    if mine.acked is None:  # the first that is seen of this end
        return [_answer(other)] if other.probing and ack == other.next else []
    is_same = ack == mine.acked and seq == mine.next
    changed = is_same and order(packet, mine) >= 0 and _has_other_window(tcp, mine, other)
    if not other.probing and (twice := _came_twice(tcp, other, ack)):
        return [twice, Note("window update")] if changed and tcp.window else [twice]
    if not is_same:
        return []
    if other.probing:
        return [_answer(other), Note("window update")] if changed and tcp.window else [_answer(other)]
    outstanding = other.next > ack
    if changed and not (tcp.sack and outstanding):
        return [Note("window update")] if tcp.window else []
    if outstanding or tcp.sack:
        mine.duplicates += 1
        mine.told_at = packet.ts_ns
        duplicate = Note("duplicate ACK", f"#{mine.duplicates}")
        return [duplicate, Note("window update")] if changed and tcp.window else [duplicate]
    return []


def _answer(other: Half) -> Note:
    return Note(f"answer to {'keep-alive' if other.probing == 'keep-alive' else 'window probe'}")


def _has_other_window(tcp: Tcp, mine: Half, other: Half) -> bool:
    """The window isn't the end's last one (RFC 5681, section 2): a SYN's, which isn't scaled, may since be rounded."""
    if mine.window is None:
        return False
    if not mine.unscaled or mine.scale is None or other.scale is None:
        return tcp.window != mine.window
    scale = min(mine.scale, 14)
    return abs((tcp.window << scale) - mine.window) >= 1 << scale


def _came_twice(tcp: Tcp, other: Half, ack: int) -> Note | None:
    """What a first block of SACK says that is below the acknowledgement, or within the second one (RFC 2883)."""
    if not tcp.sack or other.base is None:
        return None
    (start, end), *more = [(other.place(left, ack), other.place(right, ack)) for left, right in tcp.sack]
    if start < end <= ack or (more and more[0][0] <= start < end <= more[0][1]):
        return Note("D-SACK", f"bytes {start} to {end - 1} came twice")
    return None


def again(packet: Packet, mine: Half, other: Half, seq: int, span: int) -> Note:
    """A segment with bytes that come before the newest: sent again, or late."""
    now = packet.ts_ns
    if other.acked is not None and seq + span <= other.acked <= mine.next:
        return Note("spurious retransmission", "it had arrived")
    if seq >= 1 and seq < mine.early and other.acked == 1:
        mine.early = 0
        return Note("retransmission", "the SYN's data was not taken")
    tried = mine.sent.time(seq, seq + 1)
    after = "" if tried is None else f", {milliseconds(now - tried)} after the last try"
    since = mine.holes.time(seq, seq + span)
    place = order(packet, mine)
    if since is not None and place < 0:
        return Note("out of order", "fills a gap")
    told = other.duplicates if other.acked == seq else 0
    recent = now - other.told_at < _RTO
    # What the other end asked for was lost, even where a hole was seen only just before.
    if recent and (told >= 2 or (mine.recovery is not None and seq < mine.recovery)):
        return _asked_for(mine, told, after)
    if since is not None:
        is_late = now - since < _REORDERING and place == 0
        return Note("out of order", "fills a gap") if is_late else Note("retransmission", "of what was not seen")
    if seq < mine.smaller and now - mine.smaller_at < _RTO:
        return Note("retransmission", f"smaller, after an ICMP error{after}")
    if recent and (told or other.sacked > seq + span):
        return _asked_for(mine, told, after)
    mine.recovery = None
    if tried is not None and now - tried >= _RTO - _SLACK:
        return Note("retransmission", f"by timeout{after}")
    return Note("retransmission", after.removeprefix(", "))


def _asked_for(mine: Half, told: int, after: str) -> Note:
    """One that the other end's acknowledgements told to be lost: three duplicate ones (RFC 5681), fewer or SACK where
    times say so as well (RFC 8985)."""
    goes_on = mine.recovery is not None
    mine.recovery = mine.recovery if goes_on and not told else mine.next
    if told:
        word = "fast retransmission" if told >= 3 else "retransmission"
        return Note(word, f"after {told} duplicate ACK{'s' if told > 1 else ''}{after}")
    return Note("fast retransmission", f"{'of the same recovery' if goes_on else 'after SACK of later bytes'}{after}")
