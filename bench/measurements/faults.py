"""What faults cost: packets of a link with a rule that lets all pass, beside the same link without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.commands import labctl, run
from bench.model import Result, Setting, Target
from bench.project import Project, hardening, image, one_network, project
from labctl.engine.model import LABEL_ROLE

HERE = Path(__file__).parents[1]
# No packet is on that port; all of the link must be looked at to know.
RULE = ("fault", "drop", "a:b", "tcp port 1")
PINGS, SECONDS = 2000, 2.0
ADDED = Target(0.3, absolute=True)
RATE = Target(20_000, absolute=True, at_least=True)
UNTOUCHED = Target(1.05)  # 1, and what two runs of the same thing differ by


def measure(setting: Setting) -> Iterator[Result]:
    with three_nodes("fault") as lab:
        yield from _measure(setting, lab)


@contextmanager
def three_nodes(name: str) -> Iterator[Project]:
    """A lab of labctl's: `a` that sleeps, `b` and `c` that answer it (bench/fault_peer.py)."""
    common = hardening()
    labels = {**common["labels"], LABEL_ROLE: ""}  # other programs than the image's own: nobody says `ready`
    node = {
        **common,
        "labels": labels,
        "image": image("udp1"),
        "command": ["python3", "-c", "import time; time.sleep(1e6)"],
    }
    peer = {**node, "command": ["python3", "-c", (HERE / "fault_peer.py").read_text().replace("$", "$$")]}
    with project(name, one_network({"a": node, "b": peer, "c": peer})) as lab:
        run([labctl(), "up", str(lab.file), "--lab", lab.name], 300)
        try:
            yield lab
        finally:
            run([labctl(), "down", lab.name], 120)


def _measure(setting: Setting, lab: Project) -> Iterator[Result]:
    def with_rule(kind: str, host: str) -> float:
        run([labctl(), *RULE, "--lab", lab.name], 300)
        try:
            return sample(lab, kind, host)
        finally:
            run([labctl(), "fault", "clear", "--all", "--lab", lab.name], 60)

    ruled, plain = setting.alternate("round trip, ms", lambda: with_rule("ping", "b"), lambda: sample(lab, "ping", "b"))
    added = tuple(ours - theirs for ours, theirs in zip(ruled, plain, strict=True))
    what = "what a rule that lets all pass adds to a round trip"
    yield Result("fault-rtt", what, "ms", added, (), "", ADDED, (f"medians of {PINGS} round trips",))
    other, untouched = setting.alternate(
        "round trip on another link, ms", lambda: with_rule("ping", "c"), lambda: sample(lab, "ping", "c")
    )
    what = "round trip on a link without rules, the node has one on another"
    yield Result("fault-other", what, "ms", other, untouched, "no rule anywhere", UNTOUCHED)
    rates, free = setting.alternate(
        "packets through a rule, 1/s", lambda: with_rule("flood", "b"), lambda: sample(lab, "flood", "b")
    )
    note = f"{max(free):,.0f} without the rule: sender and receiver are Python as well, on the same cores"
    yield Result("fault-rate", "packets through a rule that lets all pass", "1/s", rates, (), "", RATE, (note,))


def sample(lab: Project, kind: str, host: str) -> float:
    """What a client at `a` finds (bench/fault_client.py): a round trip in ms, or packets a second."""
    client = ["python3", "-c", (HERE / "fault_client.py").read_text(), kind, host, str(PINGS), str(SECONDS)]
    return float(json.loads(lab.compose("exec", "-T", "a", *client, limit=60).out)["value"])
