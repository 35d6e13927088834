"""python -m bench [NAME...] [--runs N] [--out FILE]: see --help."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench import report
from bench.commands import Failed, labctl, run
from bench.measurements import (
    chat,
    echo,
    faults,
    idle,
    images,
    labs,
    ladder,
    machines,
    memory,
    mixes,
    page,
    program,
    recording,
    runs,
    size,
    web,
)
from bench.model import Result, Setting
from labctl.errors import LabError

RUNS = 7
RESULTS = Path(__file__).parent / "results.json"
BUILD_LIMIT = 1800.0
LONG = "size-"  # what begins so takes most of the time, together
ASKED = ("machines-1000",)  # only where it is asked for: `make bench-scale`
MEASUREMENTS: Mapping[str, tuple[str, Callable[[Setting], Iterator[Result]]]] = {
    "up": ("labctl up, up again and down of the default lab : docker compose, the engine alone", labs.default),
    "up-50": ("the same with 50 nodes", labs.fifty),
    "chat": ("labctl chat send : docker compose exec", chat.measure),
    "run": ("labctl run to the first answer : docker run of the same", program.measure),
    "grade": ("labctl grade echo of a server that is right", program.grades),
    "help": ("labctl --help : python -c pass; the plugin of pytest", program.starts),
    "echo": ("echo round trips a second, 1 and 8 connections : asyncio streams", echo.measure),
    "web": ("web requests a second, 1 and 8 connections : asyncio streams", web.measure),
    "memory": ("memory a node, 50 nodes : a sleeping Python", memory.measure),
    "idle": ("what a watched node's probe takes of a core while nothing happens, 50 nodes", idle.measure),
    "images": ("size of all images together", images.measure),
    "ladder": ("labctl ladder of 10,000 packets; a pattern of them", ladder.measure),
    "page": ("the page: first paint, frames, how far behind; saved runs", page.measure),
    "runs": ("labctl save, open and diff of a run of 10,000 datagrams, and its size", runs.measure),
    "mixes": ("200 mixes of faults: ladder against journal", mixes.measure),
    "fault": ("what a rule on a link costs, on it and on others", faults.measure),
    "capture": ("what recorders at both ends cost a round trip", recording.measure),
    "machines": ("a lab of 300 hosts over three engines : on one", machines.measure),
    "machines-1000": ("the same with 1,000 hosts, which takes 13 minutes and 14 GB", machines.many),
    "size-20": ("up and down of a mesh of 20 nodes, memory : docker compose, the engine alone", size.small),
    "size-100": ("the same with 100 nodes", size.middle),
    "size-200": ("the same with 200 nodes", size.large),
    "size-growth": ("up and down of a mesh, time a node at 200 : at 20", size.growth),
}


def main() -> int:
    options = _options()
    if options.list:
        for name, (what, _) in MEASUREMENTS.items():
            print(f"{name:11} {what}")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended in order, as by ^C
    try:
        with _alone():
            return _measure(options.names, options.runs, options.out)
    except (Failed, LabError) as problem:
        _tell(f"bench: {problem}")
        return 1
    except KeyboardInterrupt:
        _tell("bench: interrupted; what it had made is removed")
        return 128 + signal.SIGINT


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures labctl side by side with plain Compose and plain asyncio. Exit status 0 says that all "
        "was measured, not that all targets were met: the table says that.",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="measurements to take (all)")
    parser.add_argument("--list", action="store_true", help="list the measurements")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"pairs of samples for each ({RUNS})")
    parser.add_argument("--short", action="store_true", help=f"leave out {LONG}*, which take three quarters of an hour")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where the results go (all measurements: bench/results.json)"
    )
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no measurement {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    if not options.names and not options.list and not options.short:
        options.out = options.out or RESULTS  # some of them alone must not replace the results of all
    wanted = options.names or [name for name in MEASUREMENTS if name not in ASKED]
    options.names = [name for name in wanted if not (options.short and name.startswith(LONG))]
    return options


@contextmanager
def _alone() -> Iterator[None]:
    """Two at once would measure each other, and their projects have the same names."""
    with open(Path(tempfile.gettempdir()) / f"labctl-bench-{os.getuid()}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed("another bench is running on this machine") from None
        yield


def _measure(names: list[str], runs: int, out: Path | None) -> int:
    started = time.monotonic()
    about = report.machine()
    run([labctl(), "build"], BUILD_LIMIT)
    results: list[Result] = []
    failed = []
    for name in names:
        _tell(f"{name}: {MEASUREMENTS[name][0]}")
        began = time.monotonic()
        try:
            results += MEASUREMENTS[name][1](Setting(runs, lambda text: _tell(f"  {text}")))
        except (Failed, LabError) as problem:
            _tell(f"bench: {problem}")
            failed.append(name)
        _tell(f"  {time.monotonic() - began:.0f} s")
    seconds = time.monotonic() - started
    print(report.table(results))
    for note in dict.fromkeys(f"{result.name}: {note}" for result in results for note in result.notes):
        print(f"  {note}")
    print(f"medians of {runs} pairs or more, where no note tells of fewer; a ratio is the median of those of the pairs")
    print(f"{seconds / 60:.0f} minutes")
    if failed:
        _tell(f"bench: not measured: {', '.join(failed)}; no results are written")
        return 1
    if out:
        report.write(out, results, about, runs, seconds)
        print(f"written to {out}")
    _tell_missed(results)
    return 0


def _tell_missed(results: list[Result]) -> None:
    missed = [result for result in results if not result.is_met]
    for result in missed:
        value = statistics.median(result.ours) if result.target.absolute else result.ratio
        _tell(f"missed: {result.what}: {value:.3g}, wanted {result.target.limit:g}")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
