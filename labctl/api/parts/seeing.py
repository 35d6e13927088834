"""What can be seen of a lab: packets, ladders, sockets, system calls. `Lab` and `Node` have these as their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

from labctl.api.times import LIMIT, Since, moment_ns, seconds_of
from labctl.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.api.place import Place
    from labctl.api.results.captured import Captured
    from labctl.api.results.drawn import Ladder
    from labctl.api.results.graph import Graph
    from labctl.api.trace import Trace
    from labctl.api.wire import Wire
    from labctl.cancel import Cancel
    from labctl.events.model import Event
    from labctl.lab.model import Node
    from labctl.lab.processes.sockets import Socket

LAST = 30.0  # seconds that are looked back, unless others are given


class SeenLab:
    """What `Lab` shows of its nodes. Waits end after the times that are given; nothing here prints."""

    _place: Place

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

    def forget(self, *names: str) -> tuple[str, ...]:
        """Ends recording at the named nodes, else at all that run, and forgets what was recorded; the names of those
        where packets or system calls were. Raises NodeNotFound, NotRunning, ForeignLab."""
        from labctl.lab.processes import syscalls
        from labctl.lab.recording import capture, recorders

        engine, lab = self._place.engine, self._place.changeable()
        nodes = capture.place(lab, names).nodes
        ended = recorders.stop(engine, lab, nodes)
        programs = [one for host in nodes for one in lab.members(host)]
        return tuple(dict.fromkeys([*ended, *sorted(syscalls.stop(engine, lab, programs))]))

    def trace(self, *names: str, xray: bool = False) -> Trace:
        """Records while a `with` block runs, and draws what it caused: at the named nodes, else at all but routers;
        `xray`: with system calls and states of sockets."""
        from labctl.api.trace import Trace

        return Trace(self._place.engine, self._place.prepared, names, xray=xray)

    def ladder(
        self,
        one: str,
        other: str,
        *,
        last: float | str = LAST,
        port: int | None = None,
        acks: bool = True,
        limit: int = LIMIT,
    ) -> Ladder:
        """What two nodes sent each other in the last seconds. `port`: only packets from or to it; `acks`: with pure
        acknowledgements; `limit`: so many arrows at most, 0 for all. Nothing is begun by it: `record` does that.

        Raises NotRecorded (`no-recording`), NodeNotFound, NotRunning, InvalidArgument (one host, or no link).
        """
        from labctl.api.results.drawn import Ladder
        from labctl.lab.recording import ladder
        from labctl.packets.ladder.ladder import Options

        lab, options = self._place.find(), Options(port, acks, limit)
        nodes = ladder.ends(lab, one, other)
        return Ladder(ladder.drawn(self._place.engine, lab, nodes, seconds_of("last", last), options))

    def wire(self, *names: str, since: Since | None = None, port: int | None = None) -> Wire:
        """The packets between two nodes, or more, to be asserted: `lab.wire("alice", "bob").expect(...)`. All that is
        recorded, or what came `since` a time; `port`: only packets from or to it. `record` begins recording.

        Raises InvalidArgument where fewer than two nodes are named, or the time is none.
        """
        from labctl.api.wire import Wire

        if len(set(names)) < 2:
            raise LabError("bad-option", option="wire", why="name two nodes at least")
        return Wire(self._place, tuple(dict.fromkeys(names)), moment_ns(since), port)

    def xray(
        self,
        one: str,
        other: str,
        *,
        last: float | str = LAST,
        port: int | None = None,
        acks: bool = True,
        limit: int = LIMIT,
    ) -> Ladder:
        """The same with system calls and states of sockets as moments; `record(..., syscalls=True)` begins it.

        Raises NotRecorded (`no-recording`), NodeNotFound, NotRunning, InvalidArgument.
        """
        from labctl.api.results.drawn import Ladder
        from labctl.lab.recording import ladder, xray
        from labctl.packets.ladder.ladder import Options
        from labctl.render.xray import joined

        lab, options = self._place.find(), Options(port, acks, limit)
        nodes = ladder.ends(lab, one, other)
        return Ladder(joined(xray.xray(self._place.engine, lab, nodes, seconds_of("last", last), options), limit))

    def follow(
        self,
        *names: str,
        since_ns: int | None = None,
        until: Cancel | None = None,
        ready: Callable[[], object] = lambda: None,
    ) -> Iterator[Ladder]:
        """What the named nodes, or all but routers, send each other from now on, or since a time in nanoseconds: a
        ladder of packets whenever it is certain what became of them, each packet once. Begins recording where there is
        none, and calls `ready` once it tells what comes; ends with the last of the nodes, or within a second of
        `until`.

        Raises NodeNotFound, NotRunning, ProbeError (`recorder-gone`), Cancelled.
        """
        from labctl.api.results.drawn import Ladder
        from labctl.lab.recording import capture, together

        lab = self._place.prepared()
        nodes = capture.place(lab, names).nodes
        if not names:
            nodes = tuple(node for node in nodes if node.role != together.ROUTER)
        enough = (lambda: until.is_cancelled) if until else lambda: False
        yield from map(Ladder, together.follow(self._place.engine, lab, nodes, since_ns, enough, ready))

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

    def graph(self) -> Graph:
        """The lab as it is now, as a picture: nodes, networks, addresses, routers, routes, conditions of its links."""
        from labctl.api.results.graph import Graph
        from labctl.lab.drawing.picture import of_lab

        return Graph(of_lab(self._place.engine, self._place.find()))

    def sockets(self, *names: str) -> tuple[Socket, ...]:
        """The kernel's own tables of sockets, of the named nodes or of all: queues in bytes.

        Raises NodeNotFound, NotRunning, ProbeError.
        """
        from labctl.lab.processes import sockets

        lab = self._place.prepared()
        return tuple(sockets.table(self._place.engine, lab, sockets.place(lab, names)))


class SeenNode:
    """What `Node` shows of its programs."""

    _name: str
    _place: Place

    def sockets(self) -> tuple[Socket, ...]:
        """The kernel's own table of the node's sockets: queues in bytes. Raises NotRunning, ProbeError."""
        from labctl.lab.processes import sockets

        lab = self._place.prepared()
        return tuple(sockets.table(self._place.engine, lab, sockets.place(lab, [self._name])))

    def syscalls(self, *, last: float | str | None = None, waits: bool = False) -> tuple[Event, ...]:
        """The system calls of the node's programs on sockets, as events (`syscall`), in order of time: all that are
        recorded, or of the last seconds; `waits`: poll(2), epoll_wait(2) and the like, too.

        Raises NotRecorded (`no-recording`): `lab.record(name, syscalls=True)` begins it; NotRunning.
        """
        from labctl.lab.processes import syscalls

        lab = self._place.find()
        node: Node = lab.running(self._name, "its system calls can't be recorded")
        kinds = [syscalls.CALLS, syscalls.WAITS] if waits else [syscalls.CALLS]
        time = None if last is None else seconds_of("last", last)
        found = syscalls.recordings(self._place.engine, lab, [node], kinds, last=time)[node.name]
        if found.since is None:
            raise LabError("no-recording", nodes=node.name)
        return tuple(found.events)
