"""The engine's own floor: what it takes for a lab's containers when nobody does more than to ask for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from bench.project import LIMIT, Project
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.wire import Wire
from labctl.engine.model import COMPOSE_PROJECT

WORKERS = 8
_NETWORK = ("Driver", "IPAM", "Options", "EnableIPv6", "Internal", "Attachable")


class Floor:
    """The containers of a lab with one network, with the same options, created, started and removed through the API by
    a few workers."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._wire = Wire(DockerEngine().endpoint)
        self._containers: dict[str, dict[str, Any]] = {}
        self._network: dict[str, Any] = {}

    def learn(self, lab: Project) -> None:
        """Takes over the options of a lab's containers and of its network."""
        if not self._containers:
            self._containers = {one.name: self._learnt(one.id) for one in lab.containers()}

    def _learnt(self, container: str) -> dict[str, Any]:
        found = self._wire.call("GET", f"/containers/{container}/json")
        ((network, end),) = found["NetworkSettings"]["Networks"].items()
        labels = {COMPOSE_PROJECT: self._name}  # by which a later run finds what this one leaves, if it is killed
        if not self._network:
            known = self._wire.call("GET", f"/networks/{network}")
            self._network = {"Name": network, "Labels": labels, **{key: known[key] for key in _NETWORK}}
        dropped = ("Labels",) if found["Config"]["Hostname"] != container[:12] else ("Labels", "Hostname")
        return {
            **{key: value for key, value in found["Config"].items() if key not in dropped},
            "Labels": labels,
            "HostConfig": found["HostConfig"],
            "NetworkingConfig": {
                "EndpointsConfig": {network: {key: end.get(key) for key in ("Aliases", "IPAMConfig")}}
            },
        }

    def up(self) -> float:
        """Seconds until all run."""
        started = perf_counter()
        self._wire.call("POST", "/networks/create", body=self._network)
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._start, self._containers))
        return perf_counter() - started

    def _start(self, name: str) -> None:
        body = self._containers[name]
        made = self._wire.call("POST", "/containers/create", body=body, name=name, limit=LIMIT)
        self._wire.call("POST", f"/containers/{made['Id']}/start", limit=LIMIT)

    def down(self) -> float:
        """Seconds until all is gone; each is stopped in order."""
        started = perf_counter()
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._remove, self._containers))
        self._wire.call("DELETE", f"/networks/{self._network['Name']}")
        return perf_counter() - started

    def _remove(self, name: str) -> None:
        self._wire.call("POST", f"/containers/{name}/stop", limit=LIMIT)
        self._wire.call("DELETE", f"/containers/{name}", force=True, v=True, limit=LIMIT)
