"""A helper container on each of some machines, for a moment: it is typed at, and gone at the end."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labctl.engine.model import ProbeOrder
from labctl.engine.swarm import MachineEngine
from labctl.errors import LabError
from labctl.lab.machines.asking import Engines, ask

PROGRAM = ("python3", "/opt/probe/machine_probe.py")
START_LIMIT = 30.0  # seconds
ANSWER_LIMIT = 10.0  # seconds, beside those that an order takes


class Helper:
    """One that runs."""

    def __init__(self, engine: MachineEngine, container: str) -> None:
        self._engine, self.container = engine, container
        self._stream = engine.attach(container, keyboard=True)

    def order(self, order: Mapping[str, Any], seconds: float = 0.0) -> Any:
        """What it answers; `seconds` are those that it may take. Raises LabError `probe-failed`."""
        self._stream.write(json.dumps(order).encode() + b"\n")
        said = ""
        for happening in self._engine.wait([self._stream], time.monotonic() + seconds + ANSWER_LIMIT):
            if happening.line is None:
                break
            text = happening.line.text.decode(errors="replace")
            if happening.line.stderr:
                said = text
                continue
            with contextlib.suppress(ValueError):
                return json.loads(text)
        raise LabError("probe-failed", command="machine_probe.py", status="none", why=said or "it said nothing")

    def close(self) -> None:
        self._stream.close()


@contextlib.contextmanager
def helpers(
    engines: Engines, name: str, labels: Mapping[str, str], ports: Sequence[str], network: str
) -> Iterator[tuple[dict[str, Helper], dict[str, LabError]]]:
    """One on each machine, in `host`, the machine's own network, or in another one, in the order of the machines; and
    why some could not start."""
    made: dict[str, str] = {}
    there: dict[str, Helper] = {}

    def begin(machine: str, engine: MachineEngine) -> None:
        command = (*PROGRAM, ",".join(ports))
        order = ProbeOrder(f"{name}-{network}", command, "", labels, {}, capabilities=("NET_RAW",), network=network)
        found = engine.create_probe(order)
        if found is None:
            raise LabError("engine-refused", action="make a probe", why=f"the name {order.name} is taken")
        made[machine] = found
        engine.change("start", found, limit=START_LIMIT)
        there[machine] = Helper(engine, found)

    try:
        problems = ask(engines, begin)[1]
        yield {machine: there[machine] for machine in engines if machine in there}, problems
    finally:
        for helper in there.values():
            helper.close()
        ask(
            {machine: engines[machine] for machine in made},
            lambda machine, engine: engine.remove_container(made[machine]),
        )
