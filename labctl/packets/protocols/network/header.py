"""What both versions of IP say, and where a header of theirs ends early."""

from __future__ import annotations

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop

from labctl.packets.model import Record
from labctl.packets.protocols.ending import early
from labctl.packets.protocols.kind import Fields, Names
from labctl.packets.protocols.network import extensions
from labctl.packets.protocols.reader import Reader


@lru_cache(maxsize=65536)
def address(raw: bytes) -> str:
    """An address of 4 or 16 bytes as text."""
    return inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw)


def ends_early(what: str, need: int, end: int, record: Record, quoted: bool) -> Fields:
    """The remark; a packet that an ICMP error quotes may be cut anywhere."""
    return {} if quoted else dict(early(what, need, end, record))


def headless(version: int, data: bytes, at: int) -> Fields:
    """Of a header that can't be read but for its version."""
    return {"version": version, "protocol": f"ipv{version}", "payload": data[at:], "payload_offset": at}


def extension_fields(reader: Reader, kind: int, names: Names) -> None:
    while kind in extensions.EXTENSIONS and reader.at + 8 <= reader.end:
        place, found = reader.at, reader.data
        following = names.ip.get(found[place], str(found[place]))
        length = extensions.length_of(found, place, kind)
        value = f"{length} bytes"
        if kind == extensions.FRAGMENT:
            bits, number = int.from_bytes(found[place + 2 : place + 4], "big"), found[place + 4 : place + 8]
            more = ", more follow" if bits & 1 else ""
            value = f"offset {bits & 0xFFF8}, id {int.from_bytes(number, 'big')}{more}"
        elif kind == extensions.ROUTING:
            value = f"type {found[place + 2]}, {found[place + 3]} left"
        reader.text(names.ip.get(kind, f"extension {kind}"), length, value, f"then {following}")
        if reader.at < place + length or len(reader.fields) > 100:
            return
        kind = found[place]
