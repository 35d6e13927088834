"""Runs that are done once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labctl.api.saved.run import SavedRun, open_run

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.topologies import FilePath
    from labctl.cancel import Cancel
    from labctl.engine.model import Engine


def replay(
    run: SavedRun | FilePath,
    *,
    name: str | None = None,
    trust: bool = False,
    record: bool = True,
    timeout: float = 5.0,
    start_timeout: float = 120.0,
    engine: Engine | None = None,
    report: Callable[[str], None] | None = None,
    cancel: Cancel | None = None,
) -> Lab:
    """Does a saved run once more: brings its topology up, sets the same faults with the same seeds, and types the same
    lines, each once what it followed is there again, for at most `timeout` seconds.

    What wasn't as it was is reported, as lines that begin with `note: `. `name` is the lab's, else its old one;
    `record`: packets from the first on. Without `trust` only images that are here are started, without mounts and
    privileges. In a `with` the lab is taken down at the end; where a step fails it stays for a look, and `find` has it.
    Raises RunError (`no-replay`, `replay-untrusted`, `run-broken`), what `up` raises, NotTaken, NodeError.
    """
    from labctl.api.lab import Lab
    from labctl.bundle.again import replay as replaying
    from labctl.cancel import Cancel
    from labctl.engine import connect
    from labctl.errors import LabError

    token, tell = cancel or Cancel(), report or (lambda text: None)
    using = (engine or connect()).cancelled_by(token)
    found, file = (run, run.lab) if isinstance(run, SavedRun) else (open_run(run), str(run))
    wanted = replaying.wanted_of(using, found.run, file)
    if wanted.objections and not trust:
        raise LabError("replay-untrusted", file=file, why="\n".join(wanted.objections))
    there = replaying.start(using, wanted, name, record=record, timeout=start_timeout, report=tell)
    made = Lab(using, there.name, token, takes_down=True)
    for remark in replaying.replay(using, found.run, there, timeout=timeout, report=tell).remarks:
        tell(f"note: {remark}")
    return made
