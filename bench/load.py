"""Answers a second of a service, beside a plain asyncio server in the same image: the same client asks both."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.model import Result, Setting, Target
from bench.project import hardening, image, one_network, project

HERE = Path(__file__).parent
SECONDS, MOST = 2.0, 100_000  # of one sample, whichever comes first
PAUSE = 0.3  # seconds for the engine to write down what is left of a journal
AS_FAST = Target(1.0, at_least=True)


def measure(
    setting: Setting, kind: str, service: str, port: int, what: str, extra: Mapping[str, Any] | None = None
) -> Iterator[Result]:
    """Results with 1 and 8 connections. `kind` is the client's and the plain server's; `extra` the service's own."""
    node = {**hardening(), "image": image(service), **(extra or {})}
    services = {
        "service": node,
        # Compose would take a $ for the beginning of a variable.
        "plain": {**node, "command": ["python3", "-c", _source(f"plain_{kind}.py").replace("$", "$$")]},
        "client": {**node, "command": ["python3", "-c", "import time; time.sleep(1e6)"]},
    }
    with project(kind, one_network(services)) as lab:
        lab.compose("up", "--detach")
        for connections in (1, 8):
            busy: dict[str, list[float]] = {"service": [], "plain": []}

            def sample(host: str, connections: int = connections, busy: dict[str, list[float]] = busy) -> float:
                arguments = [kind, host, str(port), str(connections), str(SECONDS), str(MOST)]
                client = ["python3", "-c", _source("load_client.py"), *arguments]
                found = json.loads(lab.compose("exec", "-T", "client", *client, limit=SECONDS + 30).out)
                busy[host].append(found["busy"])
                time.sleep(PAUSE)
                return float(found["rate"])

            plural = "s" if connections > 1 else ""
            ours, theirs = setting.alternate(
                f"{kind}, {connections} connection{plural}, 1/s", lambda: sample("service"), lambda: sample("plain")
            )
            note = (
                "the client, a container on the same network, was at work "
                f"{statistics.median(busy['service']):.0%} of the time with ours, "
                f"{statistics.median(busy['plain']):.0%} with asyncio"
            )
            name, described = f"{kind}-{connections}", f"{what}, {connections} connection{plural}"
            yield Result(name, described, "1/s", ours, theirs, "asyncio streams", AS_FAST, (note,))


def _source(name: str) -> str:
    return (HERE / name).read_text()
