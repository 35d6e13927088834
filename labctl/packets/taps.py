"""What a node's recorder saw at its taps, as one side of a ladder: what was sent before any fault, and what arrived.

The taps are named in the records' interfaces (`eth0:in`): `in` is what arrived, `out` what left where no fault was in
force (and so what was sent), `sent` what was sent before a fault looked at it, `left` what left after one did.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace

from labctl.packets.checksum import remainder
from labctl.packets.crossings import Side
from labctl.packets.decode import decode
from labctl.packets.link import RAW
from labctl.packets.model import Interface, Packet, Record

IN, OUT, LEFT, SENT = "in", "out", "left", "sent"
STATE = "recorder:state"  # an interface on which the recorder speaks of itself
MTU = 1500  # bytes of a packet, where nothing else is known


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
    for index, record in enumerate(records):
        tap = tap_of(record)
        if tap == SENT and len(record.data) > mtu:
            found[SENT] += [decode(piece, index, node) for piece in as_on_wire(record, mtu)]
        elif tap in found:
            found[tap].append(decode(record, index, node))
    sent = found[OUT] + (_timed(found[SENT], found[LEFT]) if logs else found[LEFT])
    ordered = [sorted(packets, key=lambda one: (one.ts_ns, one.index)) for packets in (sent, found[IN])]
    sent, arrived = ([replace(one, index=n) for n, one in enumerate(packets)] for packets in ordered)
    return Side(node, sent, arrived, addresses, kernel_drops, since_ns, until_ns)


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
    if packet.transport_offset < 0 or packet.protocol not in ("tcp", "udp"):
        return data
    at = packet.transport_offset - max(0, packet.network_offset) + (16 if packet.protocol == "tcp" else 6)
    return data[:at] + data[at + 2 :]


def as_on_wire(record: Record, mtu: int) -> list[Record]:
    """A packet that the kernel logged before it cut it up, as the pieces that it makes of it.

    UDP and ICMP are cut into fragments (RFC 791, section 3.2), TCP into segments, where a connection is older than the
    recording and its segmentation offload therefore still on. What can't be cut so is given back as it is.
    """
    data = record.data
    if not data or data[0] >> 4 != 4 or record.original_length > len(data):
        return [record]
    head = (data[0] & 15) * 4
    pieces = _segments(data, head, mtu) if data[9] == 6 else _fragments(data, head, mtu)
    where = Interface(record.interface.index, record.interface.name, RAW)
    return [Record(record.ts_ns, piece, len(piece), where) for piece in pieces]


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
    (ident,) = struct.unpack_from(">H", data, 4)
    (flags,) = struct.unpack_from(">H", data, 6)
    (seq,) = struct.unpack_from(">I", data, head + 4)
    out = []
    for number, at in enumerate(range(0, len(body), room)):
        tcp = bytearray(data[head : head + size])
        struct.pack_into(">I", tcp, 4, (seq + at) & 0xFFFFFFFF)
        if at + room < len(body):
            tcp[13] &= ~0x09  # FIN and PSH stand in the last one
        out.append(_headed(data[:head], bytes(tcp) + body[at : at + room], flags, (ident + number) & 0xFFFF))
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
