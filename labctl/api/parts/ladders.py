"""Ladders of what nodes send each other: of what was recorded, as it comes, of what was done meanwhile. `Lab` has these
as its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from labctl.api.times import LAST, LIMIT, Since, moment_ns, seconds_of
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.api.results.drawn import Ladder
    from labctl.api.results.xray import XRay
    from labctl.api.trace import Trace
    from labctl.api.wire import Wire
    from labctl.cancel import Cancel
    from labctl.lab.recording.following import Step as Step


class DrawnLab:
    """See Lab."""

    _place: Place

    def trace(
        self,
        *names: str,
        xray: bool = False,
        command: Sequence[str] = (),
        port: int | None = None,
        acks: bool = True,
        limit: int = LIMIT,
    ) -> Trace:
        """Records while a `with` block runs, and draws what it caused: at the named nodes, else at all but routers;
        `xray`: with system calls and states of sockets. `command`: what the block runs, as words: of these, the names
        of nodes tell who has a part in it. `port`, `acks` and `limit` are as in `ladder`."""
        from labctl.api.trace import Trace
        from labctl.packets.ladder.ladder import Options

        return Trace(self._place, names, xray=xray, command=command, options=Options(port, acks, limit))

    def ladder(
        self,
        one: str,
        other: str,
        *,
        last: float | str = LAST,
        port: int | None = None,
        acks: bool = True,
        limit: int = LIMIT,
        begin: bool = False,
    ) -> Ladder:
        """What two nodes sent each other in the last seconds. `port`: only packets from or to it; `acks`: with pure
        acknowledgements; `limit`: so many arrows at most, 0 for all. Nothing is begun by it (`record` does that),
        unless `begin` is given.

        Raises NotRecorded (`no-recording`; with `begin` `not-recorded`: from now on they are), NodeNotFound,
        NotRunning, InvalidArgument (one host, or no link).
        """
        from labctl.api.results.drawn import Ladder
        from labctl.lab.recording import ladder, recorders
        from labctl.packets.ladder.ladder import Options

        lab, options, there = self._place.find(), Options(port, acks, limit), None
        nodes, seconds = ladder.ends(lab, one, other), seconds_of("last", last)
        if begin:
            self._place.prepare()
            there, fresh = recorders.begin(self._place.engine, lab, nodes)
            _refuse_fresh(fresh)
        return Ladder(ladder.drawn(self._place.engine, lab, nodes, seconds, options, there))

    def follow_ladder(
        self,
        one: str,
        other: str,
        *,
        last: float | str = 0.0,
        port: int | None = None,
        acks: bool = True,
        ready: Callable[[Sequence[str]], object] = lambda hosts: None,
    ) -> Iterator[Step]:
        """What two nodes sent each other in the `last` seconds, then what they send: a `Step` whenever it is certain
        what became of some packets, with the ladder as it is known now and in `fresh` those arrows. Begins recording
        where there is none; `ready` is called with the names of both hosts once nothing that comes can be missed. Ends
        when one of them stops. Raises as `ladder` does, and ProbeError, Cancelled."""
        from labctl.lab.recording import following, ladder
        from labctl.packets.ladder.ladder import Options

        lab = self._place.find()
        nodes = ladder.ends(lab, one, other)
        self._place.prepare()
        hosts, options = [node.name for node in nodes], Options(port, acks, 0)
        back = seconds_of("last", last)
        yield from following.follow(self._place.engine, lab, nodes, back, options, lambda: ready(hosts))

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
        begin: bool = False,
    ) -> XRay:
        """The same with system calls and states of sockets as moments; `record(..., syscalls=True)` begins it, or
        `begin`.

        Raises NotRecorded, NodeNotFound, NotRunning, InvalidArgument.
        """
        from labctl.api.results.xray import XRay
        from labctl.lab.recording import ladder, xray
        from labctl.packets.ladder.ladder import Options

        lab, options = self._place.find(), Options(port, acks, limit)
        nodes, seconds = ladder.ends(lab, one, other), seconds_of("last", last)
        if begin:
            self._place.prepare()
            _refuse_fresh(xray.start(self._place.engine, lab, nodes))
        return XRay.of(xray.xray(self._place.engine, lab, nodes, seconds, options), limit)

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
        from labctl.lab.roles import forwards

        lab = self._place.prepared()
        nodes = capture.place(lab, names).nodes
        if not names:
            nodes = tuple(node for node in nodes if not forwards(node.role))
        enough = (lambda: until.is_cancelled) if until else lambda: False
        yield from map(Ladder, together.follow(self._place.engine, lab, nodes, since_ns, enough, ready))


def _refuse_fresh(names: Sequence[str]) -> None:
    """Raises NotRecorded (`not-recorded`) where nodes are recorded only from now on: there is nothing to draw yet."""
    if names:
        raise LabError("not-recorded", nodes=" and ".join(names))
