"""The command that shows a lab in a browser: page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json, LabName

if TYPE_CHECKING:
    from labctl.engine.model import Engine

WARNING = (
    "whoever reaches {} and has this address with its token commands the lab, and through it programs on this "
    "machine's engine; what is typed and shown goes over the network unencrypted"
)


def page(
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="The port that the page is served at; 0: any free one.")
    ] = 0,
    listen: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Another address than this machine's own: whoever reaches it and has the token commands the lab.",
        ),
    ] = "127.0.0.1",
    opens: Annotated[bool, typer.Option("--open", help="Open it in this user's browser.")] = False,
    record: Annotated[
        bool | None,
        typer.Option(
            "--record/--no-record",
            help="Record packets at all hosts, or not.",
            show_default="recorded where there are at most 20",
        ),
    ] = None,
    shell: Annotated[bool, typer.Option("--shell", help="With a shell in each host.")] = False,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show a lab in a browser as it runs: hosts, links, messages, packets; type at hosts, break links, look inside.

    Prints the address of the page, and serves it until ^C.
    """
    from labctl.page.serving import Wanted, require, served

    require()
    from labctl.api.labs import find

    engine, name = _lab(lab)
    force = output.Settings.force
    with served(
        lambda cancel: find(name, engine=engine, force=force, cancel=cancel), name, Wanted(port, listen, record, shell)
    ) as server:
        if listen not in ("127.0.0.1", "::1"):
            output.talk(
                f"whoever reaches {listen} and has this address with its token commands the lab, and through it"
            )
            output.talk("programs on this machine's engine; what is typed and shown goes over the network unencrypted")
        if as_json:
            output.json_line({"schema_version": 1, "lab": name, "url": server.url})
        else:
            output.data(server.url)
        if opens:
            _open(server.url)
        server.run()


def _lab(given: str | None) -> tuple[Engine, str]:
    """The lab that is meant; one that was named need not be there yet."""
    from labctl.api import machine
    from labctl.cli.chosen import Chosen
    from labctl.cli.context import asked_name
    from labctl.engine import connect_all
    from labctl.errors import LabNotFound

    name = asked_name(given)
    try:
        found = Chosen(given)
        engine, name = found.engine, found.name
    except LabNotFound:
        if name is None:
            raise
        engine = connect_all()
        output.talk(f"there is no lab {name} now; the page shows it once it is up")
    with output.Progress("preparing") as report:
        machine.prepare(engine, report)
    return engine, name


def _open(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        output.talk("no browser could be opened: give the address to one")
