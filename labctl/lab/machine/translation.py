"""What a killed engine leaves in this machine's kernel: rules of NAT for networks that are gone.

An engine translates what leaves a network to the machine's own address, except by the network's bridge (Docker's
documentation, "Packet filtering and firewalls"). Where the rule stays and a later network has the same subnet, the
exception is another bridge's: to its nodes all others then have the bridge's address.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess

LIMIT = 10  # seconds
_RULE = re.compile(r"-A (POSTROUTING -s \S+ ! -o (br-[0-9a-f]{12}) -j MASQUERADE)")


def left_over() -> list[str]:
    """The rules for bridges that aren't there, as iptables(8) takes them behind `-D`. Who isn't root sees no rules."""
    program = shutil.which("iptables")
    if program is None or os.geteuid() != 0:
        return []
    command = [program, "--wait", "5", "-t", "nat", "-S", "POSTROUTING"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [rule for rule, bridge in _RULE.findall(told) if not _is_there(bridge)]


def _is_there(interface: str) -> bool:
    try:
        socket.if_nametoindex(interface)
    except OSError:
        return False
    return True
