"""A router: the kernel forwards from network to network, and this program says so, and translates addresses if asked.

    getaddrinfo     for the name of its outer network; no other call on a socket: a router's packets are the kernel's

The forwarding itself is two sysctls, which the Compose file sets (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding).
With MASQUERADE_TO, the name by which this router is known on its outer network, whatever leaves there carries the
router's address instead of the sender's, and a port from PORTS (RFC 3022, traditional NAT).

It is the one kind of node that holds NET_ADMIN, and with it alone it runs as root: Docker gives no capability to
another user.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess

from labnode import life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.loop import Loop

MASQUERADE_TO = os.environ.get("MASQUERADE_TO")
PORTS = os.environ.get("MASQUERADE_PORTS") or "20000-29999"
RULES = """
table inet labctl {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "{interface}" meta l4proto {{ tcp, udp }} counter masquerade to :{ports}
    oifname "{interface}" counter masquerade
  }}
}}
"""


def run(*command: str, given: str = "") -> str:
    """What a command printed. Raises OSError with its own words where it failed."""
    try:
        done = subprocess.run(command, input=given, text=True, capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"{command[0]} did not end within 10 s") from None
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def interfaces() -> list[tuple[str, list[str]]]:
    """Each interface with its addresses, loopback left out: [name, [address/prefix, ...]]."""
    shown = run("ip", "-json", "address")
    return [
        (item["ifname"], [f"{found['local']}/{found['prefixlen']}" for found in item["addr_info"]])
        for item in json.loads(shown)
        if item["ifname"] != "lo"
    ]


def facing(name: str) -> str:
    """The interface that holds one of a name's addresses: our own, since the name is ours on one network."""
    ours = {address.split("/")[0]: interface for interface, addresses in interfaces() for address in addresses}
    for *_, address in socket.getaddrinfo(name, None):
        if address[0] in ours:
            return ours[address[0]]
    raise OSError(f"none of this router's addresses is called {name}")


def forwards() -> dict[str, bool]:
    found = {}
    for family, path in (("ipv4", "ipv4/ip_forward"), ("ipv6", "ipv6/conf/all/forwarding")):
        try:
            with open(f"/proc/sys/net/{path}") as file:
                found[family] = file.read().strip() == "1"
        except OSError:
            found[family] = False  # a kernel without IPv6
    return found


def main(loop: Loop) -> None:
    # Children that nobody waits for are reaped unseen; here their exit statuses are wanted, so for once not.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    forwarding = forwards()
    if not any(forwarding.values()):
        raise OSError("the kernel forwards nothing here: set the sysctl net.ipv4.ip_forward=1 in the Compose file")
    known: dict[str, str] = {}
    if MASQUERADE_TO:
        interface = facing(MASQUERADE_TO)
        run("nft", "-f", "-", given=RULES.format(interface=interface, ports=PORTS))
        known = {"masquerade": interface, "ports": PORTS}
    state = {"interfaces": interfaces(), "forwards": [family for family, on in forwarding.items() if on], **known}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # A router forwards what others say and says nothing itself; what is typed stands in its journal.
    life.watch_keyboard(loop, lambda typed: None)
    life.ready(**state)


if __name__ == "__main__":
    life.run(main)
