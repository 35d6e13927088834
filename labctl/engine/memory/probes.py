"""Helper containers on the engine in memory: what they would do, a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from labctl.engine.memory.containers import Execution, MemoryContainer, Program
from labctl.engine.model import PROBE_IMAGE, Container, Image, ProbeOrder
from labctl.errors import LabError


class MemoryProbes:
    """See Engine."""

    images: dict[str, Image]
    probes: list[tuple[str, list[str]]]
    probe_program: Callable[[ProbeOrder], Program] | None
    probe_commands: Callable[[ProbeOrder], Callable[[Sequence[str]], Execution]] | None
    _containers: dict[str, MemoryContainer]
    _volumes: dict[str, dict[str, str]]
    _numbers: Iterator[int]
    _get: Callable[[str], MemoryContainer]

    def run_probe(
        self,
        command: Sequence[str],
        *,
        network: str,
        labels: Mapping[str, str],
        limit: float = 30,
        image: str = PROBE_IMAGE,
    ) -> str:
        """It is noted in `probes`, and nothing else happens: so routes are set, which nothing here goes by."""
        self._get(network.removeprefix("container:"))
        self.probes.append((network.removeprefix("container:"), list(command)))
        return ""

    def create_probe(self, probe: ProbeOrder) -> str | None:
        """Its program is what `probe_program` gives, and commands in it do what `probe_commands` gives.

        Raises LabError `engine-refused` where neither is set: there are no packets here, and no kernel.
        """
        target = self._get(probe.target) if probe.target else None
        if target and target.plan and not (self.probe_program or self.probe_commands):
            why = "an engine in memory has no packets and no kernel: no faults, recordings, sockets, system calls"
            raise LabError("engine-refused", action=f"look into {target.record.name}", why=why)
        if any(found.record.name == probe.name for found in list(self._containers.values())):
            return None
        ident = f"{next(self._numbers):064x}"
        inherited = self.images[PROBE_IMAGE].labels if PROBE_IMAGE in self.images else {}
        record = Container(ident, probe.name, PROBE_IMAGE, "created", {**inherited, **probe.labels})
        program = self.probe_program(probe) if self.probe_program else None
        made = self._containers[ident] = MemoryContainer(record, program)
        made.commands = self.probe_commands(probe) if self.probe_commands else None
        if probe.volume:
            self._volumes.setdefault(probe.volume, dict(probe.labels))
        return ident
