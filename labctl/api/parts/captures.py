"""Packets of nodes and links: recording, captures, one by one as they come. `Lab` has these as its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING

from labctl.api.times import seconds_of
from labctl.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.api.place import Place
    from labctl.api.results.captured import Captured
    from labctl.cancel import Cancel
    from labctl.lab.recording.capture import Capture as Capture
    from labctl.packets.model import Packet


class CapturedLab:
    """See Lab."""

    _place: Place

    def hosts(self, *places: str) -> tuple[str, ...]:
        """The hosts that nodes, or a link (`alice-bob`, `alice:bob`), mean; without any all that run. Raises
        NodeNotFound, NotRunning, InvalidArgument."""
        from labctl.lab.recording.capture import place

        return tuple(node.name for node in place(self._place.find(), places).nodes)

    def record(self, *names: str, syscalls: bool = False) -> tuple[str, ...]:
        """Records packets at the named nodes, else at all that run, from now on; `syscalls`: system calls and states of
        sockets, too, which slows programs down. Gives the names of those where not all of it was recorded before.

        Raises NodeNotFound, NotRunning, ProbeError.
        """
        from labctl.lab.recording import capture, recorders, xray

        lab = self._place.prepared()
        nodes = capture.place(lab, names).nodes
        if syscalls:
            return tuple(xray.start(self._place.engine, lab, nodes))
        return tuple(recorders.begin(self._place.engine, lab, nodes)[1])

    def forget(self, *names: str, packets: bool = True, syscalls: bool = True) -> tuple[str, ...]:
        """Ends recording at the named nodes, else at all that run, and forgets what was recorded, of packets, of system
        calls, or of both; the names of those where it was. Raises NodeNotFound, NotRunning, ForeignLab."""
        from labctl.lab.processes import syscalls as calls
        from labctl.lab.recording import capture, recorders

        engine, lab = self._place.engine, self._place.changeable()
        nodes = capture.place(lab, names).nodes
        ended = list(recorders.stop(engine, lab, nodes)) if packets else []
        if syscalls:
            programs = [one for host in nodes for one in lab.members(host)]
            ended += sorted(calls.stop(engine, lab, programs))
        return tuple(dict.fromkeys(ended))

    def packets(
        self,
        *places: str,
        filter: str = "",
        last: float | str = 0.0,
        seconds: float | str | None = None,
        until: Cancel | Callable[[], bool] | None = None,
        report: Callable[[str], None] = lambda text: None,
    ) -> Capture:
        """The packets of nodes, or of a link, one by one in order of time: `with lab.packets("alice") as seen: for one
        in seen: ...`. Those of the `last` seconds first, then those that come: for `seconds`, None for ever, or until
        `until` is cancelled, or is true (asked within a second). Begins recording where there is none. `report` is told
        what happens meanwhile, as sentences; `seen.summary` has what it came to, and `seen.rest()` what was held back
        for its order when it was ended early.

        Raises BadFilter, NodeNotFound, NotRunning, InvalidArgument, ProbeError; while it goes on, Cancelled.
        """
        from labctl.lab.recording.capture import Capture, place

        past = seconds_of("last", last)
        time = None if seconds is None else seconds_of("seconds", seconds)
        where = place(self._place.find(), places, filter)
        lab = self._place.prepared()
        return Capture(self._place.engine, lab, where, last=past, seconds=time, enough=_enough(until), talk=report)

    def addresses(self) -> dict[str, tuple[str, ...]]:
        """The hosts that run and have a network, by name, with all of their addresses."""
        return {node.name: tuple(node.addresses) for node in self._place.find().hosts if node.has_network}

    def check_filter(self, filter: str, *names: str) -> None:
        """Raises BadFilter where tcpdump, at one of some nodes or of all that are recorded, makes nothing of it; says
        nothing where nothing is recorded, as nobody can judge it there."""
        from labctl.lab.recording import recorders

        engine, lab = self._place.engine, self._place.find()
        there = recorders.recorders(engine, lab)
        node = next((node for node in lab.hosts if node.name in (names or there) and node.name in there), None)
        if node is None:
            return
        with recorders.Listening(engine, [node], there, expression=filter) as listening:
            for _ in listening.hear():
                pass

    def newest_packet(self, number: int = 1) -> Packet:
        """The newest packet that is recorded in the lab, with 2 the one before it, and so on. Raises NotRecorded,
        CaptureError (`no-such-packet`)."""
        from labctl.lab.recording.capture import newest

        return newest(self._place.engine, self._place.find(), number)

    def capture(
        self,
        *places: str,
        filter: str = "",
        last: float | str = 0.0,
        seconds: float | str = 0.0,
        until: Cancel | None = None,
        file: str | Path | None = None,
    ) -> Captured:
        """The packets of nodes, or of a link (`alice-bob`, `alice:bob`), as pcapng: those of the `last` seconds, then
        those that come for `seconds`, or until `until` is cancelled (seen within a second). `filter` is one of
        tcpdump's, `file` where the pcapng goes instead of into the result.

        Raises InvalidArgument where no time is given, BadFilter, FileError (`file-unwritable`), NodeNotFound,
        NotRunning; NotRecorded where only what was recorded is asked for, and nothing was.
        """
        past, time = seconds_of("last", last), seconds_of("seconds", seconds)
        if not (past or time or until):
            raise LabError("bad-option", option="capture", why="give last, seconds or until")
        from labctl.api.results.captured import Captured

        listens = time or (None if until else 0.0)
        if file is None:
            import io

            out = io.BytesIO()
            found = self._captured(places, filter, past, listens, until, out)
            return Captured(found.packets, found.drops, found.remarks, out.getvalue())
        from pathlib import Path

        from labctl.lab.recording.write import opened

        with opened(Path(file)) as (target, empty):
            return self._captured(places, filter, past, listens, until, target, empty)

    def _captured(
        self,
        places: Sequence[str],
        filter: str,
        last: float,
        seconds: float | None,
        until: Cancel | None,
        out: IO[bytes],
        begin: Callable[[], object] = lambda: None,
    ) -> Captured:
        from labctl.api.results.captured import Captured
        from labctl.lab.recording import ladder
        from labctl.lab.recording.capture import Capture, place
        from labctl.lab.recording.write import write

        engine, lab = self._place.engine, self._place.prepared()
        where = place(lab, places, filter)
        if seconds == 0:
            ladder.recorders_of(engine, lab, where.nodes)  # who only looks begins nothing
        enough = (lambda: until.is_cancelled) if until else lambda: False
        found = write(Capture(engine, lab, where, last=last, seconds=seconds, enough=enough), out, begin)
        return Captured(found.packets, dict(found.drops), tuple(found.remarks))


def _enough(until: Cancel | Callable[[], bool] | None) -> Callable[[], bool]:
    if until is None:
        return lambda: False
    return until if callable(until) else lambda: until.is_cancelled


def write_pcapng(seen: Capture, out: IO[bytes], begin: Callable[[], object] = lambda: None) -> Captured:
    """Writes all that a capture sees as pcapng, until it ends; `begin` is called once there is something to write. Who
    ends it by a signal gets what has come until then. Raises what the capture does, OSError."""
    from labctl.api.results.captured import Captured
    from labctl.lab.recording.write import write

    found = write(seen, out, begin)
    return Captured(found.packets, dict(found.drops), tuple(found.remarks))
