"""What Docker's answers say of containers, networks and processes, as data."""

from __future__ import annotations

import re
from typing import Any

from labctl.engine.model import Container, Details, Network, Port, Process
from labctl.topology.mtu import mtu_of

PS = ("pid", "ppid", "user", "pcpu", "rss", "etime", "args")  # the columns that are asked of ps(1)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.I)
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}  # go-units' FromHumanSize, which Docker reads them with
_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)$")
_ENDED = re.compile(r"(?:Exited|Restarting) \((-?\d+)\) (.+)")


def subnets(network: dict[str, Any]) -> tuple[str, ...]:
    """Those that a network uses: the engine also keeps, of a family that is off, what it was made with."""
    families = {False: network.get("EnableIPv4", True), True: network.get("EnableIPv6", True)}
    found = [config.get("Subnet") or "" for config in (network.get("IPAM") or {}).get("Config") or []]
    return tuple(text for text in found if text and families[":" in text])


def bound(found: dict[str, Any]) -> tuple[Port, ...]:
    """The ports that a container publishes whenever it runs, where the engine has no choice of them."""
    ports = []
    for name, places in (found["HostConfig"].get("PortBindings") or {}).items():
        private, _, proto = name.partition("/")
        for item in places or []:
            public = item.get("HostPort") or ""
            if public.isdecimal() and int(public):
                ports.append(Port(proto or "tcp", int(private), item.get("HostIp") or None, int(public)))
    return tuple(ports)


def process(row: dict[str, str]) -> Process:
    """A line of ps(1), by the titles of its columns."""
    cpu, memory = row.get("%CPU"), row.get("RSS")
    user, command = row.get("USER") or row.get("UID", "?"), row.get("COMMAND") or row.get("CMD", "?")
    return Process(
        int(row.get("PID", 0)),
        int(row.get("PPID", 0)),
        user,
        float(cpu) if cpu else None,
        int(memory) if memory else None,
        row.get("ELAPSED", ""),
        command,
    )


def details(found: dict[str, Any]) -> Details:
    """Of GET /containers/ID/json."""
    state = found["State"]
    return Details(
        finished=state["FinishedAt"],
        exit_code=state["ExitCode"],
        stdin_open=found["Config"]["OpenStdin"],
        error=state.get("Error", ""),
        out_of_memory=state.get("OOMKilled", False),
        started=state["StartedAt"],
        environment=dict(text.partition("=")[::2] for text in found["Config"].get("Env") or []),
        aliases={name: tuple(net.get("Aliases") or ()) for name, net in found["NetworkSettings"]["Networks"].items()},
        check=next((run["Output"] for run in reversed((state.get("Health") or {}).get("Log") or [])), ""),
        processes=found["HostConfig"].get("PidsLimit"),
        host_processes=found["HostConfig"].get("PidMode") == "host",
        log=_log_limit(found["HostConfig"].get("LogConfig") or {}),
        restarts=found.get("RestartCount", 0),
        pid=state.get("Pid", 0),
        bound=bound(found),
        fixed=tuple(
            address
            for net in found["NetworkSettings"]["Networks"].values()
            for key in ("IPv4Address", "IPv6Address")
            if (address := (net.get("IPAMConfig") or {}).get(key))
        ),
    )


def _log_limit(config: dict[str, Any]) -> tuple[int, int] | None:
    """Bytes of a file and number of files that a container's log may take; None where it may grow without end."""
    options = config.get("Config") or {}
    usual = {"json-file": ("-1", "1"), "local": ("20m", "5")}.get(config.get("Type", ""))
    found = _SIZE.fullmatch(options.get("max-size", usual[0])) if usual else None
    if not usual or not found:
        return None
    files = options.get("max-file", usual[1])
    return int(float(found[1]) * _UNITS[found[2].lower()]), int(files) if files.isdigit() else 1


def container(item: dict[str, Any]) -> Container:
    """Of GET /containers/json."""
    attached = dict((item.get("NetworkSettings") or {}).get("Networks") or {})
    for name in ("none", "host"):  # Docker's names for no network at all, and for the machine's own
        attached.pop(name, None)
    addresses = {
        name: tuple(address for address in (net.get("IPAddress"), net.get("GlobalIPv6Address")) if address)
        for name, net in attached.items()
    }
    ports = tuple(
        Port(port["Type"], port["PrivatePort"], port.get("IP"), port.get("PublicPort"))
        for port in item.get("Ports") or []
    )
    name = item["Names"][0].lstrip("/") if item.get("Names") else item["Id"][:12]
    # `Up 3 seconds (health: starting)`: newer engines say it in a field of its own as well, older ones only so.
    health = _HEALTH.search(item.get("Status") or "")
    ended = _ENDED.match(item.get("Status") or "")
    mode = (item.get("HostConfig") or {}).get("NetworkMode") or ""
    return Container(
        item["Id"],
        name,
        item["Image"],
        item["State"],
        item.get("Labels") or {},
        addresses,
        ports,
        health[1] if health and item["State"] == "running" else None,
        mode == "host",
        tuple(gate for net in attached.values() for gate in (net.get("Gateway"), net.get("IPv6Gateway")) if gate),
        int(ended[1]) if ended else None,
        ended[2].lower() if ended else "",
        mode.removeprefix("container:") if mode.startswith("container:") else "",
        command=item.get("Command") or "",
    )


def network(item: dict[str, Any]) -> Network:
    """Of GET /networks."""
    return Network(
        id=item["Id"],
        name=item["Name"],
        labels=item.get("Labels") or {},
        subnets=subnets(item),
        internal=bool(item.get("Internal")),
        mtu=mtu_of(item.get("Options")),
        driver=item.get("Driver") or "",
    )


def address(item: dict[str, Any], network: str) -> str:
    """Of GET /containers/ID/json: the first address on a network; that is its name, or the first digits of its id."""
    found = item["NetworkSettings"]["Networks"]
    mine = found.get(network) or next(one for one in found.values() if one["NetworkID"].startswith(network))
    return str(mine["IPAddress"] or mine["GlobalIPv6Address"])
