"""One TCP conversation as one observer sees it: each segment's relative numbers and what it is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from labctl.packets.model import ACK, FIN, RST, SYN, Packet, Tcp
from labctl.packets.tcp import receiving
from labctl.packets.tcp.ranges import Ranges
from labctl.packets.tcp.states import Ends

Kind = Literal["syn", "syn-ack", "handshake-ack", "data", "ack", "fin", "reset"]
Phase = Literal["handshake", "data", "close", "reset"]

_RTO = 200_000_000  # ns: no retransmission timer of Linux is shorter (RFC 6298 asks for a second)
# ns: what a fault dropped has the time when somebody read the log, which may be a little later than it was sent.
_SLACK = 50_000_000
_REORDERING = 3_000_000  # ns: a hole that is filled sooner was no loss but two segments that changed places
_WIDEST = 1 << 30  # bytes: no window is wider (RFC 7323, section 2.3)
_NEAR = 256  # IP ids: what was sent so shortly before or after another has an id so near to its


@dataclass(frozen=True, slots=True)
class Note:
    """Something to say of a segment: a word of the protocol, and what there is to add."""

    word: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.word} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment in its conversation.

    `seq` and `ack` count from the initial sequence numbers, and on past 2**32; `ack` is None without the flag.
    `window` is in bytes, scaled where both SYNs were seen (RFC 7323, section 2.3); None: its scale isn't known.
    `states` are those of the client and the server after it, as far as this observer saw (RFC 9293, section 3.3.2).
    """

    seq: int
    ack: int | None
    length: int
    window: int | None
    kind: Kind
    phase: Phase
    notes: tuple[Note, ...] = ()
    states: tuple[str, str] = ("", "")

    def said(self, word: str) -> bool:
        """The notes hold this word."""
        return any(note.word == word for note in self.notes)


@dataclass(slots=True)
class _Half:
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


class Conversation:
    """Takes the segments of one conversation in the order in which one observer saw them."""

    def __init__(self, first: Packet) -> None:
        # Who sends a SYN alone is the client; without a SYN, who speaks first.
        answers = first.tcp is not None and first.tcp.flags & (SYN | ACK) == SYN | ACK
        self.client = first.target if answers else first.source
        self.server = first.source if answers else first.target
        self._halves = {self.client: _Half(), self.server: _Half()}
        self.ends = Ends()
        self._established = not (first.tcp and first.tcp.has(SYN))

    def is_over_by(self, packet: Packet) -> bool:
        """This SYN begins another conversation between the same ports."""
        tcp = packet.tcp
        if tcp is None or not tcp.has(SYN) or tcp.has(RST):
            return False
        half, other = self._halves[packet.source], self._halves[packet.target]
        if tcp.has(ACK):  # it answers another SYN, which wasn't seen
            known = half.base is not None and other.base is not None
            return known and tcp.seq != half.base and (tcp.ack - 1) & 0xFFFFFFFF != other.base
        if half.syn:
            return tcp.seq != half.base
        # Its own SYN wasn't seen; it may yet come, as one that crosses the other's.
        is_reset = self.ends.client == self.ends.server == "CLOSED"
        return half.base is not None and (self._established or is_reset)

    def see(self, packet: Packet, *, keeps_alive: bool = False) -> Segment:
        """The next segment; `keeps_alive`: it is a keep-alive, as what follows tells."""
        tcp = receiving.header(packet)
        had_begun = self._halves[packet.source].syn
        stray = self._begins_anew(packet, tcp)
        if stray is not None and not stray:
            return self._not_taken(packet, tcp)
        mine, other = self._halves[packet.source], self._halves[packet.target]
        if keeps_alive and mine.base is None:
            mine.base, mine.next = tcp.seq, 1
        seq, ack = self._numbers(tcp, mine, other)
        length = receiving.length(packet)
        span = length + tcp.has(SYN) + tcp.has(FIN)
        kind = self._kind(tcp, mine, seq, ack, length)
        self._established = self._established or kind in ("data", "handshake-ack")
        notes = self._notes(packet, tcp, mine, other, seq, ack, span)
        notes += [Note("another initial sequence number", "it begins anew")] if stray and had_begun else []
        if tcp.has(SYN):
            mine.syn, mine.scale = True, tcp.window_scale
        window = self._window(tcp, mine, other)
        self._remember(packet, tcp, mine, other, seq, ack, span)
        self.ends.see(tcp.flags, packet.source == self.client, self._covers(other, ack), self._finished(other, ack))
        phase = self._phase(kind, other, ack)
        states = (self.ends.client, self.ends.server)
        return Segment(seq, ack, length, window, kind, phase, tuple(notes), states)

    def _begins_anew(self, packet: Packet, tcp: Tcp) -> bool | None:
        """An answer to a SYN with another initial sequence number than before (None: it is none), of a server that has
        forgotten the SYN or of another one: whether what was before counts no more. What is acknowledged goes on."""
        mine, other = self._halves[packet.source], self._halves[packet.target]
        if tcp.flags & (SYN | ACK) != SYN | ACK or mine.base is None or tcp.seq == mine.base:
            return None
        if other.acked is not None and other.acked >= 1:
            return False
        self._halves[packet.source] = _Half()
        other.acked, other.duplicates, other.sacked = None, 0, 0
        return True

    def _not_taken(self, packet: Packet, tcp: Tcp) -> Segment:
        """An answer to a SYN that was answered before, and differently: it changes nothing."""
        notes = (Note("another initial sequence number", "the first one was taken"),)
        states = (self.ends.client, self.ends.server)
        return Segment(0, 1, packet.payload_length, tcp.window, "syn-ack", "handshake", notes, states)

    def told_to_be_smaller(self, quoted: Packet, now: int) -> None:
        """An ICMP error said that a packet of this conversation was too big for the way (RFC 1191, RFC 8201)."""
        half = self._halves.get(quoted.source)
        if half is not None:
            half.smaller, half.smaller_at = half.next, now

    def dropped(self, packet: Packet) -> Segment | None:
        """A segment with a wrong checksum: its receiver drops it, so it changes nothing."""
        tcp = receiving.header(packet)
        mine, other = self._halves[packet.source], self._halves[packet.target]
        if mine.base is None or (tcp.has(ACK) and other.base is None):
            return None
        seq, ack = self._numbers(tcp, mine, other) if mine.syn or not tcp.has(SYN) else (0, None)
        length = receiving.length(packet)
        kind = self._kind(tcp, mine, seq, ack, length)
        window, phase = self._window(tcp, mine, other), self._phase(kind, other, ack)
        return Segment(seq, ack, length, window, kind, phase, (), (self.ends.client, self.ends.server))

    def _numbers(self, tcp: Tcp, mine: _Half, other: _Half) -> tuple[int, int | None]:
        if mine.base is None or (tcp.has(SYN) and not mine.syn and mine.next <= 1):
            # Without a SYN the first byte seen is number 1, as it would be after one.
            mine.base = tcp.seq if tcp.has(SYN) else (tcp.seq - 1) & 0xFFFFFFFF
            mine.next = 0 if tcp.has(SYN) else 1
        seq = mine.place(tcp.seq, mine.next)
        if not tcp.has(ACK):
            return seq, None
        if other.base is None:
            other.base = (tcp.ack - 1) & 0xFFFFFFFF
            other.next = 1
        return seq, other.place(tcp.ack, other.next)

    def _kind(self, tcp: Tcp, mine: _Half, seq: int, ack: int | None, length: int) -> Kind:
        if tcp.has(RST):
            return "reset"
        if tcp.has(SYN):
            return "syn-ack" if tcp.has(ACK) else "syn"
        if tcp.has(FIN):
            return "fin"
        if length:
            return "data"
        return "handshake-ack" if not self._established and ack == 1 and seq == 1 and mine.syn else "ack"

    def _phase(self, kind: Kind, other: _Half, ack: int | None) -> Phase:
        if kind == "reset":
            return "reset"
        if kind in ("syn", "syn-ack", "handshake-ack"):
            return "handshake"
        # After a half-close, what confirms data belongs to these; what confirms a FIN, to the close.
        return "close" if kind == "fin" or (kind == "ack" and self._finished(other, ack)) else "data"

    def _window(self, tcp: Tcp, mine: _Half, other: _Half) -> int | None:
        if tcp.has(SYN):
            return tcp.window
        if not (mine.syn and other.syn):
            return None
        scaled = mine.scale is not None and other.scale is not None
        return tcp.window << min(mine.scale or 0, 14) if scaled else tcp.window

    def _notes(
        self, packet: Packet, tcp: Tcp, mine: _Half, other: _Half, seq: int, ack: int | None, span: int
    ) -> list[Note]:
        notes: list[Note] = []
        plain = not tcp.has(SYN | FIN | RST)
        shut = other.window == 0
        probe = ""
        if plain and packet.payload_length <= 1 and mine.next > 0 and seq == mine.next - 1:
            everything = other.acked is None or other.acked >= mine.next
            if packet.payload_length == 0 or everything:
                probe = "window probe" if shut else "keep-alive"
        elif plain and packet.payload_length == 1 and shut and seq == mine.next:
            probe = "window probe"
        if probe:
            notes.append(Note(probe))
        elif mine.next > 0 and abs(seq - mine.next) > _WIDEST and not tcp.has(RST):
            notes.append(Note("out of window", "no window is as wide as its number is off"))
        elif span and seq < mine.next:
            crossed = tcp.flags & (SYN | ACK) == SYN | ACK and mine.syn and other.syn and not mine.answered
            notes.append(Note("simultaneous open") if crossed else _again(packet, mine, other, seq, span))
        elif seq > mine.next > 0 and not tcp.has(RST):
            notes.append(Note("gap", f"{seq - mine.next} B before it not seen"))
        elif plain and not span and tcp.has(ACK):
            notes += _acknowledges(packet, tcp, mine, other, seq, ack)
        if plain and tcp.window == 0:
            notes.append(Note("zero window"))
        mine.probing = probe
        return notes

    def _remember(
        self, packet: Packet, tcp: Tcp, mine: _Half, other: _Half, seq: int, ack: int | None, span: int
    ) -> None:
        now = packet.ts_ns
        if mine.next > 0 and abs(seq - mine.next) > _WIDEST:  # of another connection, or damaged
            return
        order = _order(packet, mine)
        if not mine.probing and not tcp.has(RST):  # a RST's number may be any (RFC 9293, section 3.10.7.1)
            if seq > mine.next > 0:
                mine.holes.put(mine.next, seq, now)
            elif span and seq < mine.next:
                mine.holes.remove(seq, seq + span)
            if span:
                mine.sent.put(seq, seq + span, now)
            if seq + span >= mine.next and packet.version == 4 and order >= 0:
                mine.newest_id = packet.ip_id or 0
            mine.next = max(mine.next, seq + span)
        if tcp.has(FIN) and mine.fin is None:
            mine.fin = seq + span
        if tcp.has(SYN):
            mine.answered = mine.answered or tcp.has(ACK)
            mine.early = span if span > 1 else mine.early
        # What was sent again, or overtaken, tells an old window (RFC 9293, section 3.10.7.4).
        is_new = order >= 0 and seq >= mine.told_window and (ack is None or mine.acked is None or ack >= mine.acked)
        if is_new and not tcp.has(RST):
            mine.window, mine.unscaled, mine.told_window = tcp.window, tcp.has(SYN), seq
        if ack is not None and not tcp.has(RST):
            _acknowledged(now, tcp, mine, other, ack)

    @staticmethod
    def _covers(other: _Half, ack: int | None) -> bool:
        return other.syn and ack is not None and ack >= 1

    @staticmethod
    def _finished(other: _Half, ack: int | None) -> bool:
        return other.fin is not None and ack is not None and ack >= other.fin


def _acknowledged(now: int, tcp: Tcp, mine: _Half, other: _Half, ack: int) -> None:
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


def _acknowledges(packet: Packet, tcp: Tcp, mine: _Half, other: _Half, seq: int, ack: int | None) -> list[Note]:
    """What a segment without data says besides: RFC 5681, section 2 on duplicates, RFC 9293, 3.8.6 on windows."""
    if ack is None:
        return []
    if mine.acked is None:  # the first that is seen of this end
        return [_answer(other)] if other.probing and ack == other.next else []
    is_same = ack == mine.acked and seq == mine.next
    changed = is_same and _order(packet, mine) >= 0 and _has_other_window(tcp, mine, other)
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
        again = Note("duplicate ACK", f"#{mine.duplicates}")
        return [again, Note("window update")] if changed and tcp.window else [again]
    return []


def _answer(other: _Half) -> Note:
    return Note(f"answer to {'keep-alive' if other.probing == 'keep-alive' else 'window probe'}")


def _has_other_window(tcp: Tcp, mine: _Half, other: _Half) -> bool:
    """The window isn't the end's last one (RFC 5681, section 2): a SYN's, which isn't scaled, may since be rounded."""
    if mine.window is None:
        return False
    if not mine.unscaled or mine.scale is None or other.scale is None:
        return tcp.window != mine.window
    scale = min(mine.scale, 14)
    return abs((tcp.window << scale) - mine.window) >= 1 << scale


def _came_twice(tcp: Tcp, other: _Half, ack: int) -> Note | None:
    """What a first block of SACK says that is below the acknowledgement, or within the second one (RFC 2883)."""
    if not tcp.sack or other.base is None:
        return None
    (start, end), *more = [(other.place(left, ack), other.place(right, ack)) for left, right in tcp.sack]
    if start < end <= ack or (more and more[0][0] <= start < end <= more[0][1]):
        return Note("D-SACK", f"bytes {start} to {end - 1} came twice")
    return None


def _again(packet: Packet, mine: _Half, other: _Half, seq: int, span: int) -> Note:
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
    order = _order(packet, mine)
    if since is not None and order < 0:
        return Note("out of order", "fills a gap")
    told = other.duplicates if other.acked == seq else 0
    recent = now - other.told_at < _RTO
    # What the other end asked for was lost, even where a hole was seen only just before.
    if recent and (told >= 2 or (mine.recovery is not None and seq < mine.recovery)):
        return _asked_for(mine, told, after)
    if since is not None:
        is_late = now - since < _REORDERING and order == 0
        return Note("out of order", "fills a gap") if is_late else Note("retransmission", "of what was not seen")
    if seq < mine.smaller and now - mine.smaller_at < _RTO:
        return Note("retransmission", f"smaller, after an ICMP error{after}")
    if recent and (told or other.sacked > seq + span):
        return _asked_for(mine, told, after)
    mine.recovery = None
    if tried is not None and now - tried >= _RTO - _SLACK:
        return Note("retransmission", f"by timeout{after}")
    return Note("retransmission", after.removeprefix(", "))


def _order(packet: Packet, mine: _Half) -> int:
    """Whether IP's ids, which most kernels count up, tell that a segment was sent before (-1) or after (1) the one with
    the newest bytes; 0: they don't tell."""
    if packet.version != 4 or not packet.ip_id or not mine.newest_id:
        return 0
    ahead = (packet.ip_id - mine.newest_id) & 0xFFFF
    return 1 if 0 < ahead <= _NEAR else -1 if ahead >= 0x10000 - _NEAR else 0


def _asked_for(mine: _Half, told: int, after: str) -> Note:
    """One that the other end's acknowledgements told to be lost: three duplicate ones (RFC 5681), fewer or SACK where
    times say so as well (RFC 8985)."""
    goes_on = mine.recovery is not None
    mine.recovery = mine.recovery if goes_on and not told else mine.next
    if told:
        word = "fast retransmission" if told >= 3 else "retransmission"
        return Note(word, f"after {told} duplicate ACK{'s' if told > 1 else ''}{after}")
    return Note("fast retransmission", f"{'of the same recovery' if goes_on else 'after SACK of later bytes'}{after}")


def milliseconds(nanoseconds: int) -> str:
    """0.12 ms, 3.4 ms, 210 ms, 1.20 s, 3600 s: seven characters, as long as it is within a day."""
    value = nanoseconds / 1e6
    if value >= 1000:
        return f"{value / 1000:.0f} s" if value >= 100_000 else f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"
