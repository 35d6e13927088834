"""Somebody's own programs as hosts of a lab: `Lab` has these as its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.place import Place
    from labctl.api.programs import Program
    from labctl.engine.model import Engine
    from labctl.lab import model

FilePath = str | os.PathLike[str]


class RunningLab:
    """What `Lab` does with programs."""

    engine: Engine
    name: str
    _place: Place

    def run(
        self,
        name: str | None,
        command: Sequence[str],
        *,
        folder: FilePath | None = ".",
        image: str | None = None,
        network: str | None = None,
        address: str | None = None,
        listen: int | None = None,
        publish: Sequence[str | int] = (),
        memory: str = "256m",
        env: Mapping[str, str] | None = None,
        ready: str | None = None,
        replace: bool = False,
        host: str = "",
        wait: bool = True,
        timeout: float = 30.0,
        report: Callable[[str], None] | None = None,
    ) -> Program:
        """Runs a program as a host of the lab: `lab.run("srv", ["python3", "server.py"], folder=".")`. `name` is its
        host's, None that of its file. The `folder` is seen read-only at /program, where the command begins; /tmp may
        be written to.

        `image` is a local one instead of labctl's own with Python; with an empty command its own program runs.
        `network` is needed where the lab has several, `address` is one of it that is free; "service:srv" is the network
        of the host srv, whose addresses are the program's then. `publish` are ports for this machine: 9000,
        "8000:9000". `memory` is a limit such as "64m". `replace`: in the place of a program of that name that runs.
        `host` is the machine that is to have it, where the lab is on several.

        Returns once it listens (on the port `listen`, if any, for which `timeout` seconds are waited), has printed the
        text `ready`, has ended with status 0, or has run for two seconds and listens nowhere; without `wait` at once.

        Raises NodeFailed where it ended with an error and LabTimeout where what was expected did not come (its host is
        then still there for a look), NodeError where the name is taken or the program can't run, FileError for the
        folder, InvalidArgument, EngineError, LabNotFound, ForeignLab, Cancelled (what was begun is taken back).
        """
        from labctl.api.programs import started
        from labctl.lab.programs.wanted import read

        self._programs()
        what = read(
            name,
            command,
            folder=folder,
            image=image,
            publish=publish,
            memory=memory,
            listen=listen,
            ready=ready,
            network=network,
            address=address,
            environment=env or {},
            replace=replace,
            machine=host,
        )
        return started(cast("Lab", self), what, wait=wait, timeout=timeout, report=report)

    def remove(self, *names: str, report: Callable[[str], None] | None = None) -> None:
        """Removes hosts that `run` made: their programs end in order. Raises NodeError where the topology has one,
        NodeNotFound, LabNotFound, ForeignLab, LabTimeout, EngineError."""
        from labctl.lab.programs.remove import remove

        remove(self.engine, self._programs(), names, report or (lambda text: None))

    def need_programs(self, *names: str) -> tuple[str, ...]:
        """The hosts that are named, each once, if `run` made all of them. Raises NodeError where the topology has one,
        NodeNotFound."""
        from labctl.lab.programs.remove import need_program

        found = self._programs()
        return tuple(need_program(found, name).name for name in dict.fromkeys(names))

    def _programs(self) -> model.Lab:
        """The lab, also where it has no nodes yet. Raises LabNotFound, ForeignLab."""
        from labctl.lab.programs.place import lab_of

        found = lab_of(self.engine, self.name)
        self._place.check(found.standing)
        return found
