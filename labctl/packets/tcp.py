"""One TCP conversation as one observer sees it: each segment's relative numbers and what it is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from labctl.packets.model import ACK, FIN, RST, SYN, Packet, Tcp
from labctl.packets.states import Ends

Kind = Literal["syn", "syn-ack", "handshake-ack", "data", "ack", "fin", "reset"]
Phase = Literal["handshake", "data", "close", "reset"]

_RTO = 200_000_000  # ns: no retransmission timer of Linux is shorter (RFC 6298 asks for a second)
_REORDERING = 3_000_000  # ns: a hole that is filled sooner was no loss but two segments that changed places


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
    acked: int | None = None  # the last that it acknowledged of the other's
    duplicates: int = 0
    duplicate_at: int = 0
    recovery: int | None = None  # this end resends all lost below this (RFC 6582)
    fin: int | None = None
    probing: str = ""
    holes: list[tuple[int, int, int]] = field(default_factory=list)  # from, to, since when
    sent: dict[int, int] = field(default_factory=dict)  # position -> when it was last sent

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
        if tcp is None or tcp.flags & (SYN | ACK) != SYN:
            return False
        half = self._halves[packet.source]
        if half.syn:
            return tcp.seq != half.base
        # Its own SYN wasn't seen; it may yet come, as one that crosses the other's.
        is_reset = self.ends.client == self.ends.server == "CLOSED"
        return half.base is not None and (self._established or is_reset)

    def see(self, packet: Packet) -> Segment:
        """The next segment."""
        tcp = packet.tcp
        assert tcp is not None
        mine, other = self._halves[packet.source], self._halves[packet.target]
        seq, ack = self._numbers(tcp, mine, other)
        length = packet.payload_length
        span = length + tcp.has(SYN) + tcp.has(FIN)
        kind = self._kind(tcp, mine, seq, ack, length)
        self._established = self._established or kind in ("data", "handshake-ack")
        notes = self._notes(packet, tcp, mine, other, seq, ack, span)
        if tcp.has(SYN):
            mine.syn, mine.scale = True, tcp.window_scale
        window = self._window(tcp, mine, other)
        self._remember(packet.ts_ns, tcp, mine, other, seq, ack, span)
        self.ends.see(tcp.flags, packet.source == self.client, self._covers(other, ack), self._finished(other, ack))
        phase = self._phase(kind, other, ack)
        states = (self.ends.client, self.ends.server)
        return Segment(seq, ack, length, window, kind, phase, tuple(notes), states)

    def dropped(self, packet: Packet) -> Segment | None:
        """A segment with a wrong checksum: its receiver drops it, so it changes nothing."""
        tcp = packet.tcp
        assert tcp is not None
        mine, other = self._halves[packet.source], self._halves[packet.target]
        if mine.base is None or (tcp.has(ACK) and other.base is None):
            return None
        seq, ack = self._numbers(tcp, mine, other) if mine.syn or not tcp.has(SYN) else (0, None)
        length = packet.payload_length
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
        elif span and seq < mine.next:
            notes.append(_again(packet.ts_ns, mine, other, seq, span))
        elif span and seq > mine.next and mine.next > 0:
            notes.append(Note("gap", f"{seq - mine.next} B before it not seen"))
        elif plain and not span and tcp.has(ACK):
            notes += _acknowledges(packet, tcp, mine, other, seq, ack)
        if plain and tcp.window == 0:
            notes.append(Note("zero window"))
        mine.probing = probe
        return notes

    def _remember(self, now: int, tcp: Tcp, mine: _Half, other: _Half, seq: int, ack: int | None, span: int) -> None:
        if span and not mine.probing:
            if seq > mine.next > 0:
                mine.holes.append((mine.next, seq, now))
            elif seq < mine.next and mine.holes:
                mine.holes = _filled(mine.holes, seq, seq + span)
            mine.sent[seq] = now
        if not mine.probing:
            mine.next = max(mine.next, seq + span)
        if tcp.has(FIN) and mine.fin is None:
            mine.fin = seq + span
        if ack is not None:
            if mine.acked is None or ack > mine.acked:
                mine.acked, mine.duplicates = ack, 0
            if other.recovery is not None and ack >= other.recovery:
                other.recovery = None
            other.probing = ""
        if not tcp.has(RST | SYN):  # a SYN's window isn't scaled, so it can't be compared with the next one
            mine.window = tcp.window

    @staticmethod
    def _covers(other: _Half, ack: int | None) -> bool:
        return other.syn and ack is not None and ack >= 1

    @staticmethod
    def _finished(other: _Half, ack: int | None) -> bool:
        return other.fin is not None and ack is not None and ack >= other.fin


def _acknowledges(packet: Packet, tcp: Tcp, mine: _Half, other: _Half, seq: int, ack: int | None) -> list[Note]:
    """What a segment without data says besides: RFC 5681, section 2 on duplicates, RFC 9293, 3.8.6 on windows."""
    if ack is None or mine.acked is None or ack != mine.acked or seq != mine.next:
        return []
    changed = mine.window is not None and tcp.window != mine.window
    if other.probing:
        answer = Note(f"answer to {'keep-alive' if other.probing == 'keep-alive' else 'window probe'}")
        return [answer, Note("window update")] if changed and tcp.window else [answer]
    outstanding = other.next > ack
    if changed and not (tcp.sack and outstanding):
        return [Note("window update")] if tcp.window else []
    if outstanding or tcp.sack:
        mine.duplicates += 1
        mine.duplicate_at = packet.ts_ns
        return [Note("duplicate ACK", f"#{mine.duplicates}")]
    return []


def _again(now: int, mine: _Half, other: _Half, seq: int, span: int) -> Note:
    """A segment with bytes that come before the newest: sent again, or late."""
    for start, end, since in mine.holes:
        if seq < end and seq + span > start:
            if now - since < _REORDERING:
                return Note("out of order", "fills a gap")
            return Note("retransmission", "of what was not seen")
    first = mine.sent.get(seq)
    after = "" if first is None else f", {milliseconds(now - first)} after the last try"
    told = other.duplicates if other.acked == seq else 0
    recent = now - other.duplicate_at < _RTO
    if told >= 3 and recent:
        mine.recovery = mine.next
        return Note("fast retransmission", f"after {told} duplicate ACKs{after}")
    if mine.recovery is not None and seq < mine.recovery and recent:
        return Note("fast retransmission", f"of the same recovery{after}")
    if told and recent:
        return Note("retransmission", f"after {told} duplicate ACK{'s' if told > 1 else ''}{after}")
    return Note("retransmission", f"by timeout{after}")


def _filled(holes: list[tuple[int, int, int]], start: int, end: int) -> list[tuple[int, int, int]]:
    out = []
    for low, high, since in holes:
        if low < start:
            out.append((low, min(high, start), since))
        if high > end:
            out.append((max(low, end), high, since))
    return [hole for hole in out if hole[0] < hole[1]]


def milliseconds(nanoseconds: int) -> str:
    """0.12 ms, 3.4 ms, 210 ms, 1.20 s, 3600 s: seven characters, as long as it is within a day."""
    value = nanoseconds / 1e6
    if value >= 1000:
        return f"{value / 1000:.0f} s" if value >= 100_000 else f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"
