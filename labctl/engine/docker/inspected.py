"""What Docker's inspection of a container says, and its `ps`, as data."""

from __future__ import annotations

from typing import Any

from labctl.engine.model import Mount, Port, Process, Settings

PS = ("pid", "ppid", "user", "pcpu", "rss", "etime", "args")  # the columns that are asked of ps(1)


def settings(found: dict[str, Any]) -> Settings:
    """Of GET /containers/ID/json."""
    config, host = found["Config"], found["HostConfig"]
    command = [*([found["Path"]] if found.get("Path") else []), *(found.get("Args") or [])]
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or 100_000
    cpus = (host.get("NanoCpus") or 0) / 1e9 or max(0, quota) / period
    networks = found["NetworkSettings"].get("Networks") or {}
    return Settings(
        created=found["Created"],
        command=tuple(command),
        user=config.get("User") or "0",
        hostname=config.get("Hostname") or "",
        environment=dict(text.partition("=")[::2] for text in config.get("Env") or []),
        read_only=bool(host.get("ReadonlyRootfs")),
        privileged=bool(host.get("Privileged")),
        added=tuple(host.get("CapAdd") or ()),
        dropped=tuple(host.get("CapDrop") or ()),
        memory=host.get("Memory") or None,
        cpus=cpus or None,
        restart=(host.get("RestartPolicy") or {}).get("Name") or "no",
        stop_signal=config.get("StopSignal") or "SIGTERM",
        mounts=(*(_mount(item) for item in found.get("Mounts") or []), *_in_memory(host)),
        macs={name: net["MacAddress"] for name, net in networks.items() if net.get("MacAddress")},
    )


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


def _mount(item: dict[str, Any]) -> Mount:
    source = item.get("Name") if item["Type"] == "volume" else item.get("Source")
    return Mount(item["Type"], source or "", item["Destination"], bool(item.get("RW")))


def _in_memory(host: dict[str, Any]) -> list[Mount]:
    """Those of `tmpfs:`, which stand nowhere else."""
    found = host.get("Tmpfs") or {}
    return [Mount("tmpfs", "", place, "ro" not in options.split(",")) for place, options in found.items()]


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
