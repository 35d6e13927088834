"""The gate before a node's first packet: shut until the rules on its links are in force, where there are any.

Rules live in the node's network namespace, which is there only while the node runs; so a node whose rules must hold
from its first packet on has to be told to wait. All that can be changed about a container that is stopped, and that its
program can see, are its limits: a limit of SHUT processes says so. That the rules are there, the alias of the loopback
interface says (ip-link(8)): everybody can read it, and only who has NET_ADMIN there can write it.
"""

import time

from labnode import journal

SHUT = 63  # processes; a node's usual limit is 64
LIMITS = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")  # cgroups(7), version 2 and version 1
SIGN = "labctl"  # how the alias begins
ALIAS = "/sys/class/net/lo/ifalias"
LONGEST = 10.0  # seconds; then the node starts without, and says so
LOOK = 0.003  # seconds


def is_shut() -> bool:
    """Whether this node's rules come first."""
    for file in LIMITS:
        try:
            with open(file) as limit:
                return limit.read().strip() == str(SHUT)
        except OSError:
            continue
    return False


def sign() -> str:
    """The alias of the loopback interface; '' where it has none."""
    try:
        with open(ALIAS) as alias:
            return alias.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def wait() -> None:
    """Returns when the rules are in force, or none is to be waited for."""
    if not is_shut():
        return
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        if sign().startswith(SIGN):
            return
        time.sleep(LOOK)
    journal.error("ETIMEDOUT", f"the rules on this node's links did not come within {LONGEST:g} s; starting without")
