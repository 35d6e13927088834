"""What was recorded while something was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labctl.api.results.drawn import Ladder
from labctl.api.times import LIMIT

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.lab.recording import trace
    from labctl.packets.ladder.ladder import Options


class Trace:
    """`with lab.trace() as seen: ...` records while the block runs; when it has ended, `seen` tells what it caused.

    The block's end waits until the nodes are silent for 0.3 s, 5 s at most (`quiet` says whether they were). Where the
    block raises, nothing is drawn.
    """

    def __init__(
        self,
        place: Place,
        names: Sequence[str],
        *,
        xray: bool,
        command: Sequence[str] = (),
        options: Options | None = None,
    ) -> None:
        """`command`: the words of what is run, whose nodes have a part in it; `options` of the ladders."""
        self._place, self._names, self._xray = place, names, xray
        self._command, self._options = command, options
        self._tracing: trace.Tracing | None = None

    def __enter__(self) -> Trace:
        """From when it returns on, nothing that is sent goes unseen.

        Raises NodeNotFound, NotRunning, ProbeError (`recorder-gone`).
        """
        from labctl.lab.recording import trace
        from labctl.packets.ladder.ladder import Options

        found = self._place.prepared()
        self._options = self._options or Options(limit=LIMIT)
        self._tracing = trace.Tracing(
            self._place.engine, found, self._names, self._options, command=self._command, deep=self._xray
        ).__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, traceback: Any) -> None:
        """Raises ProbeError where a recorder is gone."""
        if self._tracing:
            self._tracing.__exit__(kind, problem, traceback)

    @property
    def _done(self) -> trace.Trace:
        if self._tracing is None or self._tracing.trace is None:
            raise RuntimeError("a trace tells what it has seen when its block has ended, and has not failed")
        return self._tracing.trace

    @property
    def quiet(self) -> bool:
        """Whether the nodes had nothing more to say at the end."""
        return self._done.quiet

    @property
    def patience(self) -> float:
        """How many seconds were waited for them to be silent, at most."""
        from labctl.lab.recording.trace import PATIENCE

        return PATIENCE

    @property
    def packets(self) -> int:
        """How many packets were recorded, at all nodes together."""
        return self._done.packets

    @property
    def remark(self) -> str:
        """Why there is no ladder, as a sentence; empty where there is one."""
        return self._done.remark

    @property
    def ladders(self) -> tuple[Ladder, ...]:
        """One for each two nodes that spoke with each other, but for what kernels and idle connections send by
        themselves; in order of their beginning. With system calls and states where `xray` was asked for."""
        from labctl.render.xray import ladders_of

        return tuple(map(Ladder, ladders_of(self._done, self._limit)))

    @property
    def packets_only(self) -> tuple[Ladder, ...]:
        """The same without system calls and states: what patterns are written of."""
        return tuple(map(Ladder, self._done.ladders))

    @property
    def aside(self) -> str:
        """What nodes did meanwhile that have no part in it, as a sentence; empty where that was nothing."""
        return str(self._done.aside) if self._done.aside.packets else ""

    @property
    def _limit(self) -> int:
        return self._options.limit if self._options else LIMIT

    def ladder(self, one: str, other: str, *, port: int | None = None, acks: bool = True, limit: int = LIMIT) -> Ladder:
        """All that two nodes sent each other meanwhile, which may be nothing. `port`: only packets from or to it;
        `acks`: with pure acknowledgements; `limit`: so many arrows at most, 0 for all.

        Raises NodeNotFound; InvalidArgument for one host with itself; NotRecorded (`no-recording`).
        """
        from labctl.lab.recording.ladder import names_of
        from labctl.packets.ladder.ladder import Options

        left, right = names_of(self._place.find(), one, other)
        return Ladder(self._done.between(left, right, Options(port, acks, limit)))

    def as_json(self) -> dict[str, Any]:
        """As `labctl trace --json` has it."""
        from labctl.render.xray import trace_document

        return trace_document(self._done, self._limit)
