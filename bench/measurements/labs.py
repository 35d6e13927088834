"""`labctl up` and `down` beside Compose's own, of the same file and in the same cycles."""

from __future__ import annotations

from collections.abc import Iterator

from bench.commands import labctl, run
from bench.model import Result, Setting, Target
from bench.project import LIMIT, ROOT, Project, default_lab, many, project

NO_SLOWER = Target(1.0)


def default(setting: Setting) -> Iterator[Result]:
    with project("hello", default_lab(), links={"services": ROOT / "services"}) as lab:
        yield from _cycles(setting, lab, "", "the default lab", setting.runs * 2)  # short, so more of them


def fifty(setting: Setting) -> Iterator[Result]:
    with project("fifty", many(50)) as lab:
        yield from _cycles(setting, lab, "-50", "50 nodes", setting.runs)


def _cycles(setting: Setting, lab: Project, suffix: str, what: str, runs: int) -> Iterator[Result]:
    downs: tuple[list[float], list[float]] = ([], [])

    def with_labctl() -> float:
        up = run([labctl(), "up", str(lab.file), "--lab", lab.name, "--timeout", str(LIMIT)], LIMIT).seconds
        downs[0].append(run([labctl(), "down", lab.name], LIMIT).seconds)
        return up

    def with_compose() -> float:
        up = lab.compose("up", "--detach", "--wait").seconds
        downs[1].append(lab.compose("down").seconds)
        return up

    ours, theirs = setting.alternate(f"up{suffix}, s", with_labctl, with_compose, runs=runs)
    note = "Compose waits by the images' healthcheck, labctl by each node's `ready` event"
    against = "docker compose up -d --wait"
    yield Result(f"up{suffix}", f"labctl up, {what}", "s", ours, theirs, against, NO_SLOWER, (note,))
    ours, theirs = (tuple(down[1:]) for down in downs)  # without the warming up
    yield Result(f"down{suffix}", f"labctl down, {what}", "s", ours, theirs, "docker compose down", NO_SLOWER)
