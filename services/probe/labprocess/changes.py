"""From two looks at the kernel's table to the changes of state between them, those that nobody saw included.

Bytes and sockets are for others: rows in, changes out.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from labprocess.diag import Row
from labprocess.owners import DNS, Owner
from labprocess.states import CLOSED, LISTEN, ending, passed

WILDCARDS = ("0.0.0.0", "::")


class Change(NamedTuple):
    """`seen` False: the socket was in the state `after` between two looks."""

    row: Row
    before: str
    after: str
    seen: bool
    owner: Owner | None

    def fields(self) -> dict:
        """As fields of a `socket-state` event, without its ends."""
        shown: dict = {"from": self.before, "to": self.after, "seen": self.seen}
        if self.owner:
            shown |= {"program": self.owner.program, "pid": self.owner.pid}
        elif DNS in (self.row.local[0], (self.row.peer or ("",))[0]):
            shown["program"] = "docker dns"
        return shown


class Counts(NamedTuple):
    """TCP-MIB's counters (RFC 4022) that tell how connections ended, as /proc/net/snmp has them."""

    failed: int = 0  # AttemptFails: SYN-SENT or SYN-RECV to CLOSED
    reset: int = 0  # EstabResets: ESTAB or CLOSE-WAIT to CLOSED


class Changes:
    """`find` gives the owners of some inodes."""

    def __init__(self, find: Callable[[set[int]], dict[int, Owner]]) -> None:
        self._find = find
        self._rows: dict[tuple, Row] | None = None
        self._owners: dict[tuple, Owner] = {}

    def look(self, rows: Iterable[Row], gone: Iterable[Row], counts: Counts) -> list[Change]:
        """The changes since the last look, in an order in which they can have happened; none at the first.

        `gone` are the sockets that the kernel has given up since; `counts` what was counted from before the last look
        to after this one.
        """
        now = {_key(row): row for row in rows}
        before, self._rows = self._rows, now
        self._own(now)
        if before is None:
            return []
        found: list[Change] = []
        ended = [row for key, row in before.items() if key not in now]
        brief = {_key(row): row for row in gone if _key(row) not in now and _key(row) not in before}
        for key, row in now.items():
            old = before.get(key)
            state = old.state if old else _birth(row, [*now.values(), *before.values()])
            if state != row.state:
                found += self._steps(row, state, row.state)
        was_reset = counts.reset > 0
        for row in ended:
            found += self._end(row, row.state, was_reset)
        for row in brief.values():
            found += self._brief(row, [*now.values(), *before.values()], was_reset, counts.failed)
        for row in ended:
            self._owners.pop(_key(row), None)
        return found

    def _own(self, rows: dict[tuple, Row]) -> None:
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

    def _end(self, row: Row, state: str, was_reset: bool) -> list[Change]:
        owner, found = self._owners.get(_key(row)), []
        for between in ending(state, was_reset) if row.proto == "tcp" else []:
            found.append(Change(row, state, between, False, owner))
            state = between
        return [*found, Change(row, state, CLOSED, True, owner)]

    def _brief(self, row: Row, rows: list[Row], was_reset: bool, failed: int) -> list[Change]:
        """A socket that came and went between two looks, of which only the end was heard."""
        if row.proto == "udp":
            return (
                []
                if row.local[1] == 0
                else [Change(row, CLOSED, "UNCONN", False, None), *self._end(row, "UNCONN", True)]
            )
        if row.peer is None:
            # Its peer is taken from a socket whose connect(2) failed.
            return [Change(row, CLOSED, "SYN-SENT", False, None), *self._end(row, "SYN-SENT", True)] if failed else []
        state, found = _birth(row, rows), []
        for between in [*passed(state, "ESTAB"), "ESTAB"]:
            found.append(Change(row, state, between, False, None))
            state = between
        return [*found, *self._end(row, state, was_reset)]


def _key(row: Row) -> tuple:
    """A connection is its two addresses: its socket is another one in SYN-RECV, in ESTAB and in TIME-WAIT."""
    if row.proto == "tcp" and row.peer:
        return (row.proto, row.local, row.peer)
    return (row.proto, row.cookie)


def _birth(row: Row, rows: list[Row]) -> str:
    """The state that a new socket comes from: LISTEN where one listens at its port, as figure 5 has it."""
    if row.proto == "tcp" and row.peer and row.state != LISTEN:
        for other in rows:
            if other.state == LISTEN and other.local[1] == row.local[1]:
                host = row.local[0].removeprefix("::ffff:")
                if other.local[0] in (*WILDCARDS, row.local[0], host):
                    return LISTEN
    return CLOSED
