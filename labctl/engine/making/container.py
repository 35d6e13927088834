"""A service's container, as Compose would ask the engine for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from labctl.engine.making import labels, networks
from labctl.engine.making.labels import Origin
from labctl.engine.making.limits import resources, restart_policy
from labctl.engine.making.mounts import binds_and_mounts
from labctl.engine.making.references import link
from labctl.engine.making.values import nanoseconds, whole
from labctl.engine.model import LABEL_MADE
from labctl.named import NamedTuple
from labctl.topology.model import replicas

NO_ORIGIN = Origin()


class Place(NamedTuple):
    """Which container it is: the `number` of its service's; `image` is the id of its image, `declared` are the image's
    volumes, `inherited` the mounts of the container whose place it takes, `replaces` is that one's id."""

    number: int = 1
    image: str = ""
    declared: Collection[str] = ()
    inherited: Sequence[Mapping[str, Any]] = ()
    replaces: str = ""


def name_of(config: Mapping[str, Any], name: str, number: int) -> str:
    """What a service's container is called."""
    return str(config["services"][name].get("container_name") or f"{config['name']}-{name}-{number}")


def image_of(config: Mapping[str, Any], name: str) -> str:
    """The name of a service's image."""
    return str(config["services"][name].get("image") or f"{config['name']}-{name}")


def digest(config: Mapping[str, Any], name: str, service: Mapping[str, Any]) -> str:
    """Of all containers of a service: whether one is still as it would be made. See labctl.engine.making.labels."""
    return labels.digest(_body(config, name, service, Place(), NO_ORIGIN))


def body(
    config: Mapping[str, Any], name: str, service: Mapping[str, Any], place: Place, origin: Origin
) -> dict[str, Any]:
    """The body of POST /containers/create; `service` is the configuration's, with what it shares resolved."""
    found = _body(config, name, service, place, origin)
    found["Labels"][LABEL_MADE] = digest(config, name, service)
    if place.replaces:
        found["Labels"][labels.COMPOSE_REPLACE] = place.replaces
    return found


def _body(
    config: Mapping[str, Any], name: str, service: Mapping[str, Any], place: Place, origin: Origin
) -> dict[str, Any]:
    linked = _links(config, service, place.number)
    found: dict[str, Any] = {
        "Hostname": str(service.get("hostname") or ""),
        "Domainname": str(service.get("domainname") or ""),
        "User": str(service.get("user") or ""),
        "ExposedPorts": _exposed(service),
        "Tty": bool(service.get("tty")),
        "OpenStdin": bool(service.get("stdin_open")),
        "AttachStdout": True,
        "AttachStderr": True,
        "Image": image_of(config, name),
        "WorkingDir": str(service.get("working_dir") or ""),
        "StopSignal": str(service.get("stop_signal") or ""),
        "Env": _environment(service),
        "Labels": labels.of_container(str(config["name"]), name, service, place.number, place.image, origin),
        "HostConfig": _host(config, service, place),
    }
    if linked:
        found["HostConfig"]["Links"] = linked
    if service.get("network_mode") == "disabled":
        found["NetworkDisabled"] = True
    for here, there in (("command", "Cmd"), ("entrypoint", "Entrypoint")):
        if service.get(here) is not None:
            found[there] = list(service[here])
    if service.get("stop_grace_period"):
        found["StopTimeout"] = nanoseconds(service["stop_grace_period"]) // 1_000_000_000
    if service.get("healthcheck") is not None:
        found["Healthcheck"] = _healthcheck(service["healthcheck"])
    ends = networks.endpoints(name, name_of(config, name, place.number), service, config.get("networks") or {}, linked)
    if ends is not None:
        found["NetworkingConfig"] = {"EndpointsConfig": ends}
    return found


def _links(config: Mapping[str, Any], service: Mapping[str, Any], number: int) -> list[str]:
    """Containers with the names that this one has for them; Compose's own names have this one's number in them."""
    found: list[str] = []
    for name, alias in map(link, service.get("links") or ()):
        for other in range(1, replicas(config["services"][name]) + 1):
            there = name_of(config, name, other)
            names = (alias, f"{name}-{number}", f"{config['name']}-{name}-{number}")
            found += [f"{there}:{one}" for one in names]
    return found


def _environment(service: Mapping[str, Any]) -> list[str]:
    found = service.get("environment") or {}
    return [str(key) if value is None else f"{key}={value}" for key, value in found.items()]


def _exposed(service: Mapping[str, Any]) -> dict[str, Any]:
    published = [f"{port['target']}/{port['protocol']}" for port in service.get("ports") or ()]
    return {str(port): {} for port in (*(service.get("expose") or ()), *published)}


def _healthcheck(check: Mapping[str, Any]) -> dict[str, Any]:
    times = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
    times["start_interval"] = "StartInterval"
    found: dict[str, Any] = {there: nanoseconds(check[here]) for here, there in times.items() if check.get(here)}
    if check.get("disable"):
        found["Test"] = ["NONE"]
    elif check.get("test") is not None:
        found["Test"] = list(check["test"])
    if check.get("retries"):
        found["Retries"] = whole(check["retries"])
    return found


_LISTS = {
    "cap_add": "CapAdd",
    "cap_drop": "CapDrop",
    "dns": "Dns",
    "dns_opt": "DnsOptions",
    "dns_search": "DnsSearch",
    "group_add": "GroupAdd",
    "security_opt": "SecurityOpt",
}
_TEXTS = {
    "cgroup": "CgroupnsMode",
    "ipc": "IpcMode",
    "isolation": "Isolation",
    "pid": "PidMode",
    "runtime": "Runtime",
    "userns_mode": "UsernsMode",
    "uts": "UTSMode",
    "volume_driver": "VolumeDriver",
}
_MAPPINGS = {"annotations": "Annotations", "storage_opt": "StorageOpt", "sysctls": "Sysctls"}


def _host(config: Mapping[str, Any], service: Mapping[str, Any], place: Place) -> dict[str, Any]:
    binds, mounts = binds_and_mounts(service, config, place.inherited, place.declared)
    host: dict[str, Any] = {
        "NetworkMode": networks.mode(service, config.get("networks") or {}),
        "ReadonlyRootfs": bool(service.get("read_only")),
        "Privileged": bool(service.get("privileged")),
        "ExtraHosts": [str(item).replace("=", ":", 1) for item in service.get("extra_hosts") or ()],
        "PortBindings": _bindings(service),
        "OomScoreAdj": whole(service.get("oom_score_adj")),
        "ShmSize": whole(service.get("shm_size")),
        **resources(service),
    }
    host |= {there: [str(item) for item in service[here]] for here, there in _LISTS.items() if service.get(here)}
    host |= {there: str(service[here]) for here, there in _TEXTS.items() if service.get(here)}
    for here, there in _MAPPINGS.items():
        if service.get(here):
            host[there] = {str(key): str(value) for key, value in service[here].items()}
    if binds:
        host["Binds"] = binds
    if mounts:
        host["Mounts"] = mounts
    if service.get("tmpfs"):
        host["Tmpfs"] = {path: options for path, _, options in (str(item).partition(":") for item in service["tmpfs"])}
    if service.get("init") is not None:
        host["Init"] = bool(service["init"])
    policy = restart_policy(service)
    if policy:
        host["RestartPolicy"] = policy
    log = service.get("logging")
    if log is not None:
        options = {str(key): "" if value is None else str(value) for key, value in (log.get("options") or {}).items()}
        host["LogConfig"] = {"Type": log.get("driver") or "", "Config": options}
    return host


def _bindings(service: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for port in service.get("ports") or ():
        there = found.setdefault(f"{port['target']}/{port['protocol']}", [])
        there.append({"HostIp": str(port.get("host_ip") or ""), "HostPort": str(port.get("published") or "")})
    return found
