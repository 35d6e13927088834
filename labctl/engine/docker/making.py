"""What the API is given for a node or a network that labctl makes itself, in the place of Compose."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from labctl.engine.model import LOG_DRIVER, LOG_FILE, LOG_FILES
from labctl.engine.nodes import GRACE, USER, NodeOrder


def node(order: NodeOrder, *, mounts: bool = True) -> dict[str, Any]:
    """The body of POST /containers/create. Where the engine `mounts` nothing of this machine, there is a volume for the
    folder's files."""
    body: dict[str, Any] = {
        "Image": order.image,
        "User": USER,
        "Labels": dict(order.labels),
        "Env": [f"{name}={value}" for name, value in order.environment.items()],
        "OpenStdin": True,
        "AttachStdin": False,
        "StopTimeout": GRACE,
        "Healthcheck": {"Test": ["NONE"]},  # an image's own knows nothing of another program
        "HostConfig": _host(order, mounts=mounts),
    }
    if not order.shares:
        body["Hostname"] = order.hostname
        body["ExposedPorts"] = {f"{port.private}/{port.proto}": {} for port in order.ports}
        body["NetworkingConfig"] = {"EndpointsConfig": {order.network: _endpoint(order)}}
    if order.command:
        body["Cmd"] = list(order.command)
    if order.folder:
        body["WorkingDir"] = order.place
    return body


def _host(order: NodeOrder, *, mounts: bool) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": f"container:{order.shares}" if order.shares else order.network,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "Tmpfs": {order.scratch: f"size={order.scratch_size},mode=1777"},
        # Without more swap than that: what leaks ends, and doesn't slow the machine down.
        "Memory": order.memory,
        "MemorySwap": order.memory,
        "PidsLimit": order.processes,
        # Whoever is the first process hears no SIGTERM unless it asked to, and has others' children to bury.
        "Init": True,
        "LogConfig": {"Type": LOG_DRIVER, "Config": {"max-size": LOG_FILE, "max-file": LOG_FILES}},
        "PortBindings": {},
    }
    for port in order.ports:
        there = host["PortBindings"].setdefault(f"{port.private}/{port.proto}", [])
        there.append({"HostIp": port.host or "", "HostPort": str(port.public or "")})
    if order.folder and not mounts:
        host["Mounts"] = [{"Type": "volume", "Target": order.place}]
    elif order.folder:
        host["Mounts"] = [{"Type": "bind", "Source": order.folder, "Target": order.place, "ReadOnly": True}]
    return host


def _endpoint(order: NodeOrder) -> dict[str, Any]:
    fixed = {}
    for address in order.addresses:
        version = ipaddress.ip_address(address).version
        fixed["IPv4Address" if version == 4 else "IPv6Address"] = address
    return {"Aliases": [order.hostname], "IPAMConfig": fixed}


def network(name: str, labels: Mapping[str, str], subnet: str, internal: bool) -> dict[str, Any]:
    """The body of POST /networks/create: a bridge."""
    return {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": internal,
        "Labels": dict(labels),
        "IPAM": {"Config": [{"Subnet": subnet}]},
    }
