"""Records to packets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter

from labctl.packets.model import Icmp, Packet, Record
from labctl.packets.protocols import table
from labctl.packets.protocols.carried import Carried, Upper
from labctl.packets.protocols.ending import held, is_cut
from labctl.packets.protocols.frame import unwrapped
from labctl.packets.protocols.kind import Fields
from labctl.packets.protocols.network.header import ends_early

_TABLE = table()
_decoded = attrgetter(*Packet.__match_args__[4:])  # all that comes of a record's bytes


def decode_all(records: Iterable[Record], node: str = "") -> Iterator[Packet]:
    """Each record as a packet, numbered from 0. `node` empty: the name of the record's own interface."""
    for index, record in enumerate(records):
        yield decode(record, index, node)


def decode(record: Record, index: int = 0, node: str = "") -> Packet:
    """One record as a packet. Never raises: what can't be decoded is said in `malformed` or `unread`."""
    found = unwrapped(record)
    fields: Fields = {"payload_offset": found.offset, "vlans": found.vlans}
    fields |= {"malformed": found.malformed, "unread": found.unread}
    data = record.data[: found.end]
    row = _TABLE.networks.get(found.ethertype)
    if row is None:
        name = found.protocol or (_TABLE.ethertype_name(found.ethertype) if found.ethertype else "unknown")
        inner = {"protocol": name, "payload": data[found.offset :], "payload_length": len(data) - found.offset}
        if is_cut(record) and not (found.malformed or found.unread):
            inner["unread"] = held(record)
    else:
        room = record.original_length if found.end == len(record.data) or is_cut(record) else found.end
        room = max(room, len(data))  # a file may say that less was on the wire than it has
        if row.version:
            inner = network(data, found.offset, record, room)
        else:
            inner, _ = row.decode(data, found.offset, record, room, False)
    if found.malformed:
        inner.pop("malformed", None)
    fields |= inner
    return Packet(record.ts_ns, index, node or record.interface.name, record, **fields)


def alike(known: Packet, record: Record, index: int, node: str) -> Packet:
    """What `decode` gives of a record whose bytes, length and link are those of a packet that is `known`, for a quarter
    of the time."""
    if known.icmp is not None and known.icmp.quoted is not None:  # which has its record as well
        return decode(record, index, node)
    return Packet(record.ts_ns, index, node or record.interface.name, record, *_decoded(known))


def network(data: bytes, at: int, record: Record, room: int, *, quoted: bool = False) -> Fields:
    """The fields of an IP packet that begins at some byte; the frame has `room` up to another. `quoted`: in an ICMP
    error, so that it may be cut."""
    fields: Fields = {"network_offset": at, "payload_offset": at}
    if at >= len(data):
        return fields | {"protocol": "ip"} | ends_early("its IP header", at + 20, room, record, quoted)
    version = data[at] >> 4
    row = _TABLE.versions.get(version)
    if row is None:
        return fields | {"protocol": "unknown", "payload": data[at:], "malformed": f"IP version {version} isn't known"}
    found, upper = row.decode(data, at, record, room, quoted)
    fields |= found
    if upper is None:
        return fields
    if upper.is_whole:
        fields |= _upper(data, upper, record, room, quoted)
    else:
        fields |= _bytes(upper.number, data[upper.at :], upper.at)
    return fields


def _upper(data: bytes, upper: Upper, record: Record, room: int, quoted: bool) -> Fields:
    end = upper.at + upper.length
    if quoted or end <= room:
        return _carried(data, upper, record, quoted)
    upper.length = max(0, room - upper.at)  # what the frame has is all that there was
    found = _carried(data, upper, record, quoted)
    if found.get("malformed", "").startswith("ends inside"):  # that tells more
        return found
    return found | {"malformed": f"says its IP packet goes on to byte {end}, where the frame has {room}"}


def _carried(data: bytes, upper: Upper, record: Record, quoted: bool) -> Fields:
    at = upper.at
    body = data[at : at + upper.length]
    row = _TABLE.transports.get(upper.number)
    if row is None or upper.offset:  # what a later fragment begins with is no header
        return _bytes(upper.number, body, at) | {"payload_length": upper.length}
    found = row.decode(
        Carried(upper.number, body, upper.length, upper.src, upper.dst, at, upper.more, upper.sums, quoted, record)
    )
    inner = found.pop("quote", None)
    if inner is not None and "icmp" in found:
        found["icmp"] = _with_quote(found["icmp"], data, inner, record)
    return {"protocol": row.name, "transport_offset": at, **found}


def _with_quote(icmp: Icmp, data: bytes, at: int, record: Record) -> Icmp:
    if at >= len(data):
        return icmp
    fields = network(data, at, record, len(data), quoted=True)
    return replace(icmp, quoted=Packet(record.ts_ns, -1, "", record, **fields))


def _bytes(number: int, payload: bytes, at: int) -> Fields:
    """Of what isn't decoded further."""
    return {
        "protocol": _TABLE.ip_name(number),
        "payload": payload,
        "payload_length": len(payload),
        "payload_offset": at,
    }
