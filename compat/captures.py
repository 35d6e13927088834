"""Captures: what labctl and tshark say of each packet, field by field, and what each says that TCP does."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from compat import packet_fields, tcp_words
from compat.model import Section, projects, tell
from compat.tshark import Refused, Tshark, version
from labctl.errors import LabError
from labctl.lab.recording.packet_file import records_from
from labctl.packets.model import Packet
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.layers import layers
from labctl.packets.tcp.flows import analyse

MOST = 1000  # packets of a file
SUFFIXES = (".pcap", ".pcapng", ".cap", ".ntar", ".trace", ".dump", ".gz", ".snoop")


@dataclass
class Tally:
    """What was found. Reasons are sentences; to each belong places, `file #packet`."""

    files: Counter[str] = field(default_factory=Counter)
    refused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    packets: int = 0
    values: int = 0
    differences: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unexplained: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    words: Counter[tuple[str, bool, bool]] = field(default_factory=Counter)


def trial(folder: Path) -> Section:
    """The section about captures. Ends the trial where there is no tshark."""
    found = version()
    if found is None:
        sys.exit("compat: there is no tshark here (Debian, Ubuntu: `apt-get install tshark`, which has sharkd, too)")
    every = list(files(folder))
    tally = Tally()
    with Tshark() as oracle:
        for number, (_, file) in enumerate(every, 1):
            _compare(oracle, file, str(file.relative_to(folder)), tally)
            if number % 100 == 0 or number == len(every):
                tell(f"captures: {number} of {len(every)}")
    count = len({project for project, _ in every})
    return Section("captures", _text(tally, len(every), count, found), sum(map(len, tally.unexplained.values())))


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each project's captures, by their names."""
    for project in projects(folder):
        for path in sorted(project.rglob("*")):
            if path.is_file() and path.name.lower().endswith(SUFFIXES):
                yield project.name, path


def ours(file: Path) -> tuple[list[Packet], str]:
    """The first packets, and what labctl says is wrong with the file, if it got so far."""
    packets: list[Packet] = []
    try:
        for record in islice(records_from(str(file)), MOST):
            packets.append(decode(record, len(packets)))
            layers(packets[-1])
    except LabError as problem:
        return packets, problem.message.partition(": ")[2] or problem.message
    return packets, ""


def _compare(oracle: Tshark, file: Path, name: str, tally: Tally) -> None:
    packets, problem = ours(file)
    try:
        rows = oracle.fields(file, MOST)
    except Refused as refusal:
        both = bool(problem) and not packets
        tally.files["refused by both" if both else "read by labctl alone"] += 1
        tally.refused[f"tshark: {refusal}" if not both else "both"].append(name)
        return
    if problem and not packets and rows:
        tally.files["read by tshark alone"] += 1
        tally.refused[f"labctl: {_general(problem)}"].append(name)
        return
    tally.files["read by both" if not problem else "read by both, up to where it is broken"] += 1
    analysis = analyse(packets)
    if len(packets) != len(rows):
        what = f"labctl reads fewer or more packets: {_general(problem) or 'no reason'}"
        (tally.differences if problem else tally.unexplained)[what].append(name)
    for place, (packet, row) in enumerate(zip(packets, rows, strict=False)):
        tally.packets += 1
        where = f"{name} #{place + 1}"
        said = packet_fields.theirs(row)
        mine = packet_fields.ours(packet, said)
        tally.values += len(said)
        for key, value in said.items():
            if mine[key] != value:
                reason = packet_fields.reason(packet, row, key, mine[key], value)
                (tally.differences if reason else tally.unexplained)[reason or key].append(
                    where if reason else f"{where} {key}: labctl {mine[key]!r}, tshark {value!r}"
                )
        if (segment := analysis.segments[place]) is not None and "seq" in said:
            for word, (we, they) in tcp_words.both(segment, row).items():
                tally.words[word, we, they] += 1


def _general(text: str) -> str:
    """A reason without its numbers."""
    return "".join("N" if character.isdigit() else character for character in text).replace("NN", "N")


def _text(tally: Tally, count: int, projects_: int, version_: str) -> str:
    out = [f"## Captures, beside tshark {version_}", ""]
    out += [
        f"{count} captures of {projects_} projects, the first {MOST:,} packets of each: {tally.packets:,} packets, "
        f"{tally.values:,} values.",
        "",
        "| | files |",
        "| --- | --- |",
        *(f"| {group} | {number} |" for group, number in tally.files.most_common()),
        "",
    ]
    if rest := {why: names for why, names in tally.refused.items() if why != "both"}:
        out += ["| read by one alone, because | files |", "| --- | --- |"]
        out += [f"| {why} | {len(names)} |" for why, names in sorted(rest.items())] + [""]
    out += ["| a value that differs, because | values |", "| --- | --- |"]
    out += [f"| {why} | {len(places)} |" for why, places in sorted(tally.differences.items())]
    out += [f"| no reason is known: {key} | {len(places)} |" for key, places in sorted(tally.unexplained.items())]
    out += ["", *tcp_words.table(tally.words)]
    return "\n".join(out)
