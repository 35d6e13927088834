"""A host that runs somebody's own program, as a program has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labctl.api.node import Node
from labctl.lab.programs.awaiting import OWN_CHOICE as OWN_CHOICE
from labctl.lab.programs.ran import Ran as Ran
from labctl.lab.programs.run import run

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.cancel import Cancel
    from labctl.engine.model import Engine, Listening
    from labctl.lab import model
    from labctl.lab.programs.wanted import Wanted as Wanted


class Program(Node):
    """A host that `Lab.run` made, and how its program began."""

    def __init__(self, lab: Lab, found: model.Node, ran: Ran) -> None:
        super().__init__(lab, found)
        self.ran = ran

    @property
    def began(self) -> str:
        """`ready` (it listens, or has printed what was expected), `running` (it listens nowhere), `done` (it has ended
        with status 0), or `started` where nobody waited."""
        return self.ran.state

    @property
    def listening(self) -> tuple[Listening, ...]:
        """Where it listened then, by its kernel's word."""
        return self.ran.seen.listening if self.ran.seen else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What its author should know: that it listens on 127.0.0.1 alone, files that it can't read."""
        return self.ran.notes

    def remove(self) -> None:
        """As Lab.remove."""
        self.lab.remove(self.name)

    def watch(
        self,
        show: Callable[[str, bool], None],
        changed: Callable[[str], None] | None = None,
        *,
        until: Cancel | None = None,
    ) -> None:
        """Starts it again, in its place, whenever a file of its folder changes, until `until` is cancelled. `show` is
        given each line that it prints, and whether that came by its standard error; `changed` what happens: that it is
        started again, how it ended. Raises InvalidArgument where it has no folder, NodeNotFound where it was removed,
        Cancelled."""
        watch(self.lab, self.name, show, changed or (lambda text: None), until=until)


def wanted(
    name: str | None, command: Sequence[str], *, variables: Sequence[str], ours: Mapping[str, str], **options: Any
) -> Wanted:
    """What `labctl run` is told, once it is known to make sense; `variables` are NAME=VALUE, or the NAME of one of
    `ours`. The options are those of `Lab.run`. Raises InvalidArgument, FileError."""
    from labctl.lab.programs.wanted import environment, read

    return read(name, command, environment=environment(variables, ours), **options)


def home(
    name: str | None,
    what: Wanted,
    *,
    hosts: Sequence[str] | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[Engine, str] | None:
    """Starts an empty lab for a program, where none of that name is there, once it is known that the program could run
    in it; its engine and name. `hosts` are the machines that it is to be on, without it those of LABCTL_HOSTS, or the
    one that the program is to have. None where a lab is there that is not one's own. Raises NodeError, FileError,
    EngineError."""
    from labctl.api.topologies import chosen_hosts
    from labctl.engine import connect, connect_all
    from labctl.lab import spanning
    from labctl.lab.programs import empty
    from labctl.lab.programs.run import checked

    tell = report or (lambda text: None)
    names = chosen_hosts(hosts) or ((what.machine,) if what.machine else ())
    using = spanning.to_read(connect_all(), names) if names else connect()
    if not empty.is_needed(using, name):
        return None
    checked(using, what)
    using = spanning.to_hold(using, names, tell) if names else using
    return using, empty.start(using, name, tell)


def take_down_if_empty(engine: Engine, lab: str, report: Callable[[str], None] = lambda text: None) -> bool:
    """Takes an empty lab down that nothing runs in any more; whether it did."""
    from labctl.lab.life.down import down
    from labctl.lab.programs.empty import is_left_alone

    is_alone = is_left_alone(engine, lab)
    if is_alone:
        down(engine, lab, report, force=True)
    return is_alone


def begun(
    engine: Engine,
    lab: str,
    what: Wanted,
    *,
    wait: bool = True,
    timeout: float = 30.0,
    report: Callable[[str], None] | None = None,
) -> Ran:
    """Runs a program as a host of a lab, and says how it began. Raises as Lab.run does."""
    return run(engine, lab, what, report or (lambda text: None), timeout=timeout, is_awaited=wait)


def watch(
    lab: Lab,
    name: str,
    show: Callable[[str, bool], None],
    changed: Callable[[str], None],
    *,
    until: Cancel | None = None,
    whole: bool = False,
) -> None:
    """As Program.watch; with `whole` what it has printed until now is shown as well."""
    from labctl.lab.programs.watch import watch

    watch(lab.engine, lab.changeable(), name, show, changed, until=until, whole=whole)


def started(
    lab: Lab,
    what: Wanted,
    *,
    wait: bool,
    timeout: float,
    report: Callable[[str], None] | None,
) -> Program:
    """Raises as Lab.run does."""
    ran = begun(lab.engine, lab.name, what, wait=wait, timeout=timeout, report=report)
    return Program(lab, lab.snapshot().node(ran.node), ran)
