"""From two looks at the kernel's table to the changes of state between them, those that nobody saw included.

Bytes and sockets are for others: rows in, changes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from labprocess.sockets.diag import Row
from labprocess.sockets.owners import DNS, Owner
from labprocess.sockets.states import CLOSED, LISTEN, ending, passed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

WILDCARDS = ("0.0.0.0", "::")
Key = tuple[object, ...]  # what tells a socket from all others
MET = 4096  # sockets that are remembered, so that the end of none is told twice


class Change(NamedTuple):
    """`seen` False: the socket was in the state `after` between two looks."""

    row: Row
    before: str
    after: str
    seen: bool
    owner: Owner | None

    def fields(self) -> Fields:
        """As fields of a `socket-state` event, without its ends."""
        shown: Fields = {"from": self.before, "to": self.after, "seen": self.seen}
        if self.owner:
            shown |= {"program": self.owner.program, "pid": self.owner.pid}
        elif DNS in (self.row.local[0], (self.row.peer or ("",))[0]):
            shown["program"] = "docker dns"
        return shown


class Counts(NamedTuple):
    """TCP-MIB's counters (RFC 4022) that tell how connections ended, as /proc/net/snmp has them."""

    failed: int = 0  # AttemptFails: SYN-SENT or SYN-RECV to CLOSED
    opened: int = 0  # PassiveOpens: SYN-RECV to ESTAB
    reset: int = 0  # EstabResets, ESTAB or CLOSE-WAIT to CLOSED, and OutRsts, which also tells of one in FIN-WAIT


class Changes:
    """`find` gives the owners of some inodes."""

    def __init__(self, find: Callable[[set[int]], dict[int, Owner]]) -> None:
        self._find = find
        self._rows: dict[Key, Row] | None = None
        self._owners: dict[Key, Owner] = {}
        self._met: dict[int, None] = {}  # cookies of the sockets that were seen, the oldest first
        self._failed = 0  # attempts that failed, and of whose sockets nothing was seen

    def look(self, rows: Iterable[Row], gone: Iterable[Row], counts: Counts) -> list[Change]:
        """The changes since the last look, in an order in which they can have happened; none at the first.

        `gone` are the sockets that the kernel has given up since. Of `counts`, `failed` is what was counted since, the
        others what was counted from before the last look on.
        """
        now = {_key(row): row for row in rows}
        before, self._rows = self._rows, now
        for key, row in now.items():
            old = before.get(key) if before else None
            if old and not row.inode and not old.state == "TIME-WAIT" != row.state:
                now[key] = row._replace(inode=old.inode)  # that of the program which held it
        self._own(now)
        self._meet(now.values())
        if before is None:
            return []
        found: list[Change] = []
        ended = [row for key, row in before.items() if key not in now]
        brief = {_key(row): row for row in gone if row.cookie not in self._met and _key(row) not in now}
        around = [*now.values(), *before.values(), *brief.values()]
        for key, row in now.items():
            old = before.get(key)
            if old and old.state == "TIME-WAIT" != row.state:
                found.append(Change(old, old.state, CLOSED, False, None))  # the same addresses once more
                old = None
            state = old.state if old else _birth(row, around)
            if state != row.state:
                found += self._steps(row, state, row.state)
        self._failed += counts.failed - sum(row.state in ("SYN-SENT", "SYN-RECV") for row in ended)
        self._failed = max(0, self._failed)
        for row in ended:
            found += self._end(row, row.state, counts)
        for row in brief.values():
            found += self._brief(row, around, counts)
        for row in ended:
            self._owners.pop(_key(row), None)
        return found

    def _meet(self, rows: Iterable[Row]) -> None:
        self._met |= dict.fromkeys(row.cookie for row in rows)
        for cookie in list(self._met)[: max(0, len(self._met) - MET)]:
            del self._met[cookie]

    def _own(self, rows: dict[Key, Row]) -> None:
        fresh = {key: row.inode for key, row in rows.items() if row.inode and key not in self._owners}
        if fresh:
            owners = self._find(set(fresh.values()))
            self._owners |= {key: owners[inode] for key, inode in fresh.items() if inode in owners}

    def _steps(self, row: Row, before: str, after: str) -> list[Change]:
        owner = self._owners.get(_key(row))
        found = []
        for state in passed(before, after) if row.proto == "tcp" else []:
            found.append(Change(row, before, state, False, owner))
            before = state
        return [*found, Change(row, before, after, True, owner)]

    def _end(self, row: Row, state: str, counts: Counts) -> list[Change]:
        owner, found = self._owners.get(_key(row)), []
        for between in ending(state, counts.reset > 0, counts.opened > 0) if row.proto == "tcp" else []:
            found.append(Change(row, state, between, False, owner))
            state = between
        return [*found, Change(row, state, CLOSED, True, owner)]

    def _brief(self, row: Row, rows: list[Row], counts: Counts) -> list[Change]:
        """A socket that came and went between two looks, of which only the end was heard."""
        if row.proto == "udp":
            return (
                []
                if row.local[1] == 0
                else [Change(row, CLOSED, "UNCONN", False, None), *self._end(row, "UNCONN", counts)]
            )
        if row.peer is None:
            # connect(2) has failed: that takes the peer from the socket again.
            if not self._failed or not row.local[1] or _is_parent(row, rows):
                return []
            self._failed -= 1
            return [Change(row, CLOSED, "SYN-SENT", False, None), *self._end(row, "SYN-SENT", counts)]
        state, found = _birth(row, rows), []
        for between in [*passed(state, "ESTAB"), "ESTAB"]:
            found.append(Change(row, state, between, False, None))
            state = between
        return [*found, *self._end(row, state, counts)]


def _key(row: Row) -> Key:
    """A connection is its two addresses: its socket is another one in SYN-RECV, in ESTAB and in TIME-WAIT."""
    if row.proto == "tcp" and row.peer:
        return (row.proto, row.local, row.peer)
    return (row.proto, row.cookie)


def _birth(row: Row, rows: list[Row]) -> str:
    """The state that a new socket comes from: LISTEN where one listens at its port, as figure 5 has it."""
    if row.proto == "tcp" and row.peer and any(_is_listener(other) and _accepts(other, row) for other in rows):
        return LISTEN
    return CLOSED


def _is_listener(row: Row) -> bool:
    """One that the kernel has given up is CLOSED by then, and still has no peer."""
    return row.proto == "tcp" and row.peer is None


def _is_parent(row: Row, rows: list[Row]) -> bool:
    return any(other.proto == "tcp" and other.peer and _accepts(row, other) for other in rows)


def _accepts(listener: Row, row: Row) -> bool:
    host = row.local[0].removeprefix("::ffff:")
    return listener.local[1] == row.local[1] and listener.local[0] in (*WILDCARDS, row.local[0], host)
