"""Whether machines can have a lab together: their engines, their swarm, the ports between them, clocks, images.

What isn't known is said to be unknown; each machine has a time limit of its own, and one that does not answer is told
beside what the others say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from labctl.engine.model import LABEL_SOURCE, Image
from labctl.engine.swarm import MachineEngine, Member, Membership, membership
from labctl.errors import LabError
from labctl.lab.life.doctor import Level
from labctl.lab.machines import clocks
from labctl.lab.machines.asking import Engines, ask
from labctl.lab.machines.finding import Finding
from labctl.lab.machines.swarm import members_of, swarm_of

API_MINIMUM = (1, 44)  # the first by which a container of several networks is made at once
ENGINE_MINIMUM = 25  # which has it
CLOCKS_APART = 500_000_000  # nanoseconds: more is told as something to mend
OURS = "labctl/"

Report = Callable[[str], None]


def check(
    engines: Engines,
    source: MachineEngine,
    report: Report,
    *,
    ports: bool = True,
    addresses: Mapping[str, str] | None = None,
) -> Iterator[Finding]:
    """All findings, check by check. `source` is the engine whose images the machines are to have. Without `ports`,
    nothing is started on the machines, and nothing is said of the ports between them; `addresses` are those at which
    the others reach a machine that is in no swarm."""
    infos, problems = ask(engines, lambda _, engine: engine.info())
    for name, problem in problems.items():
        yield Finding(name, "engine", "bad", problem.message, problem.hint)
    there = {name: engines[name] for name in infos}
    yield from fitting(there, infos)
    yield from told_clocks(there)
    yield from _images(there, source)
    if ports and len(there) > 1:
        from labctl.lab.machines.ports import check_ports

        states = {name: membership(info) for name, info in infos.items()}
        yield from check_ports(there, states, addresses or {}, source, report)


def fitting(engines: Engines, infos: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Of machines that have answered (`Engine.info`): their engines, their architectures, their swarm."""
    for name, info in infos.items():
        yield _engine(name, info)
    yield from _architectures(infos)
    yield from _swarm(engines, {name: membership(info) for name, info in infos.items()})


def verdict(findings: list[Finding]) -> bool:
    """True where nothing is bad."""
    return not any(finding.level == "bad" for finding in findings)


def _engine(name: str, info: Mapping[str, Any]) -> Finding:
    version = info["Version"]
    api, memory = str(version.get("ApiVersion") or "0.0"), int(info.get("MemTotal") or 0)
    what = f"Docker {version['Version']} (API {api}), {info.get('NCPU') or '?'} processors, {memory / 1024**3:.1f} GiB"
    values = {
        "version": version["Version"],
        "api": api,
        "processors": info.get("NCPU"),
        "memory": memory or None,
        "architecture": version.get("Arch"),
    }
    major, _, minor = api.partition(".")
    if (int(major), int(minor)) < API_MINIMUM:
        mend = f"install Docker {ENGINE_MINIMUM} or newer there"
        return Finding(name, "engine", "bad", f"{what}: too old", mend, values)
    if not info.get("MemoryLimit", True):
        what += "; its kernel can't limit memory"
        return Finding(name, "engine", "note", what, "enable the cgroup controllers there", values)
    return Finding(name, "engine", "ok", what, values=values)


def _architectures(infos: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Images are sent from one to all."""
    found = {name: f"{info.get('OSType') or ''}/{info['Version'].get('Arch')}" for name, info in infos.items()}
    first = next(iter(found.values()), "")
    for name, kind in found.items():
        if kind != first:
            what = f"{kind}, and {next(iter(found))} is {first}: the images of one don't run on the other"
            yield Finding(name, "architecture", "bad", what, "take machines of one architecture")


def _swarm(engines: Engines, states: Mapping[str, Membership]) -> Iterator[Finding]:
    """Who is in which swarm, by the ids that its managers know."""
    members = members_of(engines, states)
    homes = {name: swarm_of(members, state.node) if state.node else None for name, state in states.items()}
    first = next((home for home in homes.values() if home), None)
    for name, state in states.items():
        yield _membership(name, state, homes[name], first, members, list(states))


def _membership(
    name: str,
    state: Membership,
    home: str | None,
    first: str | None,
    members: Mapping[str, list[Member]],
    names: list[str],
) -> Finding:
    values = {"swarm": state.state, "node": state.node or None, "manager": state.is_manager}

    def found(level: Level, what: str, mend: str = "") -> Finding:
        return Finding(name, "swarm", level, what, mend, values)

    everybody = " ".join(names)
    if not state.is_in:
        return found("bad" if len(names) > 1 else "note", "in no swarm", f"`labctl hosts join {everybody}`")
    if state.state != "active":
        mend = f"wait, or `labctl hosts leave {name} --force`"
        return found("bad", f"its swarm does not count it in: {state.error or state.state}", mend)
    if home is None or first is None:
        managers = ", ".join(sorted((state.managers or {}).values())) or "unknown"
        mend = "add a manager (`labctl hosts add`), or let it leave (`labctl hosts leave`)"
        return found("bad", f"in a swarm whose managers ({managers}) are none of these machines", mend)
    if not any(one.node == state.node for one in members[first]):
        mend = f"one of them has to leave its swarm (`labctl hosts leave {name}`)"
        return found("bad", f"in another swarm than {first}", mend)
    told = next(one for one in members[first] if one.node == state.node)
    role = "a manager" if state.is_manager else "a worker"
    what = f"{role} of the swarm of {first}, at {state.address}"
    if told.state != "ready":
        return found("bad", f"{what}; {first} says that it is {told.state}", "look at the ports between them")
    return found("ok", what)


def told_clocks(engines: Engines) -> Iterator[Finding]:
    """How far each one's clock is from this machine's."""
    found, problems = ask(engines, lambda _, engine: clocks.clock_offset(engine))
    for name, problem in problems.items():
        yield Finding(name, "clock", "note", f"unknown: {problem.message}")
    for name, (offset, error) in found.items():
        values = {"offset_ns": offset, "error_ns": error}
        if abs(offset) <= error:
            what = f"as this machine's, to within {_milliseconds(error)}"
        else:
            way = "ahead of" if offset > 0 else "behind"
            what = f"{_milliseconds(abs(offset))} {way} this machine's, to within {_milliseconds(error)}"
        if abs(offset) > CLOCKS_APART + error:
            mend = "times are corrected by that; better, let it keep time (chrony, NTP)"
            yield Finding(name, "clock", "note", what, mend, values)
        else:
            yield Finding(name, "clock", "ok", what, values=values)


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 10**6:.1f} ms" if nanoseconds < 10**9 else f"{nanoseconds / 10**9:.3f} s"


def _images(engines: Engines, source: MachineEngine) -> Iterator[Finding]:
    """Which of labctl's own images are there, the same as here."""
    try:
        wanted = _named(source.images_with([LABEL_SOURCE]))
    except LabError as problem:
        for name in engines:
            yield Finding(name, "images", "note", f"unknown, as those here are: {problem.message}")
        return

    def look(_: str, engine: MachineEngine) -> dict[str, str]:
        return _named(engine.images_with([LABEL_SOURCE]))

    found, problems = ask(engines, look)
    for name, why in problems.items():
        yield Finding(name, "images", "note", f"unknown: {why.message}")
    for name, there in found.items():
        missing = sorted(image for image, ident in wanted.items() if there.get(image) != ident)
        values = {"missing": missing}
        if missing:
            what = f"{len(wanted) - len(missing)} of labctl's {len(wanted)} are there"
            yield Finding(name, "images", "note", what, "`labctl up --hosts` sends those that a lab needs", values)
        else:
            yield Finding(name, "images", "ok", f"all of labctl's {len(wanted)} that are here are there", values=values)


def _named(images: list[Image]) -> dict[str, str]:
    """labctl's own, by their names without the tag that all of them have."""
    named = {name.removesuffix(":latest"): image.id for image in images for name in image.names}
    return {name: ident for name, ident in named.items() if name.startswith(OURS)}
