"""What a command has to do with what was seen while it ran: the rest is counted, and said in one line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Network, ip_address

from labctl.lab.model import TOGETHER, Lab
from labctl.packets.ladder import questions
from labctl.packets.ladder.ladder import Arrow, Ladder
from labctl.packets.model import Packet
from labctl.packets.protocols import table

_SHOWN = 3  # kinds that are named
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_SOLICITED = IPv6Network("ff02::1:ff00:0/104")
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
            f"not drawn: {count} of {pairs}, in which the command has no part ({kinds}); "
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
    left = [arrow for ladder in aside for arrow in ladder.arrows]
    drawn, pairs = [], len(aside)
    for ladder in mine:
        of_network = [arrow for arrow in ladder.arrows if _is_of_the_network(arrow.crossing.packet)]
        drawn.append(without(ladder, of_network) if of_network else ladder)
        left += of_network
        pairs += bool(of_network)
    # What goes to all is an arrow to each.
    packets = {id(arrow.crossing.packet): arrow for arrow in left}
    kinds = Counter(map(_kind, packets.values()))
    count = len(packets) + sum(ladder.cut + ladder.hidden for ladder in aside)
    return drawn, Aside(count, pairs, tuple(f"{kind} ({number})" for kind, number in kinds.most_common()))


def without(ladder: Ladder, arrows: Iterable[Arrow]) -> Ladder:
    gone = set(map(id, arrows))
    return replace(ladder, arrows=tuple(arrow for arrow in ladder.arrows if id(arrow) not in gone))


def of_conversation(ladder: Ladder) -> Ladder:
    """Without what the two nodes told the network at large meanwhile."""
    return without(ladder, [arrow for arrow in ladder.arrows if _is_of_the_network(arrow.crossing.packet)])


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


def _is_of_the_network(packet: Packet) -> bool:
    """A kernel says it to everybody by itself, and to nobody about somebody: where are routers, who is in groups, and
    that it is in the one where it is asked for its address (RFC 4861, section 4.1; RFC 4291, section 2.7.1)."""
    if not table().is_upkeep(packet) or questions.about(packet) is not None:
        return False
    groups = (packet.icmp.groups if packet.icmp else ()) or (packet.igmp.groups if packet.igmp else ())
    asked = (ip_address(group) in _SOLICITED or ip_address(group).is_unspecified for group in groups)
    return _is_multicast(packet.dst) and all(asked)


def _is_multicast(address: str) -> bool:
    try:
        return ip_address(address).is_multicast
    except ValueError:
        return False  # a hardware address, of what has no other


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
