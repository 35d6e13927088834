"""Making one swarm of machines, and leaving it. No machine is ever taken out of a swarm to be put into another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labctl.engine.model import LABEL_LAB
from labctl.engine.swarm import SWARM_PORT, MachineEngine, Member, Membership, membership
from labctl.errors import LabError
from labctl.lab.machines.asking import Engines, ask, ask_all

Report = Callable[[str], None]


@dataclass(frozen=True)
class Joined:
    """A machine that is in the swarm now; `is_new` where it was in none before."""

    host: str
    node: str
    is_manager: bool
    is_new: bool

    def as_json(self) -> dict[str, object]:
        role = "manager" if self.is_manager else "worker"
        return {"host": self.host, "node": self.node, "role": role, "joined": self.is_new}


def join(engines: Engines, addresses: Mapping[str, str], report: Report) -> list[Joined]:
    """Makes one swarm of machines: of the first one, unless one of them is in one, which the others then join. Doing it
    again changes nothing. `addresses` are those at which the others reach a machine, "" for the engine's own choice.

    What could not join is in no swarm afterwards, as before. Raises LabError `host-silent`, `swarm-others`,
    `swarm-unmanaged`, `swarm-broken`, `swarm-unmade`, `swarm-join`, `engine-refused`.
    """
    before = ask_all(engines, lambda _, engine: membership(engine.info()))
    manager = _manager(engines, before)
    is_new = manager is None
    if manager is None:
        manager = next(iter(engines))
        report(f"{manager} makes a swarm")
        _begin(engines[manager], manager, addresses.get(manager, ""))
    entering = [name for name in engines if name != manager and not before[name].is_in]
    refused = _enter(engines, manager, entering, addresses, report) if entering else {}
    if refused:
        if is_new and len(refused) == len(entering):
            engines[manager].leave_swarm(force=True)
        name, problem = next(iter(refused.items()))
        raise LabError("swarm-join", machines=", ".join(refused), manager=manager, why=f"{name}: {_reason(problem)}")
    after = ask_all(engines, lambda _, engine: membership(engine.info()))
    return [Joined(name, one.node, one.is_manager, not before[name].is_in) for name, one in after.items()]


def leave(engines: Engines, others: Engines, report: Report, *, force: bool = False) -> list[str]:
    """Takes machines out of their swarm, workers first; who left, those that were in none not among them. `others` are
    further machines, one of which may be the manager that has to forget them.

    Raises LabError `host-silent`, `swarm-used` unless `force`.
    """
    states = ask_all(engines, lambda _, engine: membership(engine.info()))
    leaving = sorted((name for name in states if states[name].is_in), key=lambda name: states[name].is_manager)
    if not force:
        _refuse_used(engines, states, leaving)
    for name in leaving:
        engines[name].leave_swarm(force=force or states[name].is_manager)
        report(f"{name} has left its swarm")
    gone = [states[name].node for name in leaving if states[name].node]
    ask({**others, **engines}, lambda _, engine: _forget(engine, gone))
    return leaving


def swarm_of(members: Mapping[str, Sequence[Member]], node: str) -> str | None:
    """Which of some managers has a node in its swarm."""
    return next((name for name, found in members.items() if any(one.node == node for one in found)), None)


def members_of(engines: Engines, states: Mapping[str, Membership]) -> dict[str, list[Member]]:
    """What the managers among some machines say of their swarms; those that say nothing are left out."""
    managers = {name: engines[name] for name, state in states.items() if state.is_manager}
    return ask(managers, lambda _, engine: engine.swarm_members())[0]


def _manager(engines: Engines, states: Mapping[str, Membership]) -> str | None:
    """The manager of the one swarm that some of the machines are in, None where all are in none."""
    inside = {name: state for name, state in states.items() if state.is_in}
    if not inside:
        return None
    for name, state in inside.items():
        if state.state != "active":
            raise LabError("swarm-broken", machine=name, why=state.error or f"its state there is {state.state}")
    members = members_of(engines, states)
    homes = {name: swarm_of(members, state.node) for name, state in inside.items()}
    if not members or all(home is None for home in homes.values()):
        raise LabError("swarm-unmanaged", machines=", ".join(inside), managers=_addresses(inside) or "unknown")
    first = next(home for home in homes.values() if home)
    for name, state in inside.items():
        if not any(one.node == state.node for one in members[first]):
            raise LabError("swarm-others", one=first, other=name)
    return first


def _addresses(states: Mapping[str, Membership]) -> str:
    return ", ".join(sorted({address for state in states.values() for address in (state.managers or {}).values()}))


def _begin(engine: MachineEngine, name: str, address: str) -> None:
    try:
        engine.begin_swarm(address)
    except LabError as problem:
        raise LabError("swarm-unmade", machine=name, why=_reason(problem)) from None


def _enter(
    engines: Engines, manager: str, entering: Sequence[str], addresses: Mapping[str, str], report: Report
) -> dict[str, LabError]:
    """Who could not, and why; they are in no swarm again."""
    token = engines[manager].worker_token()
    address = membership(engines[manager].info()).address
    at = f"[{address}]:{SWARM_PORT}" if ":" in address else f"{address}:{SWARM_PORT}"

    def enter(name: str, engine: MachineEngine) -> None:
        try:
            engine.join_swarm([at], token, addresses.get(name, ""))
        except LabError:
            if membership(engine.info()).is_in:  # the engine would go on trying for ever
                engine.leave_swarm(force=True)
            raise
        report(f"{name} has joined the swarm of {manager}")

    return ask({name: engines[name] for name in entering}, enter)[1]


def _reason(problem: LabError) -> str:
    return str(problem.values.get("why") or problem.message).rstrip(".")


def _refuse_used(engines: Engines, states: Mapping[str, Membership], leaving: Sequence[str]) -> None:
    found = ask_all({name: engines[name] for name in leaving}, lambda _, engine: engine.containers([LABEL_LAB]))
    for name, containers in found.items():
        labs = sorted({container.labels[LABEL_LAB] for container in containers})
        if labs:
            raise LabError("swarm-used", machine=name, why=f"it has nodes of {', '.join(labs)}")
    nodes = {states[name].node for name in leaving}
    for name, members in members_of(engines, {name: states[name] for name in leaving}).items():
        stay = [one for one in members if one.node not in nodes and one.state == "ready"]
        if any(one.is_manager for one in stay):  # the managers that stay might be too few to agree
            raise LabError("swarm-used", machine=name, why="it is one of several managers (`docker node demote` first)")
        if stay:
            others = ", ".join(one.hostname for one in stay)
            raise LabError("swarm-used", machine=name, why=f"it is the only manager of {others}")


def _forget(engine: MachineEngine, nodes: Sequence[str]) -> None:
    if not membership(engine.info()).is_manager:
        return
    for node in {one.node for one in engine.swarm_members()} & set(nodes):
        engine.forget_member(node)
