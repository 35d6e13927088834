"""Where a published port is, seen from this machine: the engine may run on another one."""

from __future__ import annotations

import ipaddress

from labctl.engine.model import Engine, Port, is_everywhere
from labctl.errors import LabError
from labctl.lab.model import Node


def address(engine: Engine, node: Node, port: Port) -> str:
    """The address at which this machine finds a node's published port. Raises LabError `published-elsewhere`,
    `published-nowhere`."""
    if not engine.publishes:
        raise LabError("published-nowhere", node=node.name, port=port.private, where=engine.where)
    machine = engine.narrowed([node.container.machine]).machine
    if not port.host or is_everywhere(port.host):
        return machine or "127.0.0.1"
    if machine and ipaddress.ip_address(port.host).is_loopback:
        raise LabError("published-elsewhere", node=node.name, port=port.private, address=port.host, machine=machine)
    return port.host
