"""Sockets as a table, and changes of state as lines of a timeline."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.events.model import Event
from labctl.lab.processes.sockets import Socket
from labctl.render.cells import laid_out
from labctl.render.clock import clock
from labctl.render.text import DIM, address, colour_of, fitted, padded, paint, printable

HEAD = ("NODE", "PROTO", "STATE", "RECV-Q", "SEND-Q", "LOCAL", "PEER", "PROGRAM")
NARROW = 100  # columns


def table(sockets: Sequence[Socket], *, columns: int | None, colour: bool) -> str:
    """One line a socket; on a narrow terminal the peer stands below."""
    if columns is not None and columns < NARROW:
        narrow = [(*_first(item), _ends(item), program(item.program, item.pid)) for item in sockets]
        return laid_out((*HEAD[:5], "LOCAL -> PEER", HEAD[-1]), narrow, columns, colour)
    rows = [
        (
            *_first(item),
            address(item.local),
            address(item.peer) if item.peer else "-",
            program(item.program, item.pid),
        )
        for item in sockets
    ]
    return laid_out(HEAD, rows, columns, colour)


def _first(item: Socket) -> tuple[str, ...]:
    return (item.node, item.proto, item.state, str(item.receive_queue), str(item.send_queue))


def _ends(item: Socket) -> str:
    return address(item.local) + (f"\n-> {address(item.peer)}" if item.peer else "")


def program(name: str | None, pid: int | None) -> str:
    """`python3[1]`; `-` for nobody."""
    if not name:
        return "-"
    return f"{printable(name)}[{pid}]" if pid else printable(name)


class Changes:
    """Lays out one line a change. `columns` None: as long as it gets (a file, a pipe)."""

    def __init__(self, nodes: list[str], *, columns: int | None, colour: bool, local: bool = False) -> None:
        self._width = max((len(name) for name in nodes), default=4)
        self._columns, self._colour, self._local = columns, colour, local

    def line(self, event: Event) -> str:
        moment, proto = clock(event.ts, local=self._local), padded(printable(str(event.get("proto"))), 3)
        head = f"{moment}  {padded(event.node, self._width)}  {proto}  "
        body = printable(change(event))
        if self._columns is not None:
            body = fitted(body, max(20, self._columns - len(head)))
        if not self._colour:
            return (head + body).rstrip()
        name = paint(padded(event.node, self._width), colour_of(event.node), True)
        # What nobody saw stands back.
        body = body if event.get("seen") else paint(body, DIM, True)
        return f"{paint(moment, DIM, True)}  {name}  {proto}  {body}".rstrip()


def change(event: Event) -> str:
    """The states, the ends and the program; a state that passed between two looks stands in parentheses."""
    after = str(event.get("to"))
    after = after if event.get("seen") else f"({after})"
    states = f"{event.get('from')} -> {after}"
    ends = address(event.local) + (f" -- {address(event.peer)}" if event.peer else "")
    return f"{padded(states, 26)}  {ends}  {program(event.get('program'), event.get('pid'))}"
