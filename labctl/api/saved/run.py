"""Runs in files, as a program has them: what `Lab.save` wrote, to be looked at without a lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labctl.api.times import LIMIT, Since, seconds_of, stamp

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.api.results.drawn import Ladder
    from labctl.api.results.graph import Graph
    from labctl.api.topologies import FilePath
    from labctl.bundle.diff import Difference
    from labctl.bundle.model import Input, Run
    from labctl.events.model import Event
    from labctl.lab.faults.rules import Fault
    from labctl.lab.processes.sockets import Socket


class SavedRun:
    """A run; `Lab.save` and `labctl.open_run` give it. It is read once, and needs no engine from then on.

    `run` is all of it as data (labctl.bundle.model).
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def __repr__(self) -> str:
        return f"<labctl.SavedRun of {self.lab}, {self.run.saved}>"

    @property
    def lab(self) -> str:
        """The name of the lab that it is of."""
        return self.run.lab.name

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of its nodes."""
        return tuple(node.name for node in self.run.lab.nodes)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What was typed, in order of time, and what each line followed."""
        return self.run.inputs

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The rules on its links as they were when it was saved."""
        return self.run.faults

    @property
    def sockets(self) -> tuple[Socket, ...]:
        """The kernels' tables as they were when it was saved; queues in bytes."""
        return self.run.sockets

    @property
    def notes(self) -> tuple[str, ...]:
        """What is missing, as sentences."""
        return self.run.notes

    def journal(self, *nodes: str, since: Since | None = None, tail: int | None = None) -> tuple[Event, ...]:
        """What happened at some nodes, or all, in order of time. Raises NodeNotFound, InvalidArgument."""
        from labctl.bundle import looks

        return tuple(looks.journal(self.run, nodes, since=stamp(since), tail=tail))

    def ladder(
        self,
        one: str,
        other: str,
        *,
        last: float | str | None = None,
        port: int | None = None,
        acks: bool = True,
        limit: int = LIMIT,
    ) -> Ladder:
        """What two nodes sent each other, in the `last` seconds before it was saved, else in all of it; the rest as in
        `Lab.ladder`. Raises NotRecorded (`not-in-run`), NodeNotFound, InvalidArgument."""
        from labctl.api.results.drawn import Ladder
        from labctl.bundle import looks
        from labctl.packets.ladder.ladder import Options

        return Ladder(looks.ladder(self.run, one, other, Options(port, acks, limit), _seconds(last)))

    def xray(
        self,
        one: str,
        other: str,
        *,
        last: float | str | None = None,
        port: int | None = None,
        acks: bool = True,
        limit: int = LIMIT,
    ) -> Ladder:
        """The same with system calls and states of sockets as moments, where these were recorded.

        Raises NotRecorded, NodeNotFound, InvalidArgument.
        """
        from labctl.api.results.drawn import Ladder
        from labctl.bundle import looks
        from labctl.packets.ladder.ladder import Options
        from labctl.render.xray import joined

        return Ladder(joined(looks.xray(self.run, one, other, Options(port, acks, limit), _seconds(last)), limit))

    def graph(self) -> Graph:
        """The lab as it was when it was saved, as a picture."""
        from labctl.api.results.graph import Graph

        return Graph(self.run.picture)

    def diff(self, other: SavedRun) -> Difference:
        """Where the two part first, and where else: `same`, `partings`, and what was `left_out` of both by name."""
        from labctl.bundle.diff import difference

        return difference(self.run, other.run)

    def as_json(self) -> dict[str, Any]:
        """All of it as the document that the page shows: topology, events, packets, faults, notes."""
        from labctl.bundle.page import document

        return document(self.run)

    def save(self, file: FilePath) -> int:
        """Writes it to a file; how many bytes that has. Raises FileError."""
        from pathlib import Path

        from labctl.bundle import file as files

        return files.write(self.run, Path(file))


class SavingLab:
    """What `Lab` saves of itself."""

    _place: Place

    def save(self, file: FilePath, *, last: float | str | None = None, payload: bool = True) -> SavedRun:
        """Saves all that is there of it as one file: topology, journal, the packets of both ends where they were
        recorded, faults, what was typed, sockets, versions. `last`: only what happened in so many seconds, or a text
        such as `5m`; without `payload` texts, and what stands behind the headers of packets, are left out.

        The file is there whole or not at all. Nothing is begun: `record` begins to record packets. Raises FileError
        (`file-unwritable`, `run-too-large`), LabNotFound, ProbeError, EngineError.
        """
        found = SavedRun(gathered(self._place, last=last, payload=payload))
        found.save(file)
        return found


def gathered(place: Place, *, last: float | str | None = None, payload: bool = True) -> Run:
    """A run of a lab as it is now."""
    from labctl.bundle.save import gather

    return gather(place.engine, place.prepared(), last=_seconds(last), payload=payload)


def open_run(file: FilePath) -> SavedRun:
    """A run that was saved. The file may be anybody's: nothing is started or written, and what is damaged is refused.

    Raises FileError (`file-unreadable`), RunError (`run-broken`, `run-version`).
    """
    from pathlib import Path

    from labctl.bundle import file as files

    return SavedRun(files.read(Path(file)))


def _seconds(last: float | str | None) -> float | None:
    return None if last is None else seconds_of("last", last)


def holds(run: Run) -> str:
    """What somebody who gets the file can read there, as a sentence."""
    from labctl.bundle.inputs import text_of

    packets = sum(len(side.sent) + len(side.arrived) for side in run.sides)
    texts = sum(1 for event in run.events if text_of(event) is not None)
    parts = [
        _count(len(run.lab.nodes), "node") + " with names and addresses",
        _count(len(run.events), "event") + (f", {texts} of them with a text" if texts else ""),
        f"{_count(packets, 'packet')} of both ends {'with' if run.payload else 'without'} payloads",
        _count(len(run.faults), "fault"),
        _count(len(run.inputs), "typed line"),
    ]
    parts += [f"system calls of {_count(len(run.recordings), 'node')}"] if run.recordings else []
    parts += ["the Compose file with its environment variables"] if run.compose else []
    return "; ".join(parts)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
