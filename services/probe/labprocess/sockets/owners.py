"""Which program holds a socket: /proc/PID/fd shows `socket:[inode]` (proc(5)), in the node's process namespace."""

import contextlib
import os
from typing import NamedTuple

DNS = "127.0.0.11"  # the engine's own name server, which it opens in each container's network namespace


class Owner(NamedTuple):
    pid: int
    program: str


def _mount(pid: int | str) -> str:
    return os.readlink(f"/proc/{pid}/ns/mnt")


_OURS = _mount("self")


def pids() -> list[int]:
    """The node's processes: all that see other files than we do. A probe's, and what is run in one, see ours."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if is_nodes(int(name)):
                    found.append(int(name))
    return sorted(found)


def is_nodes(pid: int) -> bool:
    """Raises OSError where the process has ended."""
    return _mount(pid) != _OURS


def program(pid: int) -> str:
    """The name of a process's program, as ps(1) shows it; '' where it has ended."""
    try:
        with open(f"/proc/{pid}/comm", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


class Owners:
    """Finds owners by inode, and looks again only for one that it has not seen."""

    def __init__(self) -> None:
        self._known: dict[int, Owner] = {}
        self._nobodys: set[int] = set()

    def find(self, inodes: set[int]) -> dict[int, Owner]:
        """The owners of these sockets; without those that no process of the node holds."""
        if not inodes <= self._known.keys() | self._nobodys:
            self._known = self._look()
            self._nobodys = inodes - self._known.keys()
        return {inode: self._known[inode] for inode in inodes if inode in self._known}

    def _look(self) -> dict[int, Owner]:
        found: dict[int, Owner] = {}
        for pid in pids():
            name = ""
            with contextlib.suppress(OSError):
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):
                        target = os.readlink(f"/proc/{pid}/fd/{fd}")
                        if target.startswith("socket:["):
                            name = name or program(pid)
                            # Of several that share it, the first: it is the oldest.
                            found.setdefault(int(target[8:-1]), Owner(pid, name))
        return found
