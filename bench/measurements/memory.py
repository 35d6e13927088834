"""Memory a node in a lab of 50, beside the same containers with a Python that sleeps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench.commands import labctl, run
from bench.model import Result, Setting, Target
from bench.project import LIMIT, Project, many, project
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.wire import Wire

COUNT = 50
ONCE: dict[str, Any] = {"stream": False, "one-shot": True}  # one look, without waiting for a second one
SETTLE = 3.0  # seconds
SLEEPER = ("python3", "-c", "import time; time.sleep(1e6)")


def measure(setting: Setting) -> Iterator[Result]:
    with project("memory", many(COUNT)) as lab:
        run([labctl(), "up", str(lab.file), "--lab", lab.name, "--timeout", str(LIMIT)], LIMIT)
        ours = usage(lab)
    setting.tell(f"memory, MiB a node: {statistics.median(ours):.4g}")
    with project("memory", many(COUNT, SLEEPER)) as lab:
        lab.compose("up", "--detach")
        theirs = usage(lab)
    setting.tell(f"memory, MiB a sleeping Python: {statistics.median(theirs):.4g}")
    note = f"the samples are the {COUNT} nodes, UDP peers, each {SETTLE:g} s after the last was ready"
    target = Target(12.0, absolute=True)
    yield Result("memory", f"memory a node, {COUNT} nodes", "MiB", ours, theirs, "sleeping Python", target, (note,))


def usage(lab: Project) -> tuple[float, ...]:
    """What `docker stats` shows: what the container's cgroup counts, less the file cache that nobody uses."""
    time.sleep(SETTLE)
    wire = Wire(DockerEngine().endpoint)
    used = []
    for container in lab.containers():
        path = f"/containers/{container.id}/stats"
        memory = wire.call("GET", path, **ONCE)["memory_stats"]
        cache = memory["stats"].get("total_inactive_file", memory["stats"].get("inactive_file", 0))  # cgroup v1, v2
        used.append((memory["usage"] - cache) / 2**20)
    return tuple(used)
