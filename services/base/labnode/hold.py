"""Waiting, before the first packet, until the rules on this node's links are in force.

Rules live in the node's network namespace, which is there only while the node runs; so a node whose rules must hold
from its first packet on has to be told to wait. All that can be changed about a container that is stopped, and that its
program can see, are its limits: a limit of HOLD processes says so. An abstract socket in the namespace (unix(7)), which
the probe opens, says that the rules are there.
"""

import socket
import time

from labnode import journal

HOLD = 63  # processes; a node's usual limit is 64
LIMITS = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")  # cgroups(7), version 2 and version 1
SIGN = "\0labctl-faults"
LONGEST = 10.0  # seconds; then the node starts without, and says so
LOOK = 0.003  # seconds


def is_asked_for() -> bool:
    """Whether this node's rules come first."""
    for file in LIMITS:
        try:
            with open(file) as limit:
                return limit.read().strip() == str(HOLD)
        except OSError:
            continue
    return False


def wait() -> None:
    """Returns when the rules are in force, or none is to be waited for."""
    if not is_asked_for():
        return
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as sock:
            if not sock.connect_ex(SIGN):
                return
        time.sleep(LOOK)
    journal.error("ETIMEDOUT", f"the rules on this node's links did not come within {LONGEST:g} s; starting without")
