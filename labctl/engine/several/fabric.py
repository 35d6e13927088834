"""A lab's networks over several machines: attachable overlays, which a manager of the swarm makes and removes.

On another machine such a network appears when the first of its containers starts there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl.engine.making import networks
from labctl.engine.several.spreading import is_local

MTU = 1450  # bytes: what VXLAN (RFC 7348) leaves of 1,500; bridges of such a lab have it as well, for equal results
MTU_OPTION = "com.docker.network.driver.mtu"
_BRIDGES = "com.docker.network.bridge."


def overlays(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The networks of a configuration that have to reach over machines, by key."""
    found = (config.get("networks") or {}).items()
    return {key: item for key, item in found if not item.get("external") and not is_local(item)}


def body(project: str, key: str, item: Mapping[str, Any], version: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The body of POST /networks/create."""
    made = networks.network(project, key, item, version)
    options = {name: value for name, value in made["Options"].items() if not name.startswith(_BRIDGES)}
    return {
        **made,
        "Driver": "overlay",
        "Attachable": True,
        "Options": {MTU_OPTION: str(MTU), **options},
        "Labels": {**made["Labels"], **labels},
    }


def with_mtu(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the overlays' MTU on the networks that stay on one machine; one that was chosen stays."""
    out = dict(config.get("networks") or {})
    for key, item in out.items():
        if is_local(item) and not item.get("external") and item.get("driver") in (None, "", "bridge"):
            out[key] = {**item, "driver_opts": {MTU_OPTION: str(MTU), **(item.get("driver_opts") or {})}}
    return {**config, "networks": out}
