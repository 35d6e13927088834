"""Networks and volumes, and how a container is on its networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labctl.engine.making import labels


def network(project: str, key: str, config: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The body of POST /networks/create."""
    ipam = config.get("ipam") or {}
    body: dict[str, Any] = {
        "Name": str(config["name"]),
        "CheckDuplicate": True,
        "Labels": labels.of_network(project, key, config, version),
        "Driver": config.get("driver") or "",
        "Options": _texts(config.get("driver_opts")),
        "Internal": bool(config.get("internal")),
        "Attachable": bool(config.get("attachable")),
        "EnableIPv6": bool(config.get("enable_ipv6")),
    }
    if ipam.get("driver") or ipam.get("config"):
        body["IPAM"] = {
            "Driver": ipam.get("driver") or "",
            "Config": [_pool(item) for item in ipam.get("config") or ()],
        }
    return body


def _pool(pool: Mapping[str, Any]) -> dict[str, Any]:
    names = {"subnet": "Subnet", "ip_range": "IPRange", "gateway": "Gateway"}
    found: dict[str, Any] = {there: str(pool[here]) for here, there in names.items() if pool.get(here)}
    if pool.get("aux_addresses"):
        found["AuxiliaryAddresses"] = _texts(pool["aux_addresses"])
    return found


def volume(project: str, key: str, config: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The body of POST /volumes/create."""
    return {
        "Name": str(config["name"]),
        "Labels": labels.of_volume(project, key, config, version),
        "Driver": config.get("driver") or "",
        "DriverOpts": _texts(config.get("driver_opts")),
    }


def _texts(options: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in (options or {}).items()}


def mode(service: Mapping[str, Any], networks: Mapping[str, Mapping[str, Any]]) -> str:
    """The HostConfig's NetworkMode."""
    if service.get("network_mode"):
        return str(service["network_mode"])
    keys = _by_priority(service)
    if not networks:
        return "none"
    return str(networks[keys[0] if keys else "default"]["name"])


def endpoints(
    name: str,
    container: str,
    service: Mapping[str, Any],
    networks: Mapping[str, Mapping[str, Any]],
    links: Sequence[str],
) -> dict[str, Any] | None:
    """The EndpointsConfig of a service's container; None where it has no networks of its own."""
    if service.get("network_mode") or not networks:
        return None
    keys = _by_priority(service) or ["default"]
    attached = service.get("networks") or {}
    found = {}
    for key in keys:
        # The address of a container without networks of its own is that of its first one.
        mac = str(service.get("mac_address") or "") if key == keys[0] else ""
        found[str(networks[key]["name"])] = _endpoint(name, container, attached.get(key), mac)
        if links:
            found[str(networks[key]["name"])]["Links"] = list(links)
    return found


def _endpoint(name: str, container: str, options: Mapping[str, Any] | None, mac: str) -> dict[str, Any]:
    aliases = [container, name, *((options or {}).get("aliases") or ())]
    if options is None:
        return {"Aliases": aliases}
    fixed: dict[str, Any] = {}
    if options.get("ipv4_address"):
        fixed["IPv4Address"] = str(options["ipv4_address"])
    if options.get("ipv6_address"):
        fixed["IPv6Address"] = str(options["ipv6_address"])
    if options.get("link_local_ips"):
        fixed["LinkLocalIPs"] = list(options["link_local_ips"])
    return {
        "Aliases": aliases,
        "IPAMConfig": fixed,
        # Compose says the addresses twice, and the engine shows what it was told until the container starts.
        "IPAddress": fixed.get("IPv4Address", ""),
        "IPv6Gateway": fixed.get("IPv6Address", ""),
        "MacAddress": str(options.get("mac_address") or mac),
    }


def _by_priority(service: Mapping[str, Any]) -> list[str]:
    attached = service.get("networks") or {}
    return sorted(attached, key=lambda key: (-int((attached[key] or {}).get("priority") or 0), key))
