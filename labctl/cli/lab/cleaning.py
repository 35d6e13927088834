"""The command that takes back what labctl leaves on a machine: clean."""

from __future__ import annotations

from typing import Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json


def clean(
    images: Annotated[bool, typer.Option("--images", help="labctl's images, and folders of its own.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also while labs are there: all but what they are made of.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove what labctl keeps on this machine beside labs, and say what stays."""
    from labctl.api import machine
    from labctl.lesson.progress import own_folder

    if not images:
        raise typer.BadParameter("say what: --images; `labctl down` removes a lab")
    lessons = own_folder()
    with output.Progress("removing") as report:
        found = machine.clean(
            force=force,
            dry_run=dry_run,
            staying={lessons: f"how far you are in lessons; `rm -r {lessons}`"},
            report=lambda name: report(f"removed {name}"),
        )
    if as_json:
        output.document({"dry_run": dry_run, "found": [item.as_json() for item in found]})
        return
    for item in found:
        if item.stays:
            output.talk(f"{item.shown} stays: {item.stays}")
        else:
            output.data(f"{'would remove' if dry_run else 'removed'} {item.shown}")
    if all(item.stays for item in found):
        output.talk("nothing of labctl is there to remove")
