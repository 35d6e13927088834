"""Where a program gets its labs from: one that it brings up, one that runs, all that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from labctl.ahead import imported
from labctl.cancel import Cancel
from labctl.engine import connect, connect_all
from labctl.engine.model import Engine
from labctl.lab import model, spanning
from labctl.lab.spanning import machines_of
from labctl.topology import builtin

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.topologies import FilePath

LESSONS = model.LESSONS  # how the names of labs begin that lessons are played on


def up(
    topology: FilePath | None = None,
    *,
    name: str | None = None,
    files: Sequence[FilePath] = (),
    profiles: Sequence[str] = (),
    env_files: Sequence[FilePath] = (),
    subnets: Sequence[str] = (),
    build: bool = False,
    record: bool = False,
    isolated: bool = False,
    allow_overlap: bool = False,
    take_over: bool = False,
    hosts: Sequence[str] | None = None,
    places: Mapping[str, str] | None = None,
    policy: str = "spread",
    timeout: float = 120.0,
    build_timeout: float = 1800.0,
    engine: Engine | None = None,
    once: bool = False,
    report: Callable[[str], None] | None = None,
    cancel: Cancel | None = None,
) -> Lab:
    """Brings a lab up, and returns when every node is ready; a running one is brought to what its topology says now.

    `topology` is a Compose file, its folder, or the name of a built-in topology; without it and without `files` (as
    `-f` of Compose), the seven hosts of `hello`. `name` is the lab's, else the topology's own. `subnets` are chosen for
    movable networks: `10.9.0.0/24` or `NETWORK=10.9.0.0/24`. `record`: all packets from the start on. `timeout` is in
    seconds and holds for starting, `build_timeout` for the images. `report` is told how things move on, line by line.
    `hosts` are the machines that it is to be on (`labctl hosts ls`), without it those of the variable LABCTL_HOSTS or,
    where there is none, the engine in use; `places` says it for single nodes (`{"alice": "a"}`), `policy` for the
    others: as many on each (`spread`), or on as few as will do (`pack`). `once`: what is done with this Lab takes it as
    it was found when the last node was ready, and looks no more, as of `find`.

    In a `with` the lab is taken down at the end. Raises TopologyError, ForeignLab, EngineError, NodeFailed where a node
    ended or is unhealthy and LabTimeout where one isn't ready in time (what came up is then still there for a look),
    Cancelled (what was begun is taken back).
    """
    from labctl.api import topologies

    using = (engine or connect_all()).cancelled_by(token := cancel or Cancel())
    file, options = topologies.options_of(topology, files, profiles, env_files)
    names = topologies.chosen_hosts(hosts)
    with spanning.to_read(using, names).preparing(builtin.find(file, options), name):
        from labctl.lab.life import up as life  # which takes as long as Compose needs for a file

        how = (tuple(subnets), record, options, take_over, allow_overlap, isolated, names, places or {}, policy)
        request = life.Request(file, name, build, timeout, build_timeout, *how)
        found = life.up(using, request, _telling(report, token, begun=lambda: imported("labctl.api.lab")))
    from labctl.api.lab import Lab

    there = using.narrowed(machines_of(node.container for node in found.nodes))
    return Lab(there, found.name, token, takes_down=True, force=take_over, found=found if once else None)


def empty(
    name: str | None = None,
    *,
    isolated: bool = False,
    hosts: Sequence[str] | None = None,
    engine: Engine | None = None,
    report: Callable[[str], None] | None = None,
    cancel: Cancel | None = None,
) -> Lab:
    """A lab without nodes, for programs alone (`Lab.run`): one network on a free subnet. `name` is `lab` unless another
    one is given; an empty lab of that name that is there already is taken. `isolated`: nothing leads out of it. `hosts`
    are the machines that it is to be on, as of `up`.

    In a `with` it is taken down at the end. Raises ForeignLab, InvalidArgument, EngineError, LabTimeout, Cancelled.
    """
    from labctl.api.lab import Lab
    from labctl.api.topologies import chosen_hosts
    from labctl.lab.programs import empty as making

    token, names = cancel or Cancel(), chosen_hosts(hosts)
    tell = _telling(report, token)
    using = (engine or (connect_all() if names else connect())).cancelled_by(token)
    using = spanning.to_hold(using, names, tell) if names else using
    return Lab(using, making.start(using, name, tell, isolated=isolated), token, takes_down=True)


def find(
    name: str | None = None,
    *,
    engine: Engine | None = None,
    force: bool = False,
    once: bool = False,
    cancel: Cancel | None = None,
) -> Lab:
    """A lab that is there: the one of that name, else the only one that the caller has made; beside it, those that
    lessons left don't count.

    A Compose project that labctl did not make is found by its name alone. Somebody else's lab can be looked at; with
    `force` it can be changed, too. `once`: what is done with this Lab takes it as it is now, and looks no more, which
    saves a way to the engine each time. In a `with` it is left as it is. Raises LabNotFound, EngineError.
    """
    from labctl.api.lab import Lab

    token = cancel or Cancel()
    using, found = spanning.find((engine or connect_all()).cancelled_by(token), name)
    return Lab(using, found.name, token, force=force, found=found if once else None)


def labs(*, engine: Engine | None = None) -> tuple[Lab, ...]:
    """All labs of the engine, by name, others' among them. Raises EngineError."""
    from labctl.api.lab import Lab

    using = engine or connect_all()
    found = []
    for one in model.find_all(using):
        token = Cancel()
        mine = using.narrowed(machines_of(node.container for node in one.nodes))
        found.append(Lab(mine.cancelled_by(token), one.name, token))
    return tuple(found)


def _telling(
    report: Callable[[str], None] | None, token: Cancel, begun: Callable[[], object] | None = None
) -> Callable[[str], None]:
    """`begun` is called at the first line: it is the engine's turn then."""
    from labctl.cancel import check

    is_told = False

    def tell(text: str) -> None:
        nonlocal is_told, begun
        if begun:
            begun()
            begun = None
        if token.is_cancelled and not is_told:  # once: what follows is taking back, which nothing must end
            is_told = True
            check([token])
        if report:
            report(text)

    return tell
