"""`labctl chat send` beside the least that Compose can do in a node: run `true` there."""

from __future__ import annotations

from collections.abc import Iterator

from bench.commands import labctl, run
from bench.model import Result, Setting, Target
from bench.project import LIMIT, ROOT, default_lab, project


def measure(setting: Setting) -> Iterator[Result]:
    with project("hello", default_lab(), links={"services": ROOT / "services"}) as lab:
        run([labctl(), "up", str(lab.file), "--lab", lab.name], LIMIT)
        ours, theirs = setting.alternate(
            "chat, ms",
            lambda: run([labctl(), "chat", "send", "--lab", lab.name, "alice", "hi"], 30).seconds * 1000,
            lambda: lab.compose("exec", "-T", "alice", "true", limit=30).seconds * 1000,
            runs=setting.runs * 3,  # short, so more of them
        )
    against = "docker compose exec -T alice true"
    yield Result("chat", "labctl chat send alice hi", "ms", ours, theirs, against, Target(0.75))
