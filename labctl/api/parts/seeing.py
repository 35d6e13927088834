"""What can be seen of a lab: packets, ladders, sockets, system calls. `Lab` and `Node` have these as their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.api.times import seconds_of
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.api.results.graph import Graph
    from labctl.events.model import Event
    from labctl.lab.model import Node
    from labctl.lab.processes.sockets import Socket


class SeenLab:
    """What `Lab` shows of its nodes. Waits end after the times that are given; nothing here prints."""

    _place: Place

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
