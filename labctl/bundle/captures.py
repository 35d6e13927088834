"""Anybody's captures as the document that the page shows: of one place, or of two ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labctl.bundle import garbage
from labctl.errors import LabError
from labctl.lab.drawing.picture import Attachment, DrawnNetwork, DrawnNode, Picture, arranged
from labctl.lab.recording.ladder_files import clocks_of, packets_of, rules_of
from labctl.packets.ladder.ladder import Arrow, Ladder, Options, of_pairs, one_sided
from labctl.packets.matching.taps import sent_once
from labctl.packets.matching.two_files import aligned
from labctl.packets.model import Packet
from labctl.packets.protocols.words import end
from labctl.render.runs import document as documents
from labctl.render.runs.shapes import Shapes

HOSTS = 200  # that are drawn: those that sent and got most
PACKETS = 20_000
_ALL = Options(None, True, 0)


@dataclass(frozen=True)
class _Found:
    """Packets with the ladders that they are in, and what is to be said."""

    packets: list[tuple[Arrow, Ladder]]
    notes: tuple[str, ...]
    problem: LabError | None


def document(first: str, second: str | None = None) -> tuple[dict[str, Any], LabError | None]:
    """The document of a capture, or of two that were taken at both ends; and what is wrong with a file after what was
    whole of it. Raises LabError where nothing is."""
    with garbage.left_alone():
        return _document(first, second)


def _document(first: str, second: str | None) -> tuple[dict[str, Any], LabError | None]:
    found = _of_two(first, second) if second else _of_one(first)
    inorder = sorted(found.packets, key=lambda pair: pair[0].at_ns)
    kept, notes = inorder[:PACKETS], list(found.notes)
    if len(kept) < len(inorder):
        notes.append(f"{PACKETS} of {len(inorder)} packets are shown.")
    if found.problem:
        notes.append(found.problem.message)
    shapes = Shapes()
    numbered = documents.Packets(shapes=shapes)
    packets = [numbered.document(arrow, ladder) for arrow, ladder in kept]
    names = dict.fromkeys(name for packet in packets for name in (packet["from"], packet["to"]))
    title = Path(first).name + (f" and {Path(second).name}" if second else "")
    topology = documents.topology(_picture(title, list(names)))
    made = documents.document(title, topology, (), packets, (), notes, shapes)
    return made, found.problem


def _of_one(file: str) -> _Found:
    """What each two hosts sent each other, as the one place saw it."""
    read = packets_of(file)
    pairs: dict[frozenset[str], list[Packet]] = {}
    for packet in sent_once(read.packets):
        if packet.src and packet.dst:
            pairs.setdefault(frozenset(_ends(packet)), []).append(packet)
    busy = Counter({pair: len(packets) for pair, packets in pairs.items()})
    hosts: set[str] = set()
    out: list[tuple[Arrow, Ladder]] = []
    left = 0
    for pair, count in busy.most_common():
        if len(hosts | pair) > HOSTS:
            left += count
            continue
        hosts |= pair
        one = pairs[pair][0]
        made = one_sided(pairs[pair], None, _ends(one), _ALL, by_port=one.src == one.dst)
        out += [(arrow, made) for arrow in made.arrows]
    notes = (f"{left} packets of further hosts are not shown.",) if left else ()
    return _Found(out, notes, read.problem)


def _ends(packet: Packet) -> tuple[str, str]:
    """Who sent a packet, and to whom; of a host with itself only ports tell the two apart."""
    if packet.src == packet.dst:
        return end(*packet.source), end(*packet.target)
    return packet.src, packet.dst


def _of_two(first: str, second: str) -> _Found:
    here, there = packets_of(first), packets_of(second)
    found = aligned(sent_once(here.packets), sent_once(there.packets))
    if found is None:
        raise LabError("nothing-in-common", first=first, second=second)
    sides = [replace(found.left, kernel_drops=here.drops), replace(found.right, kernel_drops=there.drops)]
    ladders = of_pairs(sides, (), _ALL, rules_of(found.alignment))
    packets = [(arrow, ladder) for ladder in ladders for arrow in ladder.arrows]
    return _Found(packets, tuple(clocks_of(found, first, second)), here.problem or there.problem)


def _picture(title: str, names: list[str]) -> Picture:
    """Hosts on one network: which they are really on, packets don't tell."""
    nodes = [DrawnNode(name) for name in names]
    attachments = [Attachment(name, "capture", (name,)) for name in names]
    return arranged(Picture(title), [DrawnNetwork("capture")], nodes, attachments, [])
