"""The sockets of one node, once or as they change. Runs in a probe; labctl starts it, and it ends with labctl.

python3 /opt/probe/sockets.py table    one JSON object a socket, then a `complete` event
python3 /opt/probe/sockets.py watch    a `socket-state` event for each change, until standard input ends; a `behind`
                                       event where too much of it was not read, and then no more. The process probe is
                                       asked for them, which has one program look for all who watch:
python3 /opt/probe/sockets.py look
python3 /opt/probe/sockets.py shares first    from now on the node shares its network with others, and owns it; with ''
                                              it shares it with none
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys

from labprocess import asking
from labprocess.backlog import Backlog, event_line
from labprocess.lifeline import Lifeline
from labprocess.sockets.changes import Change
from labprocess.sockets.diag import Diag, Row, raw
from labprocess.sockets.owners import DNS, Owner, Owners
from labprocess.sockets.watch import Watch

from labnode import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

MISSED = "more sockets ended at once than the kernel could tell of; changes of state of some are missing"
# Empty, or for a node that shares its network with others: `first` at the network's owner, `other` at these.
SHARES = os.environ.get("LABCTL_SHARES", "")
SHARES_NOW = "/dev/shm/shares"  # the same, where it has changed since the probe was made
RAW_OUT = "255"  # raw(7), IPPROTO_RAW: what a probe of labctl's sends copies of packets with


def ends(row: Row) -> Fields:
    """The two ends of a socket as event fields."""
    found: Fields = {"proto": row.proto, "local": list(row.local)}
    if row.peer:
        found["peer"] = list(row.peer)
    return found


def shares() -> str:
    """As labctl has it now: others may come later, and go."""
    try:
        with open(SHARES_NOW) as file:
            return file.read()
    except FileNotFoundError:
        return SHARES


def learn(word: str) -> None:
    """Those that look on meanwhile find it whole."""
    with open(f"{SHARES_NOW}.{os.getpid()}", "w") as file:
        file.write(word)
    os.replace(file.name, SHARES_NOW)
    journal.event("complete")


def is_told(row: Row, owner: Owner | None, shared: str) -> bool:
    """Whether a socket is this node's to tell of. Where several nodes share one network, that is whose program holds
    it; what no program holds, the network's owner tells of."""
    if not shared or owner:
        return True
    held_elsewhere = row.inode and DNS not in (row.local[0], (row.peer or ("",))[0])
    return shared == "first" and not held_elsewhere


def table() -> None:
    diag, owners = Diag(), Owners()
    rows = [*diag.look("tcp"), *diag.look("udp"), *raw()]
    found, shared = owners.find({row.inode for row in rows if row.inode}), shares()
    for row in rows:
        owner = found.get(row.inode)
        if (row.proto == RAW_OUT and owner is None) or not is_told(row, owner, shared):
            continue
        fields: Fields = {"state": row.state, "receive_queue": row.receive, "send_queue": row.send, "uid": row.uid}
        if owner:
            fields |= {"program": owner.program, "pid": owner.pid}
        elif DNS in (row.local[0], (row.peer or ("",))[0]):
            fields["program"] = "docker dns"
        journal.event("socket", ends(row), **fields)
    journal.event("complete")


def look(line: Lifeline) -> None:
    """Looks on while nobody reads: what is told then waits, and is counted where it is too much."""
    out = Backlog()
    os.set_blocking(1, False)

    def tell(changes: list[Change]) -> None:
        shared = shares()
        for change in changes:
            if not is_told(change.row, change.owner, shared):
                continue
            out.add(event_line("socket-state", **ends(change.row), **change.fields()))
        write()

    def miss(times: int) -> None:
        out.add(event_line("missed", times=times, reason=MISSED))

    def write() -> None:
        with contextlib.suppress(BlockingIOError):
            while data := out.piece():
                out.wrote(os.write(1, data))

    def goes_on() -> bool:
        if line.joined():
            watching.look()
            out.add(event_line("watching"))
        write()
        return not (line.is_cut or out.is_over)

    watching = Watch(tell, miss)
    out.answer([event_line("watching")])
    watching.run(line, goes_on)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if sys.argv[1:] == ["watch"]:
            asking.ask(json.dumps({"do": "watch"}))
        elif sys.argv[1:] == ["look"]:
            look(Lifeline())
        elif sys.argv[1:2] == ["shares"]:
            learn(sys.argv[2])
        else:
            table()
    except BrokenPipeError:
        return  # nobody listens any more
    except OSError as problem:
        journal.error(problem.errno or "EIO", f"the kernel's table of sockets can't be read: {problem}")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
