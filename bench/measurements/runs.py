"""A run of 10,000 datagrams as a file: how long whole commands take to save, open and compare it, and its size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.commands import Failed, labctl, run
from bench.measurements.ladder import PACKETS, RATE
from bench.model import Result, Setting, Target
from bench.project import ROOT, default_lab, project

# A datagram is recorded at both ends, and told of by both programs.
SAVED, OPENED, COMPARED = (Target(limit, absolute=True) for limit in (5.0, 2.0, 10.0))  # seconds
LARGEST = Target(2_000_000, absolute=True)  # bytes


def measure(setting: Setting) -> Iterator[Result]:
    with project("runs", default_lab(), links={"services": ROOT / "services"}) as lab, _folder() as folder:
        run([labctl(), "up", str(lab.file), "--lab", lab.name, "--record"], 300)
        try:
            train = ["udp", "send", "udp1", "udp2", "--count", str(PACKETS), "--rate", str(RATE), "--timeout", "30"]
            run([labctl(), *train, "--lab", lab.name], 120)
            yield from _measured(setting, lab.name, folder)
        finally:
            run([labctl(), "down", lab.name], 120)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bench-runs-")


def _measured(setting: Setting, lab: str, folder: str) -> Iterator[Result]:
    first, second, page = (Path(folder) / name for name in ("first.labrun", "second.labrun", "run.html"))

    def save(file: Path) -> float:
        return run([labctl(), "save", str(file), "--lab", lab], 120).seconds

    [saved] = setting.alternate("labctl save, s", lambda: save(first))
    save(second)
    [opened] = setting.alternate(
        "labctl open, s", lambda: run([labctl(), "open", str(first), "-o", str(page)], 120).seconds
    )
    compared = run([labctl(), "diff", str(first), str(second)], 120)
    if "the two runs are the same" not in compared.out:
        raise Failed(f"a run is said to differ from itself: {compared.out[:300]}")
    [differed] = setting.alternate(
        "labctl diff, s", lambda: run([labctl(), "diff", str(first), str(second)], 120).seconds, runs=3
    )
    what = f"a run of {PACKETS:,} datagrams"
    yield Result("run-save", f"labctl save, {what}", "s", saved, (), "", SAVED)
    yield Result("run-open", f"labctl open, {what}, to the page", "s", opened, (), "", OPENED)
    yield Result("run-diff", f"labctl diff, {what} and the same", "s", differed, (), "", COMPARED)
    yield Result("run-size", f"{what} as a file", "bytes", (float(first.stat().st_size),), (), "", LARGEST)
    yield Result("run-page", f"{what} as a page", "bytes", (float(page.stat().st_size),), (), "", LARGEST)
