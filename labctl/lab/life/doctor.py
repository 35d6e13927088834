"""Looks at what labctl needs of this machine: a place on the PATH, the engine, Compose, the kernel, images, disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from labctl.engine.model import LABEL_LAB, Engine
from labctl.errors import LabError
from labctl.lab.images import base
from labctl.lab.machine import on_path, translation

ENGINE_MINIMUM = 24
DISK_MINIMUM = 2 * 1024**3  # bytes: the images and the build cache, with room
TRIAL_IMAGE = "labctl/echo-server"

Level = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """`level`: ok, note (labctl works, something is left out), bad (something will not work); `mend`: what to do."""

    check: str
    level: Level
    what: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        return {"check": self.check, "level": self.level, "what": self.what, "mend": self.mend}


def examine(engine: Engine) -> Iterator[Finding]:
    """All findings, one after the other, the engine before the rest: without it there is nothing else to look at."""
    yield _command()
    yield Finding("endpoint", "ok", engine.where)
    try:
        info = engine.info()
    except LabError as problem:
        yield Finding("engine", "bad", problem.message, problem.hint)
        yield _compose(engine)
        return
    if not info.get("KernelVersion"):
        yield from _in_memory(engine)
        return
    yield _version(info)
    yield _compose(engine)
    yield _limits(info)
    yield _disk(engine, info)
    yield _base_image(engine)
    yield from _kernel(engine, info)
    yield from _left_over()


def _in_memory(engine: Engine) -> Iterator[Finding]:
    """An engine without a machine: nothing can be missing, and there is not much."""
    major, minor = engine.compose_version()
    yield Finding("engine", "ok", "its containers are records, and it plays the programs of labctl's own images")
    yield Finding("compose", "ok", f"it reads topologies itself, as Compose {major}.{minor} would")
    yield Finding("limits", "note", "memory and processes of a node are not limited: it takes none")
    what = "there is none: no packets, faults, recordings, sockets, system calls, no commands in a node"
    yield Finding("kernel", "note", what, "bring the lab up on a Docker engine for these: leave `engine=` out")


def _version(info: dict[str, Any]) -> Finding:
    version = str(info["Version"]["Version"])
    machine = f"{info.get('OperatingSystem')}, {info.get('NCPU')} CPUs, cgroup v{info.get('CgroupVersion')}"
    what = f"Docker {version} on {machine}"
    major = version.split(".")[0]
    if major.isdigit() and int(major) < ENGINE_MINIMUM:
        return Finding("engine", "bad", f"{what}: too old", f"install Docker {ENGINE_MINIMUM} or newer")
    return Finding("engine", "ok", what)


def _compose(engine: Engine) -> Finding:
    try:
        major, minor = engine.compose_version()
    except LabError as problem:
        return Finding("compose", "bad", problem.message, problem.hint)
    return Finding("compose", "ok", f"Compose {major}.{minor}")


def _limits(info: dict[str, Any]) -> Finding:
    missing = [word for key, word in (("MemoryLimit", "memory"), ("PidsLimit", "processes")) if not info.get(key)]
    if missing:
        what = f"the kernel can't limit {' and '.join(missing)} of a container, so a node's limits are not in force"
        return Finding(
            "limits", "note", what, "enable the cgroup controllers (cgroup_enable=memory on the kernel's line)"
        )
    return Finding("limits", "ok", "memory and processes of a node can be limited")


def _disk(engine: Engine, info: dict[str, Any]) -> Finding:
    root = str(info.get("DockerRootDir") or "")
    if not engine.is_local:
        return Finding("disk", "note", "the engine is on another machine, so its disk can't be seen from here")
    try:
        free = shutil.disk_usage(root).free
    except OSError:
        return Finding("disk", "note", f"{root} can't be seen from here (a virtual machine's, or another user's)")
    what = f"{free / 1024**3:.1f} GiB free at {root}"
    if free < DISK_MINIMUM:
        mend = "`docker system df` shows what Docker keeps; `docker builder prune` frees its build cache"
        return Finding("disk", "bad", what, mend)
    return Finding("disk", "ok", what)


def _base_image(engine: Engine) -> Finding:
    import os

    found = base.find(engine, os.environ)
    if found:
        return Finding("base image", "ok", f"{found} is there")
    why = engine.registry_answers(base.OFFICIAL)
    if why is None:
        return Finding("base image", "ok", f"{base.OFFICIAL} can be pulled")
    if shutil.which("mmdebstrap"):
        return Finding(
            "base image", "ok", f"no registry ({why}); mmdebstrap is here and makes one from Debian's packages"
        )
    mend = "run `labctl up` as root on Debian or Ubuntu once, or install mmdebstrap, or load debian:trixie-slim"
    return Finding("base image", "note", f"no registry ({why}), and no mmdebstrap", mend)


def _kernel(engine: Engine, info: dict[str, Any]) -> Iterator[Finding]:
    kernel = f"Linux {info.get('KernelVersion')}"
    if not engine.image(TRIAL_IMAGE):
        yield Finding(
            "kernel", "note", f"{kernel}; its abilities are looked at once the images are built", "`labctl up`"
        )
        return
    abilities, why = _probe(engine)
    if why:
        yield Finding("kernel", "note", f"{kernel}; its abilities could not be looked at: {why}", "`labctl up --build`")
        return
    yield Finding("kernel", "ok", kernel)
    for name, found in abilities.items():
        if found["works"]:
            yield Finding(name, "ok", found["what"])
        else:
            yield Finding(name, found["level"], f"{found['what']}: {found['why']}", found["mend"])


def _left_over() -> Iterator[Finding]:
    if rules := translation.left_over():
        subnets = ", ".join(rule.split()[2] for rule in rules)
        what = f"rules of networks that are gone ({subnets}), left by an engine that was killed: a lab on such a "
        what += "subnet may see wrong addresses"
        yield Finding("nat", "note", what, "; ".join(f"`iptables -t nat -D {rule}`" for rule in rules))


def _probe(engine: Engine) -> tuple[dict[str, Any], str]:
    """What the kernel can do, tried in a throw-away container with NET_ADMIN and no network; or why that failed."""
    command = ["python3", "-m", "labnode.abilities"]
    labels = {LABEL_LAB: "labctl-doctor"}
    try:
        printed = engine.run_probe(command, network="none", labels=labels, limit=30, image=TRIAL_IMAGE)
    except LabError as problem:
        return {}, problem.message
    try:
        return json.loads(printed), ""
    except ValueError:
        return {}, printed.strip()[-200:] or "the probe printed nothing"


def _command() -> Finding:
    """Whether who types `labctl` gets this one."""
    this, other = on_path.this_one(), on_path.found()
    if other is None:
        return Finding("command", "note", f"labctl is not on the PATH; this one is {this}", f"add {this.parent} to it")
    if on_path.is_this(other, this):
        return Finding("command", "ok", f"{other} is this one")
    whose = on_path.owner(other)
    what = f"another labctl comes first on the PATH: {other} ({whose or 'no package manager knows it'})"
    alias = on_path.found(on_path.OTHER_NAME)
    mend = f"put {this.parent} before {other.parent} on the PATH"
    if alias and on_path.is_this(alias, this):
        mend = f"type `{on_path.OTHER_NAME}`, which is this one, or {mend}"
    return Finding("command", "note", what, mend)


def verdict(findings: list[Finding]) -> bool:
    """True where nothing is bad."""
    return not any(finding.level == "bad" for finding in findings)
