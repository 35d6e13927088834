"""How Docker made a container, out of what it answers."""

from __future__ import annotations

from typing import Any

from labctl.engine.settings import Mount, Settings


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


def _mount(item: dict[str, Any]) -> Mount:
    source = item.get("Name") if item["Type"] == "volume" else item.get("Source")
    return Mount(item["Type"], source or "", item["Destination"], bool(item.get("RW")))


def _in_memory(host: dict[str, Any]) -> list[Mount]:
    """Those of `tmpfs:`, which stand nowhere else."""
    found = host.get("Tmpfs") or {}
    return [Mount("tmpfs", "", place, "ro" not in options.split(",")) for place, options in found.items()]
