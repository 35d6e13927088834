"""What labctl makes of a configuration as Compose does, field by field. What stands in no table is Compose's to make.

A table's row is a field and what is allowed in it: ANY, a table of its own, a list of one row, or a check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from labctl.engine.making.references import circle, missing


def _any(value: Any) -> bool:
    return True


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _apart(value: Any) -> bool:
    """A namespace of its own, or the machine's, or a named one: but no other service's."""
    return not str(value).startswith("service:")


def _profile(value: Any) -> bool:
    """Options for the engine as they are; a profile for seccomp is a file, which Compose reads."""
    return _texts(value) and all(item == "seccomp=unconfined" or not _is_special(item) for item in value)


def _is_special(option: str) -> bool:
    return option.startswith(("seccomp", "systempaths"))


def _file(value: Any) -> bool:
    """A secret or a config that is a file; Compose copies what is a text or a variable into the container itself."""
    return isinstance(value, Mapping) and "file" in value and not set(value) - {"name", "file"}


ANY = _any
TEXTS = _texts

_HEALTHCHECK = {
    "test": TEXTS,
    "disable": ANY,
    "interval": ANY,
    "timeout": ANY,
    "retries": ANY,
    "start_period": ANY,
    "start_interval": ANY,
}
_PORT = dict.fromkeys(("name", "mode", "host_ip", "target", "published", "protocol", "app_protocol"), ANY)
_ATTACHMENT = dict.fromkeys(("priority", "aliases", "ipv4_address", "ipv6_address", "link_local_ips"), ANY)
_ATTACHMENT["mac_address"] = ANY
_MOUNT = {
    "type": lambda value: value in ("bind", "volume", "tmpfs"),
    "source": ANY,
    "target": ANY,
    "read_only": ANY,
    "consistency": ANY,
    "bind": {"selinux": ANY, "propagation": ANY, "create_host_path": ANY},
    "volume": {"nocopy": ANY},
    "tmpfs": {"size": ANY, "mode": ANY},
}
_RESOURCES = {
    "limits": {"cpus": ANY, "memory": ANY, "pids": ANY},
    "reservations": {"cpus": ANY, "memory": ANY, "generic_resources": ANY},
}
# What only a Swarm heeds is allowed, as Compose passes over it.
_DEPLOY = {
    "mode": ANY,
    "replicas": ANY,
    "labels": ANY,
    "update_config": ANY,
    "rollback_config": ANY,
    "placement": ANY,
    "endpoint_mode": ANY,
    "resources": _RESOURCES,
    "restart_policy": {"condition": ANY, "delay": ANY, "max_attempts": ANY, "window": ANY},
}
_REFERENCE = {"source": ANY, "target": ANY, "uid": ANY, "gid": ANY, "mode": ANY}

SERVICE: Mapping[str, Any] = {
    # Of what is there before a container is made, or matters only to who looks at it
    "attach": ANY,
    "build": ANY,
    "develop": ANY,
    "image": ANY,
    "profiles": ANY,
    "pull_policy": lambda value: value in ("missing", "if_not_present", "never", "build"),
    "scale": ANY,
    # What runs
    "command": ANY,
    "entrypoint": ANY,
    "environment": ANY,
    "init": ANY,
    "stdin_open": ANY,
    "tty": ANY,
    "user": ANY,
    "group_add": ANY,
    "working_dir": ANY,
    "healthcheck": _HEALTHCHECK,
    "restart": ANY,
    "stop_grace_period": ANY,
    "stop_signal": ANY,
    "depends_on": ANY,
    # What it is called
    "container_name": ANY,
    "domainname": ANY,
    "hostname": ANY,
    "annotations": ANY,
    "labels": ANY,
    # What it may do
    "cap_add": ANY,
    "cap_drop": ANY,
    "cgroup": ANY,
    "cgroup_parent": ANY,
    "device_cgroup_rules": ANY,
    "devices": TEXTS,
    "ipc": _apart,
    "isolation": ANY,
    "pid": _apart,
    "privileged": ANY,
    "read_only": ANY,
    "runtime": ANY,
    "security_opt": _profile,
    "storage_opt": ANY,
    "sysctls": ANY,
    "userns_mode": ANY,
    "uts": ANY,
    # What it may take
    "cpu_count": ANY,
    "cpu_percent": ANY,
    "cpu_period": ANY,
    "cpu_quota": ANY,
    "cpu_rt_period": ANY,
    "cpu_rt_runtime": ANY,
    "cpu_shares": ANY,
    "cpus": ANY,
    "cpuset": ANY,
    "deploy": _DEPLOY,
    "mem_limit": ANY,
    "mem_reservation": ANY,
    "mem_swappiness": ANY,
    "memswap_limit": ANY,
    "oom_kill_disable": ANY,
    "oom_score_adj": ANY,
    "pids_limit": ANY,
    "shm_size": ANY,
    "ulimits": ANY,
    # What it reaches
    "dns": ANY,
    "dns_opt": ANY,
    "dns_search": ANY,
    "expose": ANY,
    "extra_hosts": ANY,
    "mac_address": ANY,
    "network_mode": ANY,
    "links": TEXTS,
    "networks": lambda value: all(_unknown(item or {}, _ATTACHMENT) is None for item in (value or {}).values()),
    "ports": [_PORT],
    # What it keeps
    "configs": [_REFERENCE],
    "logging": {"driver": ANY, "options": ANY},
    "secrets": [_REFERENCE],
    "tmpfs": ANY,
    "volume_driver": ANY,
    "volumes": [_MOUNT],
}
NETWORK: Mapping[str, Any] = {
    "name": ANY,
    "driver": ANY,
    "driver_opts": ANY,
    "external": ANY,
    "internal": ANY,
    "attachable": ANY,
    "enable_ipv6": ANY,
    "labels": ANY,
    "ipam": {"driver": ANY, "config": [dict.fromkeys(("subnet", "ip_range", "gateway", "aux_addresses"), ANY)]},
}
VOLUME: Mapping[str, Any] = dict.fromkeys(("name", "driver", "driver_opts", "external", "labels"), ANY)
PROJECT: Mapping[str, Any] = {
    "name": ANY,
    "services": SERVICE,
    "networks": NETWORK,
    "volumes": VOLUME,
    "configs": _file,
    "secrets": _file,
}


def unknown(config: Mapping[str, Any]) -> str | None:
    """What labctl doesn't make of a configuration as Compose does: `services.web.gpus`; None where there is nothing."""
    for name, value in config.items():
        if name.startswith("x-"):
            continue
        if name not in PROJECT:
            return name
        if name == "name" or not value:
            continue
        for key, item in value.items():
            if name in ("networks", "volumes") and not (item or {}).get("name"):
                return f"{name}.{key} without a name"
            found = _unknown(item or {}, PROJECT[name])
            if found is not None:
                return ".".join(part for part in (name, key, found) if part)
    return missing(config["services"]) or circle(config["services"])


def _unknown(value: Any, row: Any) -> str | None:
    """What of a value a row doesn't allow: "" is the value itself."""
    if isinstance(row, Mapping):
        return _in_mapping(value, row)
    if isinstance(row, list):
        if not isinstance(value, list):
            return ""
        return next((found for item in value if (found := _unknown(item, row[0])) is not None), None)
    check: Callable[[Any], bool] = row
    return None if check(value) else ""


def _in_mapping(value: Any, table: Mapping[str, Any]) -> str | None:
    if not isinstance(value, Mapping):
        return ""
    return next(_fields(value, table), None)


def _fields(value: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[str]:
    for name, item in value.items():
        if str(name).startswith("x-") or (item is None and name in table):
            continue
        if name not in table:
            yield str(name)
        elif (found := _unknown(item, table[name])) is not None:
            yield f"{name}.{found}" if found else str(name)
