"""IP packets without a link layer."""

from __future__ import annotations

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Link
from labctl.packets.protocols.link import IP4, IPV4, IPV6, RAW, RAW_BSD, by_version
from labctl.packets.protocols.link.walked import Walked


def _begin(record: Record) -> Walked:
    # Of another version: what decodes IP says so.
    return Walked(by_version(record.data, 0) or IP4, 0, len(record.data))


PROTOCOLS = (
    Link(
        name="raw",
        words="raw IP",
        link_types={RAW_BSD: "raw IP", RAW: "raw IP", IPV4: "raw IPv4", IPV6: "raw IPv6"},
        begin=_begin,
    ),
)
