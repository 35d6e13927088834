"""What a watched node costs while nothing happens at it: the processor that its probe takes, with 50 of them."""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bench.commands import Failed, labctl, run
from bench.model import Result, Setting, Target
from bench.project import LIMIT, Project, many, project
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.wire import Wire
from labctl.engine.model import LABEL_LAB, LABEL_PROBE, LABEL_PROBED

COUNT, RECORDED = 50, 5
SETTLE, SPAN = 5.0, 20.0  # seconds
ONCE: dict[str, Any] = {"stream": False, "one-shot": True}  # one look, without waiting for a second one
WANTED = Target(1.0, absolute=True)


def measure(setting: Setting) -> Iterator[Result]:
    with project("idle", many(COUNT)) as lab:
        run([labctl(), "up", str(lab.file), "--lab", lab.name, "--timeout", str(LIMIT)], LIMIT)
        with watched(lab):
            shares = usage(lab)
        setting.tell(f"idle, % of a core a watched node: {statistics.median(shares.values()):.3g}")
        note = f"{len(shares)} nodes watched at once, each for {SPAN:g} s; all together {sum(shares.values()):.3g} %"
        what = "a watched node's probe while nothing happens"
        yield Result("idle-watch", what, "% of a core", tuple(shares.values()), (), "", WANTED, (note,))
        names = sorted(shares)[:RECORDED]
        for name in names:  # the first time is an error: nothing was recorded until then
            subprocess.run(
                [labctl(), "syscalls", name, "--lab", lab.name], capture_output=True, timeout=120, check=False
            )
        found = usage(lab)
        calls = tuple(found[name] for name in names)
        setting.tell(f"idle, % of a core a node whose calls are recorded: {statistics.median(calls):.3g}")
        what = "the same of a node whose system calls are recorded, strace included"
        yield Result("idle-calls", what, "% of a core", calls, (), "", WANTED)


@contextmanager
def watched(lab: Project) -> Iterator[None]:
    """While `labctl sockets --watch` goes on for all nodes."""
    reader, writer = os.pipe()
    command = [labctl(), "sockets", "--watch", "--lab", lab.name, "--ready-fd", str(writer)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[writer])
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], LIMIT)
        if not ready or not os.read(reader, 1 << 16):
            raise Failed("labctl sockets --watch has not begun")
        yield
    finally:
        os.close(reader)
        child.terminate()
        child.wait(60)


def usage(lab: Project) -> Mapping[str, float]:
    """The share of a core, in percent, that the probe of each node takes over SPAN, as its cgroup counts it."""
    engine = DockerEngine()
    there = engine.containers([f"{LABEL_LAB}={lab.name}", f"{LABEL_PROBE}=processes"], running=True)
    wire = Wire(engine.endpoint)

    def used(container: str) -> tuple[float, int]:
        stats = wire.call("GET", f"/containers/{container}/stats", **ONCE)
        return time.monotonic(), stats["cpu_stats"]["cpu_usage"]["total_usage"]

    time.sleep(SETTLE)
    before = {item.labels[LABEL_PROBED]: (item.id, *used(item.id)) for item in there}
    time.sleep(SPAN)
    shares = {}
    for name, (ident, began, first) in before.items():
        now, last = used(ident)
        shares[name] = (last - first) / 1e9 / (now - began) * 100
    return shares
