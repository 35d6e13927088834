"""The kernel's counters of a node's network, as proc(5) has them: /proc/net/snmp, /proc/net/netstat."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.api.node import Node

FILES = ("/proc/net/snmp", "/proc/net/netstat")


def counters_of(node: Node) -> dict[str, int]:
    """By their names, such as ListenOverflows; where two protocols have one of a name (InErrors), TCP's stands under it
    and each under its protocol's, too: UdpInErrors. Raises NotRunning, EngineError."""
    lines = node.exec("cat", *FILES).text.splitlines()
    found: dict[str, int] = {}
    for names, counts in zip(lines[::2], lines[1::2], strict=False):
        protocol, _, head = names.partition(":")
        for name, count in zip(head.split(), counts.partition(":")[2].split(), strict=False):
            value = int(count)
            found[f"{protocol}{name}"] = value
            if protocol.startswith("Tcp") or name not in found:
                found[name] = value
    return found
