"""What a node costs in a mesh of 20, 100 and 200: time and memory, and how both grow with the number of nodes.

One file for all sides: udp-mesh at that size. Against Compose's own `up --wait` and `down` of it, and against the
engine's own floor: the same containers, with the same options, created, started and removed through the API by a few
workers, and nothing waited for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

import yaml

from bench.commands import labctl, run
from bench.floor import WORKERS, Floor
from bench.measurements.memory import usage
from bench.model import Result, Setting, Target
from bench.project import LIMIT, ROOT, Project, free_subnet, project

SMALL, MIDDLE, LARGE = 20, 100, 200
FEW = 3  # pairs of samples at 100 and 200 nodes: each takes minutes
DOWN = Target(0.95)  # of Compose
UP = {SMALL: Target(0.8), MIDDLE: Target(0.7), LARGE: Target(0.55)}  # it starts one service's nodes one by one
NEAR_THE_FLOOR = Target(1.15)
LINEAR = Target(1.3)
PARTS = {"services": ROOT / "services"}


def small(setting: Setting) -> Iterator[Result]:
    yield from _size(setting, SMALL, setting.runs)


def middle(setting: Setting) -> Iterator[Result]:
    yield from _size(setting, MIDDLE, min(setting.runs, FEW))


def large(setting: Setting) -> Iterator[Result]:
    yield from _size(setting, LARGE, min(setting.runs, FEW))


def growth(setting: Setting) -> Iterator[Result]:
    """Time a node at 200 beside that at 20, each pair in the same minutes; a sample is `up` and `down` divided by N."""
    yield from _growth(setting, SMALL, LARGE, min(setting.runs, FEW))


def _growth(setting: Setting, few: int, many: int, runs: int) -> Iterator[Result]:
    downs: dict[int, list[float]] = {few: [], many: []}

    def cycle(count: int) -> float:
        with project(f"mesh-{count}", mesh(count), links=PARTS) as lab:
            up, down = _with_labctl(lab, count)
        downs[count].append(down * 1000 / count)
        return up * 1000 / count

    what = f"a node at {many} : a node at {few}"
    ours, theirs = setting.alternate(f"up, ms, {what}", lambda: cycle(many), lambda: cycle(few), runs=runs)
    note = _said(runs)
    yield Result("up-growth", f"labctl up, a node of {many}", "ms", ours, theirs, f"a node of {few}", LINEAR, note)
    ours, theirs = tuple(downs[many][1:]), tuple(downs[few][1:])  # without the warming up
    yield Result("down-growth", f"labctl down, a node of {many}", "ms", ours, theirs, f"a node of {few}", LINEAR, note)


def _size(setting: Setting, count: int, runs: int) -> Iterator[Result]:
    """Cycles of labctl, Compose and the floor in turn; all of them on the same project, one after the other."""
    downs: list[list[float]] = [[], [], []]
    memory: list[float] = []
    with project(f"mesh-{count}", mesh(count), links=PARTS) as lab:
        floor = Floor(lab.name)

        def look() -> None:
            floor.learn(lab)
            if not memory:
                memory.extend(usage(lab))

        def with_labctl() -> float:
            up, down = _with_labctl(lab, count, look)
            downs[0].append(down)
            return up

        def with_compose() -> float:
            up = lab.compose("up", "--detach", "--wait", limit=_limit(count)).seconds
            downs[1].append(lab.compose("down", limit=_limit(count)).seconds)
            return up

        def with_the_engine() -> float:
            up = floor.up()
            downs[2].append(floor.down())
            return up

        ups = setting.alternate(f"up-{count}, s", with_labctl, with_compose, with_the_engine, runs=runs)
    what, note = f"{count} nodes", _said(runs)
    compose, engine = {"up": UP[count], "down": DOWN}, dict.fromkeys(("up", "down"), NEAR_THE_FLOOR)
    sides = (("compose", "docker compose {}", compose), ("floor", f"the engine, {WORKERS} workers", engine))
    for place, (side, against, targets) in enumerate(sides, 1):
        for verb, words, samples in (("up", "up -d --wait", ups), ("down", "down", [tuple(d[1:]) for d in downs])):
            name, ours, theirs = f"mesh-{count}-{verb}-{side}", samples[0], samples[place]
            told = f"labctl {verb}, mesh of {what}"
            yield Result(name, told, "s", ours, theirs, against.format(words), targets[verb], note)
    per_node = tuple(seconds * 1000 / count for seconds in ups[0])
    limit = Target(250.0, absolute=True)  # what `labctl up udp-mesh:N` estimates with where it refuses an N
    yield Result(f"mesh-{count}-node", f"labctl up, a node of {count}", "ms", per_node, (), "", limit, note)
    room = Target(12.0, absolute=True)
    yield Result(f"mesh-{count}-memory", f"memory a node, mesh of {count}", "MiB", tuple(memory), (), "", room)


def _with_labctl(lab: Project, count: int, look: Callable[[], None] = lambda: None) -> tuple[float, float]:
    """Seconds of `up` and of `down`, with a look at the lab between the two."""
    limit = _limit(count)
    up = run([labctl(), "up", str(lab.file), "--lab", lab.name, "--timeout", str(limit)], limit).seconds
    look()
    return up, run([labctl(), "down", lab.name], limit).seconds


def _limit(count: int) -> float:
    return LIMIT + 2 * count


def _said(runs: int) -> tuple[str, ...]:
    return (f"medians of {runs} pairs, as each takes minutes",) if runs <= FEW else ()


def mesh(count: int) -> str:
    """topologies/udp-mesh.yaml at that size, word for word but for its subnet and the place of the services."""
    text = (ROOT / "topologies" / "udp-mesh.yaml").read_text().replace("${N:-4}", str(count))
    (config,) = yaml.safe_load(text)["networks"]["lab"]["ipam"]["config"]
    wished = ipaddress.IPv4Network(config["subnet"])
    return text.replace(str(wished), str(free_subnet(wished))).replace("../services/", "services/")
