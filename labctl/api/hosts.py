"""The machines that labs can be on beside this one: the list of them, looking at them, making one swarm of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.engine.hosts import inventory
from labctl.engine.hosts.host import Host

if TYPE_CHECKING:
    from labctl.engine.swarm import MachineEngine
    from labctl.lab.machines.asking import Engines
    from labctl.lab.machines.finding import Finding
    from labctl.lab.machines.swarm import Joined

FilePath = str | os.PathLike[str]


def hosts() -> dict[str, Host]:
    """The machines that this user has added, by name. Nothing is asked of them. Raises FileError (`hosts-file`)."""
    return inventory.load()


def add_host(
    name: str,
    address: str,
    *,
    tls_ca: FilePath | None = None,
    tls_cert: FilePath | None = None,
    tls_key: FilePath | None = None,
    replace: bool = False,
) -> Host:
    """Adds a machine to this user's list. `address` is ssh://[USER@]HOST[:PORT], tcp://HOST:PORT, unix://PATH or
    context:NAME; with tcp the three files are the authority of its certificate, and this user's own certificate and
    key. With `replace` in the place of one of that name. Nothing is asked of it.

    Raises InvalidArgument, EngineError (no such context), FileError.
    """
    ca, cert, key = (Path(file) if file else None for file in (tls_ca, tls_cert, tls_key))
    return inventory.add(name, address, ca=ca, cert=cert, key=key, replace=replace)


def remove_host(name: str) -> Host:
    """Takes a machine off the list. Nothing is asked of it, and what it has stays. Raises LabNotFound, FileError."""
    return inventory.remove(name)


def check_hosts(
    names: Sequence[str] = (),
    *,
    ports: bool = True,
    engine: MachineEngine | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[Finding, ...]:
    """Whether some machines, or all, can have a lab together: engines, swarm, clocks, images and, unless `ports` is
    False, what passes between them (for that, helpers are started there, and their image is sent first). `engine` is
    the one whose images they are to have, by default the one in use.

    Raises LabNotFound, EngineError where it is known without asking that a machine can't be reached.
    """
    from labctl.engine import connect
    from labctl.lab.machines.check import check

    at = {name: _resolved(host) for name, host in inventory.chosen(tuple(names)).items()} if ports else {}
    return tuple(check(_engines(names), engine or connect(), report or _nothing, ports=ports, addresses=at))


def join_hosts(
    names: Sequence[str] = (),
    *,
    addresses: Mapping[str, str] | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[Joined, ...]:
    """Makes one swarm of some machines, or of all: of the first, unless one of them is in one, which the others then
    join. Again it changes nothing. `addresses` are those at which the others reach a machine, where that isn't the one
    it was added with.

    Raises LabNotFound, EngineUnreachable, EngineError: some are in different swarms, or could not join.
    """
    from labctl.lab.machines import swarm

    known = inventory.chosen(tuple(names))
    at = {name: _resolved(host) for name, host in known.items()} | dict(addresses or {})
    return tuple(swarm.join(_engines(names), at, report or _nothing))


def leave_hosts(
    names: Sequence[str], *, force: bool = False, report: Callable[[str], None] | None = None
) -> tuple[str, ...]:
    """Takes some machines out of their swarm; the names of those that were in one. `force`: also where labs are on it,
    or others in the swarm are left without a manager. Raises LabNotFound, EngineError."""
    from labctl.lab.machines import swarm

    return tuple(swarm.leave(_engines(names), _engines(()), report or _nothing, force=force))


def _engines(names: Sequence[str]) -> Engines:
    return {name: inventory.connect(host) for name, host in inventory.chosen(tuple(names)).items()}


def _resolved(host: Host) -> str:
    """Its address as a number, which is all that a swarm takes; "" where that isn't known here."""
    import socket

    if not host.reached_at:
        return ""
    try:
        found = socket.getaddrinfo(host.reached_at, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a name that only ssh's own configuration knows
        return ""
    return str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0])


def _nothing(_: str) -> None:
    """Tells nobody."""
