"""Commands about the machines that labs can be on: hosts add, ls, rm, check, join, leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json

hosts = typer.Typer(
    help="Machines that labs can be on: which there are, and whether they fit together.",
    no_args_is_help=True,
    suggest_commands=False,
)


def _complete(incomplete: str) -> list[str]:
    import labctl
    from labctl.errors import LabError

    try:
        return [name for name in labctl.hosts() if name.startswith(incomplete)]
    except LabError:  # completion has nobody to tell it to
        return []


Name = Annotated[str, typer.Argument(metavar="HOST", help="The machine's name.", autocompletion=_complete)]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[HOST]...", help="These machines, else all.", autocompletion=_complete)
]
Some = Annotated[list[str], typer.Argument(metavar="HOST...", help="These machines.", autocompletion=_complete)]


@hosts.command()
def add(
    name: Annotated[str, typer.Argument(metavar="HOST", help="A name for it.")],
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS", help="Its engine: ssh://USER@MACHINE, tcp://MACHINE:PORT, unix://PATH or context:NAME."
        ),
    ],
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With tcp://: whose certificates it may show.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="With tcp://: your own certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="With tcp://: the key of that.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="In the place of the one of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Add a machine with a Docker engine; nothing is asked of it yet."""
    from labctl.api.hosts import add_host

    found = add_host(name, address, tls_ca=tls_ca, tls_cert=tls_cert, tls_key=tls_key, replace=replace)
    if found.is_open:
        output.talk(f"warning: {address} is open: whoever reaches it is root there; use ssh:// or TLS elsewhere")
    if as_json:
        output.document(found.as_json())
    else:
        output.data(f"{name} is {address}")


@hosts.command()
def ls(as_json: Json = False) -> None:
    """List the machines."""
    import labctl

    found = labctl.hosts()
    if as_json:
        output.document({"hosts": [host.as_json() for host in found.values()]})
        return
    from labctl.render import machines

    if found:
        output.data(machines.hosts(found.values(), columns=output.columns(), colour=output.colour()))
    else:
        output.talk("no machines are known; `labctl hosts add NAME ssh://USER@MACHINE` adds one")


@hosts.command()
def rm(name: Name, as_json: Json = False) -> None:
    """Take a machine off the list; what it has stays there."""
    from labctl.api.hosts import remove_host

    gone = remove_host(name)
    if as_json:
        output.document(gone.as_json())
    else:
        output.data(f"{name} ({gone.address}) is no longer known")


@hosts.command()
def check(
    names: Names = None,
    ports: Annotated[
        bool,
        typer.Option("--ports/--no-ports", help="What passes between them as well; helpers run there for a moment."),
    ] = True,
    as_json: Json = False,
) -> None:
    """Look whether machines can have a lab together: engines, swarm, ports, clocks, images."""
    import labctl
    from labctl.api.hosts import check_hosts

    with output.Progress("looking") as report:
        found = list(check_hosts(names or (), ports=ports, report=report))
    fine = not any(finding.level == "bad" for finding in found)
    if as_json:
        output.document({"ok": fine, "findings": [finding.as_json() for finding in found]})
    else:
        from labctl.render import machines

        order = names or list(labctl.hosts())
        output.data(machines.findings(found, order, columns=output.columns(), colour=output.colour()))
    if not fine:
        raise typer.Exit(1)


@hosts.command()
def join(
    names: Names = None,
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST=ADDRESS", help="At which address the others reach it; again for another machine."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make one swarm of machines, so that networks can reach over all of them."""
    from labctl.api.hosts import join_hosts

    with output.Progress("joining") as report:
        found = join_hosts(names or (), addresses=_addresses(address or []), report=report)
    if as_json:
        output.document({"hosts": [one.as_json() for one in found]})
        return
    for one in found:
        role = "a manager" if one.is_manager else "a worker"
        output.data(f"{one.host} is {role} of the swarm{'' if one.is_new else ', as before'}")


@hosts.command()
def leave(
    names: Some,
    force: Annotated[
        bool, typer.Option("--force", help="Also where labs are on it, or others need it as their manager.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take machines out of their swarm."""
    from labctl.api.hosts import leave_hosts

    with output.Progress("leaving") as report:
        found = leave_hosts(names, force=force, report=report)
    if as_json:
        output.document({"left": list(found)})
        return
    for name in dict.fromkeys(names):
        output.data(f"{name} has left its swarm" if name in found else f"{name} was in no swarm")


def _addresses(texts: list[str]) -> dict[str, str]:
    """Raises LabError `bad-option`."""
    import ipaddress

    from labctl.errors import LabError

    found = {}
    for text in texts:
        name, equals, address = text.partition("=")
        try:
            ipaddress.ip_address(address)
        except ValueError:
            equals = ""
        if not (name and equals):
            raise LabError("bad-option", option="--address", why=f"{text!r} is no HOST=ADDRESS")
        found[name] = address
    return found
