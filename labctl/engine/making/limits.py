"""What a container may take of the machine, and which of its devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl.engine.making.values import hundredths, nano_cpus, whole

_PLAIN = {
    "mem_limit": "Memory",
    "memswap_limit": "MemorySwap",
    "mem_reservation": "MemoryReservation",
    "cpu_count": "CpuCount",
    "cpu_period": "CpuPeriod",
    "cpu_quota": "CpuQuota",
    "cpu_rt_period": "CpuRealtimePeriod",
    "cpu_rt_runtime": "CpuRealtimeRuntime",
    "cpu_shares": "CpuShares",
}


def resources(service: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the HostConfig that the API calls Resources."""
    found: dict[str, Any] = {there: whole(service[here]) for here, there in _PLAIN.items() if service.get(here)}
    found["OomKillDisable"] = bool(service.get("oom_kill_disable"))
    if service.get("mem_swappiness"):
        found["MemorySwappiness"] = whole(service["mem_swappiness"])
    if service.get("cpus"):
        found["NanoCpus"] = nano_cpus(service["cpus"])
    if service.get("cpu_percent"):
        found["CpuPercent"] = hundredths(service["cpu_percent"])
    if service.get("pids_limit"):
        found["PidsLimit"] = whole(service["pids_limit"])
    for here, there in (("cpuset", "CpusetCpus"), ("cgroup_parent", "CgroupParent")):
        if service.get(here):
            found[there] = str(service[here])
    if service.get("device_cgroup_rules"):
        found["DeviceCgroupRules"] = list(service["device_cgroup_rules"])
    found |= _of_deployment((service.get("deploy") or {}).get("resources") or {})
    if service.get("devices"):
        found["Devices"] = [_device(item) for item in service["devices"]]
    if service.get("ulimits"):
        found["Ulimits"] = [_ulimit(name, value) for name, value in sorted(service["ulimits"].items())]
    return found


def _of_deployment(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a Swarm would reserve Compose takes as well, as far as a single container can have it."""
    found: dict[str, Any] = {}
    limits, reserved = asked.get("limits") or {}, asked.get("reservations") or {}
    if limits.get("memory"):
        found["Memory"] = whole(limits["memory"])
    if limits.get("cpus"):
        found["NanoCpus"] = nano_cpus(limits["cpus"])
    if whole(limits.get("pids")) > 0:
        found["PidsLimit"] = whole(limits["pids"])
    if reserved.get("memory"):
        found["MemoryReservation"] = whole(reserved["memory"])
    return found


def _device(text: str) -> dict[str, str]:
    here, *rest = text.split(":")
    there = (rest[0] if rest else "") or here
    rights = rest[1] if len(rest) == 2 else "rwm"
    return {"PathOnHost": here, "PathInContainer": there, "CgroupPermissions": rights}


def _ulimit(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"Name": name, "Soft": whole(value.get("soft")), "Hard": whole(value.get("hard"))}
    return {"Name": name, "Soft": whole(value), "Hard": whole(value)}


def restart_policy(service: Mapping[str, Any]) -> dict[str, Any] | None:
    """The HostConfig's RestartPolicy; None where nothing is said."""
    deployed = (service.get("deploy") or {}).get("restart_policy")
    if deployed is not None:
        return _policy(deployed.get("condition") or "", deployed.get("max_attempts"))
    if not service.get("restart"):
        return None
    name, _, attempts = str(service["restart"]).partition(":")
    return _policy(name, attempts if attempts.isdigit() else 0)


def _policy(name: str, attempts: Any) -> dict[str, Any]:
    known = {"none": "no", "any": "always"}
    return {"Name": known.get(name, name), "MaximumRetryCount": whole(attempts)}
