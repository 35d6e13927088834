"""What `run` does. No typer here: labctl/cli/quick.py comes without."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.cli import output

if TYPE_CHECKING:
    from labctl.api.programs import Ran, Wanted
    from labctl.engine.model import Engine


def run(
    command: Sequence[str],
    name: str | None,
    lab: str | None,
    timeout: float,
    as_json: bool,
    *,
    folder: str = ".",
    watch: bool = False,
    image: str | None = None,
    network: str | None = None,
    address: str | None = None,
    listen: int | None = None,
    publish: Sequence[str] = (),
    memory: str = "256m",
    machine: str = "",
    variables: Sequence[str] = (),
    ready: str | None = None,
    is_awaited: bool = True,
    replace: bool = False,
) -> None:
    from labctl.api import programs

    what = programs.wanted(
        name,
        list(command),
        folder=folder,
        image=image,
        network=network,
        address=address,
        publish=publish,
        memory=memory,
        variables=variables,
        ours=os.environ,
        listen=listen,
        ready=ready,
        replace=replace or watch,
        machine=machine,
    )
    engine, there, is_new = _place(lab, what)
    ran = _start(engine, there, what, is_new=is_new, is_awaited=is_awaited, timeout=timeout, watch=watch)
    if ran:
        _show(ran, as_json, watched=watch)
    if watch:
        _watch(engine, there, what.name)


def _place(name: str | None, what: Wanted) -> tuple[Engine, str, bool]:
    """The lab that is meant, or a new empty one, once it is known that the program could run in it."""
    from labctl.cli.chosen import lab_of
    from labctl.errors import LabNotFound

    try:
        found = lab_of(name)
    except LabNotFound:
        from labctl.api import programs
        from labctl.cli.context import asked_name

        asked = asked_name(name)
        with output.Progress("starting a lab") as report:
            made = programs.home(asked, what, report=report)
        if made is None:
            raise
        engine, lab = made
        where = ", ".join(filter(None, engine.machines))
        said = f"an empty one{f' on {where}' if where else ''}"
        output.talk(f"no lab {'of that name ' if asked else ''}is there: {lab} is started, {said}")
        return engine, lab, True
    return found.engine, found.name, False


def _start(
    engine: Engine, lab: str, what: Wanted, *, is_new: bool, is_awaited: bool, timeout: float, watch: bool
) -> Ran | None:
    """None where it failed and is watched: the next change may mend it."""
    from labctl.api import programs
    from labctl.errors import LabTimeout, NodeFailed

    try:
        with output.Progress(f"starting {what.name}") as report:
            return programs.begun(engine, lab, what, wait=is_awaited, timeout=timeout, report=report)
    except (NodeFailed, LabTimeout) as problem:
        if not watch:
            raise
        brief = problem.having(lines="")  # these are shown as what it prints
        output.talk(f"labctl: {brief.message}\n  {brief.hint}".rstrip())
        return None
    except BaseException as problem:
        if is_new and not isinstance(problem, Exception):  # a signal
            programs.take_down_if_empty(engine, lab)  # else somebody else's program is in it by now
        raise


def _show(ran: Ran, as_json: bool, *, watched: bool) -> None:
    if as_json:
        output.document(ran.as_json())
        return
    from labctl.render.programs import began

    output.data(began(ran, lines=not watched))  # else they are shown as what it prints
    for note in ran.notes:
        output.talk(f"note: {note}")


def _watch(engine: Engine, lab: str, name: str) -> None:
    from labctl.api import programs
    from labctl.api.labs import find

    def show(line: str, stderr: bool) -> None:
        (output.talk if stderr else output.data)(line)

    try:
        programs.watch(find(lab, engine=engine, force=True), name, show, output.talk, whole=True)
    except (KeyboardInterrupt, output.Terminated):
        output.talk(f"{name} goes on, and is watched no more; `labctl rm {name}` removes it")
        raise
