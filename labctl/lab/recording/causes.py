"""What a command has to do with what was seen while it ran: the rest is counted, and said in one line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from labctl.lab.model import TOGETHER, Lab
from labctl.packets.ladder import questions
from labctl.packets.ladder.ladder import Arrow, Ladder
from labctl.packets.protocols import table

_SHOWN = 3  # kinds that are named
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_KEPT_ALIVE = ("keep-alive", "answer to keep-alive")


@dataclass(frozen=True)
class Aside:
    """What is not drawn: packets between so many pairs, by what they are, the most frequent kind first."""

    packets: int = 0
    pairs: int = 0
    kinds: tuple[str, ...] = ()

    def __str__(self) -> str:
        """A sentence; empty: there is nothing."""
        if not self.packets:
            return ""
        count = f"{self.packets} packet{'' if self.packets == 1 else 's'}"
        pairs = "one pair" if self.pairs == 1 else f"{self.pairs} pairs"
        more = " ..." if len(self.kinds) > _SHOWN else ""
        kinds = f"{', '.join(self.kinds[:_SHOWN])}{more}"
        return (
            f"not drawn: {count} of {pairs} that the command has no part in ({kinds}); "
            "`labctl capture --last 1m` shows them"
        )


def caused(lab: Lab, ladders: Sequence[Ladder], command: Sequence[str]) -> tuple[list[Ladder], Aside]:
    """The ladders that are to be drawn, and the others together.

    What kernels and idle connections send by themselves is nobody's doing. Of the rest belongs to the command what goes
    between the nodes that it names, and on from there; a command that names none may mean any.
    """
    busy: list[Ladder] = []
    idle: list[Ladder] = []
    for ladder in ladders:
        (idle if all(_is_upkeep(lab, ladder, arrow) for arrow in ladder.arrows) else busy).append(ladder)
    reached = _reached(lab, busy, command)
    mine = [ladder for ladder in busy if reached is None or {ladder.left.name, ladder.right.name} & reached]
    aside = idle + [ladder for ladder in busy if ladder not in mine]
    kinds = Counter(_kind(arrow) for ladder in aside for arrow in ladder.arrows)
    packets = sum(len(ladder.arrows) + ladder.cut + ladder.hidden for ladder in aside)
    return mine, Aside(packets, len(aside), tuple(f"{kind} ({count})" for kind, count in kinds.most_common()))


def _reached(lab: Lab, ladders: Sequence[Ladder], command: Sequence[str]) -> set[str] | None:
    """The nodes that a command names, and all that these spoke with, and so on; None: it names none."""
    names = {node.name for node in lab.nodes}
    words = {word for text in command for word in _WORD.findall(text)}
    # A link's name has two nodes' in it, with a dash between that may be part of a name, too.
    found = {name for name in names if any(name in (word, *word.split("-")) for word in words)}
    found |= {name for name in names if any(word.startswith(f"{name}-") or word.endswith(f"-{name}") for word in words)}
    if not found:
        return None
    # Ladders are of hosts: nodes that share a network stand there together, under all their names.
    found = {lab.host(lab.node(name)).name for name in found}
    while True:
        more = {name for ladder in ladders for name in _names(ladder) if found & set(_names(ladder))}
        if more <= found:
            return found
        found |= more


def _names(ladder: Ladder) -> tuple[str, str]:
    return ladder.left.name, ladder.right.name


def _is_upkeep(lab: Lab, ladder: Ladder, arrow: Arrow) -> bool:
    """Something that a kernel sends by itself: it keeps a connection alive, asks for a third node, or checks what it
    knows of this one since some earlier conversation (RFC 826; RFC 4861)."""
    packet = arrow.crossing.packet
    if any(map(arrow.said, _KEPT_ALIVE)):
        return True
    asked = questions.about(packet)
    if asked is None and table().is_upkeep(packet):
        return True
    if asked is not None:
        theirs = {address for name in _names(ladder) for address in _addresses(lab, name)}
        if asked not in theirs or packet.src in ("0.0.0.0", "::"):
            return True
    return questions.is_upkeep(packet)


def _addresses(lab: Lab, name: str) -> tuple[str, ...]:
    found = next((node for node in lab.nodes if node.name == name.partition(TOGETHER)[0]), None)
    return tuple(found.addresses) if found else (name,)


def _kind(arrow: Arrow) -> str:
    packet = arrow.crossing.packet
    if any(map(arrow.said, _KEPT_ALIVE)):
        return "TCP keep-alives"
    if packet.protocol in table().with_ports:
        return arrow.flow
    return "ARP" if packet.arp is not None else arrow.label.head
