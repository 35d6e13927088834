"""What an IP packet carries, handed to what decodes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labctl.packets.model import Record
from labctl.packets.protocols import checksum
from labctl.packets.protocols.checksum import Rule
from labctl.packets.protocols.ending import early


@dataclass(slots=True)
class Upper:
    """What an IP header says of what follows it: `length` is that of the whole rest, captured or not. `src` and `dst`
    are those of the pseudo-header; `sums` False: they aren't known. `is_whole` False: a header before it ends early,
    and what is left is bytes."""

    number: int
    src: bytes
    dst: bytes
    at: int
    length: int
    offset: int = 0
    more: bool = False
    sums: bool = True
    is_whole: bool = True


@dataclass(slots=True)
class Carried:
    """The bytes that were captured of what IP carries, and how many the header says there are; `src` and `dst` are
    those of the pseudo-header. The whole packet is in `record`, and this begins at its byte `at`."""

    number: int
    data: bytes
    length: int
    src: bytes
    dst: bytes
    at: int
    more_fragments: bool
    sums: bool
    quoted: bool
    record: Record

    @property
    def is_whole(self) -> bool:
        return self.sums and not self.more_fragments and len(self.data) == self.length

    def early(self, what: str, size: int) -> dict[str, str]:
        """The remark on a header of so many bytes that aren't there."""
        # A quote is cut after 8 bytes or more (RFC 792), and that is as it should be.
        if self.quoted:
            return {}
        if self.more_fragments and size > self.length:
            return {"unread": f"{what} goes on in the next fragment"}
        return early(what, self.at + size, self.at + self.length, self.record)

    def cut(self) -> dict[str, Any]:
        """The fields of a header that isn't there: ports, where those are."""
        fields: dict[str, Any] = {"payload_offset": self.at + len(self.data)}
        if len(self.data) >= 4:
            fields["sport"] = int.from_bytes(self.data[:2], "big")
            fields["dport"] = int.from_bytes(self.data[2:4], "big")
        return fields

    def summed(self, rule: Rule, length: int | None = None) -> dict[str, Any]:
        """The fields of a checksum, over the first `length` bytes (None: over all)."""
        field = int.from_bytes(self.data[rule.at : rule.at + 2], "big")
        if not self.is_whole or self.quoted:
            is_absent = rule.zero == "absent" and not field and not self.quoted
            return {"checksum": ("none" if len(self.src) == 4 else "missing") if is_absent else "unknown"}
        data = self.data if length is None else self.data[:length]
        pseudo = checksum.pseudo_header(self.number, self.src, self.dst, len(data)) if rule.pseudo else b""
        found = checksum.state(rule, data, field, pseudo)
        if found != "bad":
            return {"checksum": found}
        right = checksum.wanted(pseudo + data, field, never_zero=rule.zero == "absent")
        return {"checksum": found, "checksum_wanted": right}
