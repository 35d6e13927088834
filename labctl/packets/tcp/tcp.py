"""One TCP conversation as one observer sees it: each segment's relative numbers and what it is for."""

from __future__ import annotations

from labctl.packets.model import ACK, FIN, RST, SYN, Packet, Tcp
from labctl.packets.tcp import receiving
from labctl.packets.tcp.half import Half, acknowledged, order
from labctl.packets.tcp.remarks import acknowledges, again
from labctl.packets.tcp.segment import Kind, Note, Phase, Segment
from labctl.packets.tcp.states import Ends

_WIDEST = 1 << 30  # bytes: no window is wider (RFC 7323, section 2.3)


class Conversation:
    """Takes the segments of one conversation in the order in which one observer saw them."""

    def __init__(self, first: Packet) -> None:
        # Who sends a SYN alone is the client; without a SYN, who speaks first.
        answers = first.tcp is not None and first.tcp.flags & (SYN | ACK) == SYN | ACK
        self.client = first.target if answers else first.source
        self.server = first.source if answers else first.target
        self._halves = {self.client: Half(), self.server: Half()}
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
        self._halves[packet.source] = Half()
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

    def _numbers(self, tcp: Tcp, mine: Half, other: Half) -> tuple[int, int | None]:
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

    def _kind(self, tcp: Tcp, mine: Half, seq: int, ack: int | None, length: int) -> Kind:
        if tcp.has(RST):
            return "reset"
        if tcp.has(SYN):
            return "syn-ack" if tcp.has(ACK) else "syn"
        if tcp.has(FIN):
            return "fin"
        if length:
            return "data"
        return "handshake-ack" if not self._established and ack == 1 and seq == 1 and mine.syn else "ack"

    def _phase(self, kind: Kind, other: Half, ack: int | None) -> Phase:
        if kind == "reset":
            return "reset"
        if kind in ("syn", "syn-ack", "handshake-ack"):
            return "handshake"
        # After a half-close, what confirms data belongs to these; what confirms a FIN, to the close.
        return "close" if kind == "fin" or (kind == "ack" and self._finished(other, ack)) else "data"

    def _window(self, tcp: Tcp, mine: Half, other: Half) -> int | None:
        if tcp.has(SYN):
            return tcp.window
        if not (mine.syn and other.syn):
            return None
        scaled = mine.scale is not None and other.scale is not None
        return tcp.window << min(mine.scale or 0, 14) if scaled else tcp.window

    def _notes(
        self, packet: Packet, tcp: Tcp, mine: Half, other: Half, seq: int, ack: int | None, span: int
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
            notes.append(Note("simultaneous open") if crossed else again(packet, mine, other, seq, span))
        elif seq > mine.next > 0 and not tcp.has(RST):
            notes.append(Note("gap", f"{seq - mine.next} B before it not seen"))
        elif plain and not span and tcp.has(ACK):
            notes += acknowledges(packet, tcp, mine, other, seq, ack)
        if plain and tcp.window == 0:
            notes.append(Note("zero window"))
        mine.probing = probe
        return notes

    def _remember(
        self, packet: Packet, tcp: Tcp, mine: Half, other: Half, seq: int, ack: int | None, span: int
    ) -> None:
        now = packet.ts_ns
        if mine.next > 0 and abs(seq - mine.next) > _WIDEST:  # of another connection, or damaged
            return
        place = order(packet, mine)
        if not mine.probing and not tcp.has(RST):  # a RST's number may be any (RFC 9293, section 3.10.7.1)
            if seq > mine.next > 0:
                mine.holes.put(mine.next, seq, now)
            elif span and seq < mine.next:
                mine.holes.remove(seq, seq + span)
            if span:
                mine.sent.put(seq, seq + span, now)
            if seq + span >= mine.next and packet.version == 4 and place >= 0:
                mine.newest_id = packet.ip_id or 0
            mine.next = max(mine.next, seq + span)
        if tcp.has(FIN) and mine.fin is None:
            mine.fin = seq + span
        if tcp.has(SYN):
            mine.answered = mine.answered or tcp.has(ACK)
            mine.early = span if span > 1 else mine.early
        # What was sent again, or overtaken, tells an old window (RFC 9293, section 3.10.7.4).
        is_new = place >= 0 and seq >= mine.told_window and (ack is None or mine.acked is None or ack >= mine.acked)
        if is_new and not tcp.has(RST):
            mine.window, mine.unscaled, mine.told_window = tcp.window, tcp.has(SYN), seq
        if ack is not None and not tcp.has(RST):
            acknowledged(now, tcp, mine, other, ack)

    @staticmethod
    def _covers(other: Half, ack: int | None) -> bool:
        return other.syn and ack is not None and ack >= 1

    @staticmethod
    def _finished(other: Half, ack: int | None) -> bool:
        return other.fin is not None and ack is not None and ack >= other.fin
