"""Removes a lab: exactly what carries its label, whatever state it is in."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from labctl.engine.model import LABEL_HOSTS, LABEL_LAB, Container, Engine, Network, Volume
from labctl.errors import EngineRefused, EngineUnreachable, LabError
from labctl.lab.locks import LabLock, forget_keyboard
from labctl.lab.model import containers_of, without_lessons
from labctl.lab.owners import Standing, is_mine, own_name, refuse_anothers, standing
from labctl.named import NamedTuple
from labctl.phases import reached

AT_ONCE = 8  # containers that are stopped or removed at the same time: with more the engine is slower
# Nearly all, where none has ended for a while: what doesn't hear SIGTERM takes its grace of 10 s, and many of them are
# to take the same 10 s.
WORKERS = 64
SLOW = 0.5  # seconds
LOCK_LIMIT = 60.0  # seconds that another labctl may take with the lab
QUIET = 3.0  # seconds without anything new, after which the engine counts as done with what a dead labctl asked for
PATIENCE = 10.0  # seconds without progress, after which what can't be removed is an error
STUCK = 60.0  # the same, where the engine says that it is at work on that
LOOK_AGAIN = 0.1
# Docker's states
STOPPABLE = ("running", "restarting")
STOPPED = ("created", "exited", "dead")
T = TypeVar("T")

Report = Callable[[str], None]


class Removed(NamedTuple):
    """How many of a lab's containers, networks and volumes were removed."""

    lab: str
    containers: int
    networks: int
    volumes: int
    goes_on: bool = False  # only helpers were removed: the project itself is not labctl's, and still there

    def as_json(self) -> dict[str, Any]:
        """As `labctl down --json` has it."""
        return {name: getattr(self, name) for name in ("lab", "containers", "networks", "volumes", "goes_on")}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was there."""
        return not (self.containers or self.networks or self.volumes)


class Found(NamedTuple):
    """What carries a lab's label."""

    containers: list[Container]
    networks: list[Network]
    volumes: list[Volume]

    @property
    def labels(self) -> list[Mapping[str, str]]:
        labels = [item.labels for item in self.containers] + [item.labels for item in self.networks]
        return labels + [item.labels for item in self.volumes]

    @property
    def names(self) -> set[str]:
        names = {item.name for item in self.containers} | {item.name for item in self.networks}
        return names | {item.name for item in self.volumes}


def look(engine: Engine, name: str) -> Found:
    """All that is there of a lab."""
    label = [f"{LABEL_LAB}={name}"]
    return Found(engine.containers(label), engine.networks(label), engine.volumes(label))


def wait_until_quiet(engine: Engine, name: str, asked: frozenset[str] = frozenset()) -> None:
    """Returns when the engine makes nothing more of a lab: it goes on with what a labctl asked for that was killed.

    That is at once where all that was `asked` for is there.
    """
    last, since = look(engine, name).names, time.monotonic()
    while not (asked and asked <= last) and time.monotonic() - since < QUIET:
        time.sleep(LOOK_AGAIN)
        if (now := look(engine, name).names) != last:
            last, since = now, time.monotonic()


def down(engine: Engine, name: str, report: Report, *, force: bool = False) -> Removed:
    """Stops and removes a lab's containers, then its networks and volumes; nothing else, and no error where none is.

    Waits for another labctl that is at work on the lab, and for the Compose of one that was killed. `force`: also where
    it is somebody else's. Raises LabError `lab-busy`, `network-in-use`, `lab-not-ours`, `lab-of-another`; `hosts-left`
    where a machine did not answer, once what the others have is removed.
    """
    if not force:
        refuse_others(engine, name)
    lock = LabLock(name)
    lock.acquire(LOCK_LIMIT, report)
    hosts = _hosts(engine, name)
    try:
        removed = _remove_all(engine, name, report, unfinished=lock.is_unfinished, asked=lock.asked)
        _refuse_missing(engine, name, hosts)
        lock.forget()
    except EngineRefused:
        _refuse_missing(engine, name, hosts)  # what it has may be what is in the way of a network's end
        raise
    finally:
        lock.close()
    goes_on = bool(containers_of(engine, name))
    if removed.is_empty and goes_on:
        raise LabError("lab-not-ours", name=name)  # "nothing is left" would be no true word
    return removed._replace(goes_on=goes_on)


def _hosts(engine: Engine, name: str) -> set[str]:
    """The machines that a lab was made on, where they are several."""
    texts = [labels.get(LABEL_HOSTS, "") for labels in look(engine, name).labels]
    return {host for text in texts for host in text.split(",") if host}


def _refuse_missing(engine: Engine, name: str, hosts: set[str]) -> None:
    """Raises LabError `hosts-left`: where nothing was left that says on which machines it is, it may be on any."""
    missing = [machine for machine in engine.missing if machine in hosts or not hosts]
    missing += sorted(hosts - set(engine.machines))
    if missing:
        raise LabError("hosts-left", machines=", ".join(missing), lab=name)


def refuse_others(engine: Engine, name: str) -> None:
    """Raises LabError `lab-of-another`."""
    there = standing_of(engine, name)
    if there and not is_mine(engine, there.owner):
        own = own_name(name)
        yours = f"yours is {own} (`labctl down {own}`); " if whose(engine).get(own) else ""
        refuse_anothers(engine, name, there, f"{yours}`labctl down {name} --force` removes this one all the same")


def standing_of(engine: Engine, name: str) -> Standing | None:
    """Whose a lab is and what it was made from, by all that is there of it."""
    return standing(look(engine, name).labels)


def meant(engine: Engine, *, everything: bool, force: bool) -> tuple[list[str], list[str]]:
    """The labs that are to be taken down where none is named: the caller's only one (without those of lessons, if
    another is there), with `everything` all of the caller's, with `force` as well everybody's; and those that are left
    as they are others'.

    Raises LabError `ambiguous-lab`.
    """
    every = whose(engine)
    names = [name for name, mine in every.items() if mine or (everything and force)]
    if not everything:
        names = without_lessons(names)
        if len(names) > 1:
            raise LabError("ambiguous-lab", names=", ".join(names))
    return names, [name for name in every if name not in names]


def down_all(
    engine: Engine, names: Iterable[str], report: Report, *, force: bool = False
) -> tuple[list[Removed], list[LabError]]:
    """Takes several labs down; one that can't be removed whole keeps no other from it."""
    removed: list[Removed] = []
    problems: list[LabError] = []
    for name in names:
        try:
            removed.append(down(engine, name, report, force=force))
        except EngineUnreachable:
            raise
        except LabError as problem:
            problems.append(problem)
    return removed, problems


def _remove_all(engine: Engine, name: str, report: Report, *, unfinished: bool, asked: frozenset[str]) -> Removed:
    """`unfinished`: the labctl that brought the lab up was killed while Compose was at work on what was `asked` for.

    The engine goes on with what it was asked for when whoever asked is gone, so that something may yet appear, until
    all of it has. And what is only just starting hears no SIGTERM, and has begun nothing that would have to end in
    order.
    """
    seen: set[str] = set()
    containers: set[str] = set()
    networks: set[str] = set()
    volumes: set[str] = set()
    left: set[str] = set()
    progress = time.monotonic()
    while True:
        found = look(engine, name)
        reached("down:listed")
        now = time.monotonic()
        if found.names != left:
            progress, left = now, found.names
        seen |= found.names
        is_complete = not unfinished or bool(asked and asked <= seen)
        if not left and (is_complete or now - progress >= QUIET):
            return Removed(name, len(containers), len(networks), len(volumes))
        containers |= {item.id for item in found.containers}
        networks |= {item.id for item in found.networks}
        volumes |= {item.name for item in found.volumes}
        problem = _remove(engine, name, found, report, stop=not unfinished) if left else None
        if problem and time.monotonic() - progress > PATIENCE:
            raise problem
        if left and now - progress > STUCK:
            raise LabError("engine-timeout", seconds=STUCK, action=f"remove {', '.join(sorted(left))}")
        if problem or now != progress or not left:
            time.sleep(LOOK_AGAIN)


def _remove(engine: Engine, name: str, found: Found, report: Report, *, stop: bool) -> LabError | None:
    """Tries to remove all of it. Gives the first refusal of the engine, which may be over a moment later."""
    problems: list[LabError] = []
    # What has stopped holds no network. Any other would be in a network's way, so it goes first.
    held = [item for item in found.containers if not stop or item.state not in (*STOPPABLE, *STOPPED)]
    with _kept(problems):
        remove_containers(engine, held, report, stop=False)
    with _kept(problems):
        _remove_stopped(engine, [item for item in found.containers if item not in held], found.networks, report)
    reached("down:containers-removed")
    with _kept(problems):
        each(lambda volume: engine.remove_volume(volume.name), found.volumes)
    if problems:
        _refuse_guests(engine, name)
    return problems[0] if problems else None


def _remove_stopped(engine: Engine, containers: list[Container], networks: list[Network], report: Report) -> None:
    """Stops each container and removes it, several at the same time, and the networks with them as soon as all have
    stopped: the engine takes as long for a network as for several containers. Raises LabError."""
    running = {item.id for item in containers if item.state in STOPPABLE}
    stopped, lock = threading.Event(), threading.Lock()

    def remove(container: Container) -> None:
        if container.id in running:
            try:
                _stop(engine, container)
            finally:
                with lock:
                    running.discard(container.id)
                if not running:
                    stopped.set()
        _remove_container(engine, container, report)

    def remove_network(network: Network) -> None:
        stopped.wait()
        _remove_network(engine, network)

    if not running:
        stopped.set()
    jobs = [partial(remove_network, network) for network in networks]
    jobs += [partial(remove, container) for container in containers]
    each(lambda job: job(), jobs, beside=len(networks))


@contextlib.contextmanager
def _kept(problems: list[LabError]) -> Iterator[None]:
    try:
        yield
    except EngineRefused as problem:
        problems.append(problem)


def _refuse_guests(engine: Engine, name: str) -> None:
    """Raises LabError `network-in-use` where containers that aren't of the lab run on its networks."""
    mine = {network.name for network in engine.networks([f"{LABEL_LAB}={name}"])}
    guests = [item for item in engine.containers(running=True) if item.labels.get(LABEL_LAB) != name]
    for network in sorted(mine):
        names = ", ".join(guest.name for guest in guests if network in guest.addresses)
        if names:
            raise LabError("network-in-use", network=network, lab=name, containers=names)


def stop_containers(engine: Engine, containers: Iterable[Container]) -> None:
    """Stops each that runs with its own grace, so that programs close their sockets in order."""

    each(partial(_stop, engine), [container for container in containers if container.state in STOPPABLE])


def _stop(engine: Engine, container: Container) -> None:
    # Somebody else may have removed it by now; and what doesn't stop is removed by force.
    with contextlib.suppress(LabError):
        engine.change("stop", container.id)
    reached("down:container-stopped")


def remove_containers(engine: Engine, containers: Iterable[Container], report: Report, *, stop: bool = True) -> None:
    """Removes each; without `stop`, as it is, also while it runs."""
    found = list(containers)
    if stop:
        stop_containers(engine, found)
    each(lambda container: _remove_container(engine, container, report), found)


def _remove_container(engine: Engine, container: Container, report: Report) -> None:
    engine.remove_container(container.id)
    reached("down:container-removed")
    forget_keyboard(container.labels.get(LABEL_LAB, ""), container.id)
    report(f"removed {container.name}")


def _remove_network(engine: Engine, network: Network) -> None:
    engine.remove_network(network.id)
    reached("down:network-removed")


def known(engine: Engine) -> list[str]:
    """The names of all labs of which anything is left."""
    return list(whose(engine))


def whose(engine: Engine) -> dict[str, bool]:
    """The names of all labs of which anything is left, and whether each is the caller's, or nobody's."""
    label = [LABEL_LAB]
    groups: dict[str, list[Mapping[str, str]]] = {}
    for labels in Found(engine.containers(label), engine.networks(label), engine.volumes(label)).labels:
        groups.setdefault(labels[LABEL_LAB], []).append(labels)
    found = {name: standing(groups[name]) for name in sorted(groups)}
    return {name: is_mine(engine, there.owner if there else None) for name, there in found.items()}


def each(act: Callable[[T], object], items: list[T], workers: int = WORKERS, *, beside: int = 0) -> None:
    """Does one thing to many, some at once, and more where these take long; `beside` of them only wait for the others.
    All are tried before the first failure is raised. ^C waits for none of them."""
    if len(items) <= 1:
        for item in items:
            act(item)
        return
    waiting = deque(items)
    problems: list[Exception] = []
    ended, changed = [0], threading.Condition()

    def work() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                act(item)
            except Exception as problem:  # noqa: BLE001 - raised below, by the thread that waits
                problems.append(problem)
            with changed:
                ended[0] += 1
                changed.notify()

    def begin(count: int) -> int:
        # concurrent.futures would do, but importing it takes as long as removing a container.
        for _ in range(count):
            threading.Thread(target=work, daemon=True).start()
        return count

    most = min(workers + beside, len(items))
    try:
        busy = begin(min(AT_ONCE + beside, most))
        with changed:
            while ended[0] < len(items):
                before = ended[0]
                if not changed.wait(SLOW) and ended[0] == before and busy < most:
                    busy += begin(min(AT_ONCE, most - busy))
    finally:
        waiting.clear()
    if problems:
        raise problems[0]
