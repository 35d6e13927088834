"""What `labctl run` says of a program's host."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.engine.model import place
from labctl.lab.programs.awaiting import servers
from labctl.lab.programs.ran import Ran

SHOWN = 20  # lines of what it has printed


def began(ran: Ran, *, lines: bool = True) -> str:
    """The line of the host, below the `lines` that its program has printed where it is a client's."""
    seen = ran.seen
    above: list[str] = []
    if lines and seen and seen.state != "ready" and seen.lines:
        shown = seen.lines[-SHOWN:]
        if seen.printed > len(shown):
            above.append(f"    ... {seen.printed - len(shown)} lines before these")
        above += [f"    {line}" for line in shown]
    where = "  ".join((ran.node, *ran.addresses))
    return "\n".join([*above, f"{where}  {' '.join(_words(ran))}"])


def _words(ran: Ran) -> Iterator[str]:
    seen = ran.seen
    if seen is None:
        yield "is started; nobody waited for it"
    elif seen.state == "done":
        yield f"has ended with exit status 0 after {seen.seconds:.1f} s"
    elif seen.state == "running":
        yield "runs, and listens nowhere: a client, or a server that still has to begin"
    else:
        where = [f"{place(one.address, one.port)}/{one.proto}" for one in servers(seen.listening)]
        yield f"listens on {', '.join(where)}" if where else "is ready"
        yield f"({seen.seconds:.1f} s)"
