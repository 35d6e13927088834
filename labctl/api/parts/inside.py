"""What is inside a node: its processes, its files, all that is known of it. `Node` has these as its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO

from labctl.errors import LabError, ProgramNotFound

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.engine.model import Process
    from labctl.lab.inside import execution
    from labctl.lab.inside.archives import Carried as Carried
    from labctl.lab.life.inspecting import Inspected

FilePath = str | os.PathLike[str]


def status_of(problem: ProgramNotFound) -> int:
    """The exit status of a shell that can't run a command: 126 or 127."""
    from labctl.lab.inside import execution

    return execution.status_of(problem)


def names_node(text: str) -> bool:
    """Whether one end of a copy is NODE:PATH. Raises InvalidArgument where no path stands behind the node."""
    from labctl.lab.inside import copying

    return copying.spot(text).node is not None


class InsideLab:
    """See Lab."""

    _place: Place

    def container(self, name: str, index: int | None = None) -> str:
        """The name of one node: of a scaled service that of its first, or of the one with a number, as Compose has it.

        Raises NodeNotFound, InvalidArgument.
        """
        from labctl.lab.choosing import one

        return one(self._place.find(), name, index)

    def copy(
        self, source: str, target: str, *, stream: BinaryIO | None = None, follow_link: bool = False
    ) -> tuple[Carried, str, str]:
        """As `labctl cp FROM TO`: one of the two is NODE:PATH, the other one a path of this machine, or `-` for a tar
        archive, which is read from `stream` or written there. What was carried, and both ends as they are shown.

        Raises NodeError (`copy-failed`), NotRunning, NodeNotFound, InvalidArgument, ForeignLab, ProbeError.
        """
        from labctl.lab.inside import copying

        here, there = copying.spot(source), copying.spot(target)
        if (here.node is None) == (there.node is None):
            raise LabError(
                "bad-option", option="copy", why="one of the two is NODE:PATH, and the other one a path here"
            )
        engine = self._place.engine
        if here.node:
            done = copying.copy_out(engine, self._place.prepared(), here, there, stream, follow=follow_link)
        else:
            done = copying.copy_in(engine, self._place.breakable(), here, there, stream, follow=follow_link)
        return done, here.shown, there.shown


class InsideNode:
    """See Node."""

    _name: str
    _place: Place

    def execute(
        self,
        command: Sequence[str],
        *,
        keyboard: bool = True,
        terminal: bool = False,
        show: Callable[[bytes, bool], None],
        why_ended: Callable[[BaseException], int | None],
    ) -> int:
        """Runs a command in the node as `labctl exec` does, with this process' standard input as its own (not without
        `keyboard`) and, with `terminal`, its terminal; its exit status. What it writes goes to `show`, with True for
        its standard error; on a terminal, and where an engine can't half-close, to this process' own output.

        `why_ended` says with which signal it ends for an exception that comes meanwhile (None: with none). `exec` is
        for programs. Raises ProgramNotFound, NotRunning, ForeignLab, CommandLeft, Cancelled.
        """
        from labctl.lab.inside import execution

        place, engine = self._inside(), self._place.engine
        if terminal or not engine.half_closes:
            return execution.at_terminal(
                engine, place, command, terminal=terminal, keyboard=keyboard, why_ended=why_ended
            )
        source = sys.stdin.fileno() if keyboard else None
        return execution.run(engine, place, command, source=source, show=show, why_ended=why_ended)

    def shell(self) -> tuple[str, ...]:
        """What starts the best shell that is there, for `execute`. Raises NodeError (`no-shell`), NotRunning."""
        from labctl.lab.inside.shells import command_of

        return tuple(command_of(self._place.engine, self._inside()))

    def _inside(self) -> execution.Place:
        from labctl.lab.inside import execution

        lab = self._place.changeable()
        return execution.Place(lab, lab.running(self._name, "no command can run in it"))

    def processes(self) -> tuple[Process, ...]:
        """What runs in it, as the engine's machine counts processes; also while it is paused. Raises NotRunning,
        EngineError."""
        from labctl.lab.inside.top import top

        return top(self._place.engine, self._place.find(), [self._name])[0].processes

    def inspect(self) -> Inspected:
        """All that is known of it: program, addresses, ports, limits, rights, files, how its last run ended.
        Raises NodeNotFound, EngineError."""
        from labctl.lab.life.inspecting import inspect

        return inspect(self._place.engine, self._place.find(), [self._name])[0]

    def copy_out(self, path: str, to: FilePath, *, follow_link: bool = False) -> Carried:
        """Copies a file or a folder of the node to this machine, as `labctl cp NODE:PATH TO` does; counts of what was
        copied. `follow_link`: what a link leads to, instead of the link. Raises NodeError (`copy-failed`)."""
        from labctl.lab.inside import copying

        source, target = copying.spot(f"{self._name}:{path}"), copying.Spot(None, os.fspath(to))
        return copying.copy_out(self._place.engine, self._place.prepared(), source, target, None, follow=follow_link)

    def copy_in(self, source: FilePath, path: str, *, follow_link: bool = False) -> Carried:
        """Copies a file or a folder of this machine into the node, which has to run. Raises NodeError (`copy-failed`),
        NotRunning, ForeignLab."""
        from labctl.lab.inside import copying

        here, there = copying.Spot(None, os.fspath(source)), copying.spot(f"{self._name}:{path}")
        return copying.copy_in(self._place.engine, self._place.breakable(), here, there, None, follow=follow_link)
