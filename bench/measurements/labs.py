"""`labctl up` and `down` beside Compose's own and beside the engine's floor, of the same file and in the same cycles;
and `up` once more, with nothing to change."""

from __future__ import annotations

from collections.abc import Iterator

from bench.commands import labctl, run
from bench.floor import WORKERS, Floor
from bench.model import Result, Setting, Target
from bench.project import LIMIT, ROOT, Project, default_lab, many, project

SOON = Target(0.5, absolute=True)  # seconds
AGAIN = Target(0.6)  # of Compose's `up`, where there is nothing to change
NEAR_THE_FLOOR = Target(1.15)
DOWN = Target(0.95)
SMALL, FIFTY = Target(0.8), Target(0.85)  # of Compose's `up`


def default(setting: Setting) -> Iterator[Result]:
    with project("hello", default_lab(), links={"services": ROOT / "services"}) as lab:
        yield from _cycles(setting, lab, "", "the default lab", setting.runs * 2, SMALL)  # short, so more of them


def fifty(setting: Setting) -> Iterator[Result]:
    with project("fifty", many(50)) as lab:
        yield from _cycles(setting, lab, "-50", "50 nodes", setting.runs, FIFTY)


def _cycles(setting: Setting, lab: Project, suffix: str, what: str, runs: int, target: Target) -> Iterator[Result]:
    downs: tuple[list[float], ...] = ([], [], [])
    again: tuple[list[float], ...] = ([], [])
    floor = Floor(lab.name)
    command = [labctl(), "up", str(lab.file), "--lab", lab.name, "--timeout", str(LIMIT)]

    def with_labctl() -> float:
        up = run(command, LIMIT).seconds
        floor.learn(lab)
        lab.settle()
        again[0].append(run(command, LIMIT).seconds)
        downs[0].append(run([labctl(), "down", lab.name], LIMIT).seconds)
        return up

    def with_compose() -> float:
        up = lab.compose("up", "--detach", "--wait").seconds
        lab.settle()
        again[1].append(lab.compose("up", "--detach", "--wait").seconds)
        downs[1].append(lab.compose("down").seconds)
        return up

    def with_the_engine() -> float:
        up = floor.up()
        downs[2].append(floor.down())
        return up

    ups = setting.alternate(f"up{suffix}, s", with_labctl, with_compose, with_the_engine, runs=runs)
    note = ("Compose waits by the images' healthcheck, labctl by each node's `ready` event",)
    engine = f"the engine, {WORKERS} workers"
    against = "docker compose up -d --wait"
    yield Result(f"up{suffix}", f"labctl up, {what}", "s", ups[0], ups[1], against, target, note)
    yield Result(f"up{suffix}-floor", f"labctl up, {what}", "s", ups[0], ups[2], engine, NEAR_THE_FLOOR)
    # Without the warming up.
    ours, theirs = (tuple(up[1:]) for up in again)
    yield Result(f"up{suffix}-again", f"labctl up again, {what}", "s", ours, theirs, against, AGAIN)
    yield Result(f"up{suffix}-again-soon", f"labctl up again, {what}", "s", ours, (), "", SOON)
    ours, theirs, _ = (tuple(down[1:]) for down in downs)
    yield Result(f"down{suffix}", f"labctl down, {what}", "s", ours, theirs, "docker compose down", DOWN)
