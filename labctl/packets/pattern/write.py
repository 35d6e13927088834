"""Writes the pattern of what the wire showed: it fits that, and what differs in one packet doesn't fit it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from labctl.packets.pattern.compare import letters
from labctl.packets.pattern.seen import KEEP_ALIVE, Seen
from labctl.packets.pattern.words import text_of
from labctl.packets.protocols import table

LONGEST_TEXT = 64  # bytes of a payload that are written; of a longer one its digest


def write(packets: Sequence[Seen], *, ignores_acks: bool = False) -> str:
    """One line for each packet. What isn't the same in the next run is left out: times, ports, windows, options; and
    rules, which a lab counts on, stand as variables.

    What kernels send by themselves (ARP, neighbour discovery, reports of groups) is left out, too, unless there is
    nothing else; TCP's keep-alives always are, as no pattern can have a line for them.
    """
    mine = [one for one in packets if not one.upkeep] or [one for one in packets if one.upkeep != KEEP_ALIVE]
    out = ["ignore acks"] if ignores_acks else []
    if aside := Counter(one.upkeep for one in packets if one.upkeep) - Counter(one.upkeep for one in mine):
        kinds = ", ".join(f"{kind} ({count})" for kind, count in aside.items())
        out.append(f"# left out is what kernels send by themselves: {kinds}")
    ends = [_ends(one) for one in mine]
    width = max(map(len, ends), default=0)
    said = [_said(one) for one in mine]
    wide = min(40, max((len(what) for what, one in zip(said, mine, strict=True) if one.outcomes), default=0))
    for way, what, one in zip(ends, said, mine, strict=True):
        became = _became(one, as_variables=True)
        out.append(f"{way:<{width}}  {what:<{wide}}  {became}" if became else f"{way:<{width}}  {what}")
    return "\n".join(out)


def line_of(one: Seen) -> str:
    """One packet as a line."""
    return "  ".join(part for part in (_ends(one), _said(one), _became(one)) if part)


def _ends(one: Seen) -> str:
    return f"{_node(one.sender)} > {_node(one.receiver)}"


def _node(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _said(one: Seen) -> str:
    parts = []
    if one.protocol in table().streams and not one.fragment and one.first is not None:
        parts.append(letters(one.flags))
        if one.length or one.takes_sequence or "R" in one.flags:
            parts.append(f"{one.first}:{one.last}({one.length})")
        if one.ack is not None:
            parts.append(f"ack {one.ack}")
    else:
        parts.append(one.protocol)
        if one.fragment:
            parts.append(f"fragment {one.first}:{one.last}({one.length})")
        elif one.message:
            parts.append(one.message)
        elif one.length or one.protocol in table().datagrams:
            parts.append(f"({one.length})")
    if one.payload and not one.message:
        parts.append(_payload(one.payload))
    return " ".join(parts)


def _payload(data: bytes) -> str:
    if len(data) > LONGEST_TEXT:
        return f"sha256 {hashlib.sha256(data).hexdigest()[:16]}"
    text = text_of(data)
    return text if text.count("\\x") * 4 <= len(data) else f"0x{data.hex()}"


def _became(one: Seen, *, as_variables: bool = False) -> str:
    """What happened to it, by which rules: by these, or by such as variables of their names."""
    said = []
    for word in one.outcomes:
        if rules := one.causes.get(word):
            word += f" by {'$' if as_variables and rules[0].isidentifier() else ''}{rules[0]}"
        said.append(word)
    return " ".join(said)
