"""Captures in files, whoever wrote them (pcap, pcapng): packets one by one, ladders of one end's or of both ends'."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from labctl.api.times import LIMIT
from labctl.named import NamedTuple

if TYPE_CHECKING:
    from labctl.errors import LabError
    from labctl.lab.recording.ladder_files import Drawing
    from labctl.packets.model import Packet


class Packets(NamedTuple):
    """The first packets of a file, how many it has, and what is wrong with it after what was whole."""

    first: list[Packet]
    total: int
    problem: LabError | None


def is_file(name: str) -> bool:
    """Whether a name is that of a capture, and no node's: `-`, a path, or one that ends as captures do."""
    from labctl.lab.recording import ladder_files

    return ladder_files.is_file(name)


def packets(file: str, limit: int) -> Packets:
    """The first packets of a file, `-` standard input. Raises FileError (`capture-unreadable`)."""
    from labctl.lab.recording import packet_file

    return Packets(*packet_file.first(packet_file.records_from(file), limit))


def packet(file: str, number: int) -> tuple[Packet, LabError | None]:
    """One packet of a file, from 1 on, or from the end with a negative number, and what is wrong with the file if
    reading got so far. Raises FileError, CaptureError (`no-such-packet`)."""
    from labctl.lab.recording import packet_file

    return packet_file.one(file, packet_file.records_from(file), number)


def ladder(
    first: str,
    second: str | None = None,
    *,
    port: int | None = None,
    acks: bool = True,
    limit: int = LIMIT,
    flow: str = "",
) -> Drawing:
    """A ladder of a file, or of two that were taken at both ends of the same packets. `flow` is the number of a
    conversation or one of its ends, HOST:PORT. Raises FileError, InvalidArgument."""
    from labctl.lab.recording import ladder_files
    from labctl.packets.ladder.ladder import Options

    options = Options(port, acks, limit)
    return ladder_files.of_files(first, second, options, flow) if second else ladder_files.of_file(first, options, flow)


def written(file: Path) -> AbstractContextManager[tuple[IO[bytes], Callable[[], object]]]:
    """A file to write a capture to, and what empties it: one that can't begin leaves an older file as it was.

    Raises FileError (`file-unwritable`).
    """
    from labctl.lab.recording.write import opened

    return opened(file)


def install_extcap() -> Path:
    """Puts labs' nodes into Wireshark's list of interfaces; the file that does that. Raises FileError."""
    from labctl.lab.recording.wireshark import install

    return install()
