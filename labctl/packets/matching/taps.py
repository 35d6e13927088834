"""What a node's recorder saw at its taps, as one side of a ladder: what was sent before any fault, and what arrived.

The taps are named in the records' interfaces (`eth0:in`): `in` is what arrived, `out` what left where no fault was in
force (and so what was sent), `sent` what was sent before a fault looked at it, `left` what left after one did.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from labctl.packets.crossings import Side
from labctl.packets.model import Interface, Packet, Record
from labctl.packets.protocols import table
from labctl.packets.protocols.checksum import remainder
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.link import RAW
from labctl.packets.tcp.fragments import reassembled

IN, OUT, LEFT, SENT = "in", "out", "left", "sent"
STATE = "recorder:state"  # an interface on which the recorder speaks of itself
MTU = 1500  # bytes of a packet, where nothing else is known
BEFORE_FAULTS = " before faults"  # behind a node's name in a file: an interface with what it sent before faults
_SUMS = table().sums
_TCP, _FRAGMENT = 6, 44  # as next headers
_Left = dict[tuple[str, str, str, bytes], list[list[bytes]]]


def tap_of(record: Record) -> str:
    return record.interface.name.rpartition(":")[2]


def device_of(record: Record) -> str:
    return record.interface.name.rpartition(":")[0]


def side(
    node: str,
    records: Iterable[Record],
    *,
    addresses: tuple[str, ...] = (),
    kernel_drops: int = 0,
    since_ns: int | None = None,
    until_ns: int | None = None,
    logs: bool = True,
    mtu: int = MTU,
) -> Side:
    """One side of a ladder. Without `logs` the recorder could not see packets before a fault: what left stands in."""
    found: dict[str, list[Packet]] = {IN: [], OUT: [], LEFT: [], SENT: []}
    logged: list[tuple[int, Record]] = []
    for index, record in enumerate(records):
        tap = tap_of(record)
        if tap == SENT:
            logged.append((index, record))
        elif tap in found:
            found[tap].append(decode(record, index, node))
    mtu = max([mtu, *(packet.total_length for packet in found[LEFT])])  # a fault lets nothing go that is longer
    left = _fragments_of(found[LEFT]) if any(len(record.data) > mtu for _, record in logged) else {}
    for index, record in logged:
        pieces = as_on_wire(record, mtu, left) if len(record.data) > mtu else [record]
        found[SENT] += [decode(piece, index, node) for piece in pieces]
    sent = found[OUT] + (_timed(found[SENT], found[LEFT]) if logs else found[LEFT])
    ordered = [sorted(packets, key=lambda one: (one.ts_ns, one.index)) for packets in (sent, found[IN])]
    sent, arrived = ([replace(one, index=n) for n, one in enumerate(packets)] for packets in ordered)
    return Side(node, sent, arrived, addresses, kernel_drops, since_ns, until_ns)


def sent_once(packets: Sequence[Packet]) -> list[Packet]:
    """The packets of a file as labctl writes it, in which what a fault let through stands twice, without those that
    then left: what was sent before the fault counts."""
    logged = Counter(
        (packet.node.removesuffix(BEFORE_FAULTS), _network(packet))
        for packet in packets
        if packet.node.endswith(BEFORE_FAULTS)
    )
    if not logged:
        return list(packets)
    left: dict[tuple[str, bytes], list[int]] = {}
    kept = []
    for packet in packets:
        key = packet.node, _network(packet)
        if len(left.get(key, ())) < logged[key]:
            left.setdefault(key, []).append(packet.ts_ns)
        else:
            kept.append(packet)
    out = []
    for packet in kept:
        times = left.get((packet.node.removesuffix(BEFORE_FAULTS), _network(packet)))
        if times and packet.node.endswith(BEFORE_FAULTS):  # the log's time is that of its reading
            packet = replace(packet, ts_ns=min(packet.ts_ns, times.pop(0)))
        out.append(packet)
    return out


def _timed(sent: Sequence[Packet], left: Sequence[Packet]) -> list[Packet]:
    """The packets with better times: the log's are taken when it is read, which may be after a packet has left."""
    waiting: dict[bytes, list[int]] = {}
    for packet in left:
        waiting.setdefault(_network(packet), []).append(packet.ts_ns)
    out = []
    for packet in sent:
        times = waiting.get(_network(packet))
        if times and times[0] < packet.ts_ns:
            packet = replace(packet, ts_ns=times.pop(0))
        out.append(packet)
    # The log is in the order of sending: what was sent before a later packet was sent by then.
    for place in range(len(out) - 2, -1, -1):
        if out[place].ts_ns > out[place + 1].ts_ns:
            out[place] = replace(out[place], ts_ns=out[place + 1].ts_ns)
    return out


def _network(packet: Packet) -> bytes:
    """What a packet is, from its IP header on, but for checksums that the way to the wire completes."""
    data = packet.record.data[max(0, packet.network_offset) :]
    if packet.transport_offset < 0 or packet.protocol not in table().with_ports:
        return data
    at = packet.transport_offset - max(0, packet.network_offset) + _SUMS[packet.protocol]
    return data[:at] + data[at + 2 :]


def as_on_wire(record: Record, mtu: int, left: _Left | None = None) -> list[Record]:
    """A packet that the kernel logged before it cut it up, as the pieces that it makes of it.

    UDP and ICMP are cut into fragments (RFC 791, section 3.2; RFC 8200, section 4.5), TCP into segments, where a
    connection is older than the recording and its segmentation offload therefore still on. What can't be cut so is
    given back as it is. IPv6 gives its fragments an id that only those tell that have `left`.
    """
    data = record.data
    if not data or record.original_length > len(data):
        return [record]
    if data[0] >> 4 == 6:
        pieces = _pieces_6(record, mtu, left or {})
    elif data[0] >> 4 == 4:
        head = (data[0] & 15) * 4
        pieces = _segments(data, head, mtu) if data[9] == _TCP else _fragments(data, head, mtu)
    else:
        return [record]
    where = Interface(record.interface.index, record.interface.name, RAW)
    # The kernel cuts TCP up before it hands it to a fault, which so judges each segment, and datagrams after that.
    whole = None if (data[6] if data[0] >> 4 == 6 else data[9]) == _TCP else record
    return [Record(record.ts_ns, piece, len(piece), where, piece_of=whole) for piece in pieces]


def segments_of(record: Record, mtu: int = MTU) -> list[Record]:
    """A merged TCP segment, as the kernel logged it before a fault looked at it, as the segments that it judges one by
    one; all else as it is: a fault judges a datagram whole."""
    data = record.data
    if tap_of(record) != SENT or len(data) <= mtu or not data:
        return [record]
    return as_on_wire(record, mtu) if data[6 if data[0] >> 4 == 6 else 9] == _TCP else [record]


def _fragments_of(packets: Sequence[Packet]) -> _Left:
    """The fragments of IPv6 datagrams that left, by what they were made of."""
    out: _Left = {}
    for datagram in reassembled(packets):
        if datagram.payload is not None and ":" in datagram.src:
            key = datagram.src, datagram.dst, datagram.protocol, _unsummed(datagram.protocol, datagram.payload)
            parts = [packets[place] for place in datagram.parts]
            out.setdefault(key, []).append([_from_network(one) for one in parts])
    return out


def _pieces_6(record: Record, mtu: int, left: _Left) -> list[bytes]:
    data = record.data
    if data[6] == _TCP:
        return _segments(data, 40, mtu)
    packet = decode(record)
    if packet.transport_offset != 40 or packet.protocol not in _SUMS:
        return [data]
    waiting = left.get((packet.src, packet.dst, packet.protocol, _unsummed(packet.protocol, data[40:])))
    return waiting.pop(0) if waiting else _fragments_6(data, mtu)


def _from_network(packet: Packet) -> bytes:
    return packet.record.data[packet.network_offset : packet.network_offset + packet.total_length]


def _unsummed(protocol: str, body: bytes) -> bytes:
    """What IP carries without its checksum, which the way to the wire may complete."""
    at = _SUMS.get(protocol, len(body))
    return body[:at] + body[at + 2 :]


def _fragments_6(data: bytes, mtu: int) -> list[bytes]:
    """Of a datagram that never left: nobody gave its fragments an id."""
    room = (mtu - 48) & ~7
    body = data[40:]
    out = []
    for at in range(0, len(body), room):
        more = at + room < len(body)
        piece = struct.pack(">BBHI", data[6], 0, at | more, 0) + body[at : at + room]
        out.append(data[:4] + struct.pack(">HB", len(piece), _FRAGMENT) + data[7:40] + piece)
    return out


def _fragments(data: bytes, head: int, mtu: int) -> list[bytes]:
    room = (mtu - head) & ~7
    body = data[head:]
    (flags,) = struct.unpack_from(">H", data, 6)
    out = []
    for at in range(0, len(body), room):
        more = 0x2000 if at + room < len(body) else 0
        out.append(_headed(data[:head], body[at : at + room], flags & 0x4000 | more | at // 8, None))
    return out


def _segments(data: bytes, head: int, mtu: int) -> list[bytes]:
    size = (data[head + 12] >> 4) * 4
    room = mtu - head - size
    body = data[head + size :]
    ident, flags = struct.unpack_from(">HH", data, 4)
    (seq,) = struct.unpack_from(">I", data, head + 4)
    out = []
    for number, at in enumerate(range(0, len(body), room)):
        tcp = bytearray(data[head : head + size])
        struct.pack_into(">I", tcp, 4, (seq + at) & 0xFFFFFFFF)
        if at + room < len(body):
            tcp[13] &= ~0x09  # FIN and PSH stand in the last one
        piece = bytes(tcp) + body[at : at + room]
        if head == 40 and data[0] >> 4 == 6:
            out.append(data[:4] + struct.pack(">H", len(piece)) + data[6:40] + piece)
        else:
            out.append(_headed(data[:head], piece, flags, (ident + number) & 0xFFFF))
    return out


def _headed(head: bytes, body: bytes, flags: int, ident: int | None) -> bytes:
    made = bytearray(head)
    struct.pack_into(">H", made, 2, len(head) + len(body))
    if ident is not None:
        struct.pack_into(">H", made, 4, ident)
    struct.pack_into(">HH", made, 6, flags, made[8] << 8 | made[9])
    struct.pack_into(">H", made, 10, 0)
    struct.pack_into(">H", made, 10, 0xFFFF - remainder(bytes(made)))
    return bytes(made) + body
