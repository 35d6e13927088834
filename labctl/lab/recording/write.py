"""A capture into a file: pcapng, an interface for each place, and what faults did as comments of packets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from labctl.errors import LabError
from labctl.lab.model import Node
from labctl.lab.recording.capture import Capture, Summary
from labctl.packets.files.write import Writer
from labctl.packets.matching import taps
from labctl.packets.matching.live import Seen


class File:
    """Writes what is seen as pcapng: an interface for each node, or for each of its own where it is on several
    networks, and one more for what was sent before faults."""

    def __init__(self, out: IO[bytes], nodes: Sequence[Node]) -> None:
        self._writer = Writer(out)
        self._nodes = {node.name: node for node in nodes}
        self._devices: dict[str, str] = {}
        self._last_ns = 0

    def add(self, seen: Seen) -> None:
        packet = seen.packet
        number = self._interface(
            packet.node, taps.device_of(packet.record), seen.tap, packet.record.interface.link_type
        )
        comments = [f"{verdict.action} by {verdict.rule}" for verdict in seen.verdicts]
        record = packet.record
        self._writer.packet(
            number, record.ts_ns, record.data, original_length=record.original_length, comments=comments
        )
        self._last_ns = max(self._last_ns, record.ts_ns)

    def finish(self, summary: Summary) -> None:
        """Says what is missing."""
        for node, count in summary.drops.items():
            if count:
                device = self._devices.get(node, "eth0")
                self._writer.drops(self._interface(node, device, taps.IN, 1), self._last_ns, count)

    def _interface(self, node: str, device: str, tap: str, link_type: int) -> int:
        first = self._devices.setdefault(node, device)
        name = node if first == device and len(self._nodes[node].networks) < 2 else f"{node} {device}"
        where = ", ".join(self._nodes[node].addresses)
        if tap == taps.SENT:
            return self._writer.interface(f"{name}{taps.BEFORE_FAULTS}", link_type, description=f"what {where} sent")
        return self._writer.interface(name, link_type, description=f"{device} of {where}")


def write(seen: Capture, out: IO[bytes], begin: Callable[[], object] = lambda: None) -> Summary:
    """Writes all that a capture sees, until it ends; `begin` is called once it is known that there is something to
    write. Who ends it by a signal (an exception that is no Exception) gets what has come until then.

    Raises LabError, OSError.
    """
    with seen:
        begin()
        file = File(out, seen.nodes)
        out.flush()  # whoever reads a pipe knows from here on what comes
        try:
            for one in seen:
                file.add(one)
                if not seen.pending:
                    out.flush()
        except Exception:
            raise
        except BaseException:
            for one in seen.rest():
                file.add(one)
            raise
        finally:
            file.finish(seen.summary)
            out.flush()
    return seen.summary


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], object]]]:
    """A file to write a capture to, and what empties it: a capture that can't begin leaves an older one as it was.

    Raises LabError `file-unwritable`.
    """
    try:
        there = path.exists()
        with path.open("ab") as out:
            yield out, lambda: out.truncate(0) if path.is_file() else None
    except LabError:
        if not there and path.is_file() and not path.stat().st_size:
            path.unlink()
        raise
    except (OSError, ValueError) as problem:  # a ValueError: a name with a NUL in it
        why = getattr(problem, "strerror", None) or str(problem)
        raise LabError("file-unwritable", file=path, why=why) from None
