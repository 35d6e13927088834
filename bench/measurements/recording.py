"""What recorders at both ends cost the traffic between two nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.commands import labctl, run
from bench.measurements.faults import PINGS, sample, three_nodes
from bench.model import Result, Setting, Target

WANTED = Target(1.10)


def measure(setting: Setting) -> Iterator[Result]:
    with three_nodes("recording") as lab:

        def recorded(take: Callable[[], float]) -> float:
            run([labctl(), "capture", "--start", "a", "b", "--lab", lab.name], 120)
            try:
                return take()
            finally:
                run([labctl(), "capture", "--stop", "a", "b", "--lab", lab.name], 60)

        def ping() -> float:
            return sample(lab, "ping", "b")

        ours, theirs = setting.alternate("round trip, ms", lambda: recorded(ping), ping)
        what = "round trip between two nodes that are both recorded"
        yield Result(
            "capture-rtt", what, "ms", ours, theirs, "not recorded", WANTED, (f"medians of {PINGS} round trips",)
        )
