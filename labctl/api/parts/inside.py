"""What is inside a node: its processes, its files, all that is known of it. `Node` has these as its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.engine.model import Process
    from labctl.lab.inside.archives import Carried
    from labctl.lab.life.inspecting import Inspected

FilePath = str | os.PathLike[str]


class InsideNode:
    """See Node."""

    _name: str
    _place: Place

    def processes(self) -> tuple[Process, ...]:
        """What runs in it, as the engine's machine counts processes. Raises NotRunning, EngineError."""
        from labctl.lab.inside.top import top

        return top(self._place.engine, self._place.find(), [self._name])[0].processes

    def inspect(self) -> Inspected:
        """All that is known of it: program, addresses, ports, limits, rights, files, how its last run ended."""
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
