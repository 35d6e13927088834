"""Packets for tests: hosts that send to each other on a wire with a clock, on which anything can go wrong."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dpkt

from labctl.packets.crossings import Side, Verdict
from labctl.packets.model import ACK, FIN, PSH, SYN, Interface, Packet, Record
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.link import RAW

BEGIN = 1_763_800_000_123_456_789  # ns
MS = 1_000_000


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def summed(src: str, dst: str, number: int, body: bytes, at: int) -> bytes:
    """The segment with its checksum, by dpkt's own arithmetic and not by ours."""
    one, other = packed(src), packed(dst)
    if len(one) == 4:
        pseudo = struct.pack(">4s4sxBH", one, other, number, len(body))
    else:
        pseudo = struct.pack(">16s16sI3xB", one, other, len(body), number)
    found = dpkt.in_cksum_done(dpkt.in_cksum_add(dpkt.in_cksum_add(0, pseudo), body)) or (0xFFFF if number == 17 else 0)
    return body[:at] + struct.pack(">H", found) + body[at + 2 :]


def ip(src: str, dst: str, number: int, body: bytes, *, id: int = 0, ttl: int = 64, flags: int = 0x4000) -> bytes:
    """An IP packet of either version; `flags` are the 16 bits with the fragment offset."""
    if ":" in src:
        return struct.pack(">IHBB16s16s", 6 << 28, len(body), number, ttl, packed(src), packed(dst)) + body
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), id, flags, ttl, number, 0, packed(src), packed(dst))
    return head[:10] + struct.pack(">H", dpkt.in_cksum(head)) + head[12:] + body


def tcp(
    src: str,
    sport: int,
    dst: str,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    data: bytes = b"",
    *,
    window: int = 502,
    options: bytes = b"",
    **more: Any,
) -> bytes:
    options += b"\x01" * (-len(options) % 4)
    head = struct.pack(
        ">HHIIBBHHH",
        sport,
        dport,
        seq % 2**32,
        ack % 2**32,
        (5 + len(options) // 4) << 4,
        flags,
        window,
        0,
        0,
    )
    return ip(src, dst, 6, summed(src, dst, 6, head + options + data, 16), **more)


def udp(src: str, sport: int, dst: str, dport: int, data: bytes = b"", **more: Any) -> bytes:
    head = struct.pack(">HHHH", sport, dport, 8 + len(data), 0)
    return ip(src, dst, 17, summed(src, dst, 17, head + data, 6), **more)


def icmp(src: str, dst: str, kind: int, code: int, rest: bytes, **more: Any) -> bytes:
    body = struct.pack(">BBH", kind, code, 0) + rest
    if ":" in src:
        return ip(src, dst, 58, summed(src, dst, 58, body, 2), **more)
    return ip(src, dst, 1, body[:2] + struct.pack(">H", dpkt.in_cksum(body)) + body[4:], **more)


def mss(value: int = 1460) -> bytes:
    return struct.pack(">BBH", 2, 4, value)


def scale(value: int = 7) -> bytes:
    return struct.pack(">BBBB", 1, 3, 3, value)


def packet(data: bytes, at: int = 0, index: int = 0, node: str = "", link_type: int = RAW, order: str = "<") -> Packet:
    return decode(Record(BEGIN + at, data, len(data), Interface(0, "eth0", link_type, order)), index, node)


@dataclass
class Wire:
    """Two captures and the clock: what a node sends is there at once, and arrives after `latency`, or as it is told."""

    names: dict[str, Any] = field(default_factory=lambda: {"10.77.0.11": "alice", "10.77.0.12": "bob"})
    latency: int = 120_000
    now: int = 0
    sent: dict[str, Any] = field(default_factory=dict)
    arrived: dict[str, Any] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    ids: int = 0x100

    def send(
        self,
        data: bytes,
        *,
        lost: bool = False,
        late: int = 0,
        copies: Sequence[int] = (),
        arrives: bytes | None = None,
        by: Sequence[tuple[str, str]] = (),
        to: str | None = None,
    ) -> Packet:
        """`data` goes out now. `late` (ns) more than usual, `copies` (ns) after the first, `arrives` other, or lost."""
        found = packet(data, self.now)
        source, target = self.names.get(found.src, found.src), to or self.names.get(found.dst)
        self.sent.setdefault(source, []).append((self.now, data))
        if by:
            for rule, action in by:
                self.verdicts.append(verdict(found, source, rule, action, self.now + 10_000))
        if not lost and target:
            for extra in (0, *copies):
                self.arrived.setdefault(target, []).append((self.now + self.latency + late + extra, arrives or data))
        self.now += 200_000
        return found

    def stray(self, node: str, data: bytes) -> None:
        """Arrives at a node, and no node has sent it."""
        self.arrived.setdefault(node, []).append((self.now + self.latency, data))
        self.now += 200_000

    def wait(self, milliseconds: float) -> None:
        self.now += int(milliseconds * MS)

    def id(self) -> int:
        self.ids += 1
        return self.ids

    def side(self, name: str, **more: Any) -> Side:
        mine = tuple(address for address, owner in self.names.items() if owner == name)
        sent = [packet(data, at, n, name) for n, (at, data) in enumerate(self.sent.get(name, []))]
        arrivals = sorted(self.arrived.get(name, []), key=lambda item: item[0])
        arrived = [packet(data, at, n, name) for n, (at, data) in enumerate(arrivals)]
        return Side(name, sent, arrived, mine, **more)

    def sides(self) -> list[Side]:
        return [self.side(name) for name in dict.fromkeys(self.names.values())]


def verdict(found: Packet, node: str, rule: str, action: str, at: int, **more: Any) -> Verdict:
    seq = found.tcp.seq if found.tcp else None
    return Verdict(
        BEGIN + at,
        node,
        rule,
        action,
        found.src,
        found.sport,
        found.dst,
        found.dport,
        found.protocol,
        seq,
        found.total_length,
        found.ip_id,
        **more,
    )


class Peer:
    """One end of a TCP connection, which knows its own numbers; what it is told to do it does."""

    def __init__(
        self,
        wire: Wire,
        host: str,
        port: int,
        other: str,
        other_port: int,
        *,
        isn: int = 1000,
        window: int = 502,
        scaling: int = 7,
    ) -> None:
        self.wire, self.host, self.port, self.other, self.other_port = wire, host, port, other, other_port
        self.seq, self.ack, self.window, self.scaling = isn, 0, window, scaling

    def segment(
        self,
        flags: int,
        data: bytes = b"",
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        options: bytes = b"",
        **more: Any,
    ) -> None:
        self.wire.send(
            tcp(
                self.host,
                self.port,
                self.other,
                self.other_port,
                self.seq if seq is None else seq,
                (self.ack if ack is None else ack) if flags & ACK else 0,
                flags,
                data,
                window=self.window if window is None else window,
                options=options,
                id=self.wire.id(),
            ),
            **more,
        )
        if seq is None:
            self.seq += len(data) + bool(flags & SYN) + bool(flags & FIN)

    def syn(self, flags: int = SYN, **more: Any) -> None:
        self.segment(flags, options=mss() + scale(self.scaling), window=64240, **more)

    def say(self, data: bytes, **more: Any) -> None:
        self.segment(PSH | ACK, data, **more)

    def confirm(self, number: int | None = None, **more: Any) -> None:
        if number is not None:
            self.ack = number
        self.segment(ACK, **more)

    def fin(self, **more: Any) -> None:
        self.segment(FIN | ACK, **more)


def connected(
    wire: Wire | None = None, *, isn: int = 1000, other_isn: int = 5000, data: bool = True, **more: Any
) -> tuple[Wire, Peer, Peer]:
    """Two ends after a handshake."""
    wire = wire or Wire()
    a, b = list(wire.names)[:2]
    alice = Peer(wire, a, 40022, b, 80, isn=isn, **more)
    bob = Peer(wire, b, 80, a, 40022, isn=other_isn)
    alice.syn()
    bob.ack = alice.seq
    bob.syn(SYN | ACK)
    alice.confirm(bob.seq)
    return wire, alice, bob
