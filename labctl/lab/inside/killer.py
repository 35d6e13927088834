"""Ends the processes that carry a mark in their environment, and those that they have started.

It runs in a helper container that shares the node's process namespace, as text given to `python3 -c`: nothing of labctl
can be imported there. `killer.py MARK SIGNAL GRACE`: the signal's number to all of them, after GRACE seconds SIGKILL to
what is left. Prints how many there were, and how many had to be killed.
"""

import os
import signal
import sys
import time

LOOK_AGAIN = 0.05  # seconds
KILL_LIMIT = 10.0  # seconds until what was killed is gone


def marked(mark: bytes) -> set[int]:
    """The processes with the mark, and their descendants, but for what has ended and isn't reaped."""
    parents: dict[int, int] = {}
    found = set()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
            if state in (b"Z", b"X"):
                continue
            parents[int(name)] = int(parent)
            with open(f"/proc/{name}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    found.add(int(name))
        except OSError:  # it ended meanwhile
            continue
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in found}
        grown = not children <= found
        found |= children
    return found


def send(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue


def main(mark: str, number: int, grace: float) -> None:
    first = marked(mark.encode())
    send(first, number)
    send(first, signal.SIGCONT)  # what is stopped takes no other signal than SIGKILL
    left, deadline = first, time.monotonic() + grace
    while left and time.monotonic() < deadline:
        time.sleep(LOOK_AGAIN)
        left = marked(mark.encode())
    killed, deadline = len(left), time.monotonic() + KILL_LIMIT
    while left and time.monotonic() < deadline:
        send(left, signal.SIGKILL)
        time.sleep(LOOK_AGAIN)
        left = marked(mark.encode())
    print(len(first), killed, len(left))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
