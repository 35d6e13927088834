"""What can be seen of a lab: packets, ladders, sockets, system calls. `Lab` and `Node` have these as their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.api.times import seconds_of
from labctl.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.api.place import Place
    from labctl.api.results.graph import Graph
    from labctl.events.model import Event
    from labctl.lab.model import Lab, Node
    from labctl.lab.processes.sockets import Socket
    from labctl.lab.processes.syscalls import Recording


class SeenLab:
    """What `Lab` shows of its nodes. Waits end after the times that are given; nothing here prints."""

    _place: Place

    def graph(self) -> Graph:
        """The lab as it is now, as a picture: nodes, networks, addresses, routers, routes, conditions of its links.
        Raises LabNotFound, EngineError."""
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

    def watched(self, *names: str) -> tuple[str, ...]:
        """The nodes whose sockets can be looked at: those that are named, or all. Raises NodeNotFound, NotRunning."""
        from labctl.lab.processes import sockets

        return tuple(node.name for node in sockets.place(self._place.find(), names))

    def follow_sockets(self, *names: str) -> Iterator[Event]:
        """Each change of a socket's state at the named nodes, or at all, as events (`socket-state`), until they have
        ended. The first event of each node is `watching`: from then on nothing is missed but what a `missed` event
        tells of. Raises NodeNotFound, NotRunning, ProbeError, Cancelled."""
        from labctl.lab.processes import sockets

        lab = self._place.find()
        nodes = sockets.place(lab, names)
        self._place.prepare()
        yield from sockets.watch(self._place.engine, lab, nodes)


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
        found = self.recording(last=last, waits=waits)
        if found.since is None:
            raise LabError("no-recording", nodes=self._name)
        return tuple(found.events)

    def recording(self, *, last: float | str | None = None, waits: bool = False) -> Recording:
        """The same with what is to be known of it: `since` when its calls are recorded (None: they are not), and how
        many of the first are gone (`cut`). Raises NotRunning, ProbeError."""
        from labctl.lab.processes import syscalls

        lab, node = self._traced()
        kinds = [syscalls.CALLS, syscalls.WAITS] if waits else [syscalls.CALLS]
        time = None if last is None else seconds_of("last", last)
        return syscalls.recordings(self._place.engine, lab, [node], kinds, last=time)[node.name]

    @property
    def programs(self) -> tuple[str, ...]:
        """The nodes that it stands for, where it is a whole host of several that has no programs of its own."""
        from labctl.lab.processes import syscalls

        return tuple(syscalls.programs_of(*self._traced()))

    def record_syscalls(self) -> bool:
        """Records the system calls of its programs from now on, and no packets; whether nothing did before. Raises
        NotRunning, ProbeError (`not-traceable`)."""
        from labctl.lab.processes import syscalls

        self._place.prepare()
        lab, node = self._traced()
        return bool(syscalls.start(self._place.engine, lab, [node]))

    def forget_syscalls(self) -> bool:
        """Ends that, and forgets what was recorded; whether anything was. Raises NotRunning, ForeignLab."""
        from labctl.lab.processes import syscalls

        lab, node = self._traced()
        self._place.changeable()
        return bool(syscalls.stop(self._place.engine, lab, [node]))

    def follow_syscalls(self, *, last: float | str = 0.0, waits: bool = False) -> Iterator[Event]:
        """System calls as they return, where they are recorded: those of the `last` seconds, then an event `recording`
        with how many are gone of these (`cut`), then those that come. Raises NotRecorded (`no-recording`), NotRunning,
        ProbeError, Cancelled."""
        from labctl.lab.processes import syscalls

        lab, node = self._traced()
        yield from syscalls.follow(self._place.engine, lab, [node], last=seconds_of("last", last), waits=waits)

    def _traced(self) -> tuple[Lab, Node]:
        lab = self._place.find()
        return lab, lab.running(self._name, "its system calls can't be recorded")
