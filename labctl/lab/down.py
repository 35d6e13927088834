"""Removes a lab: exactly what carries its label, whatever state it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from labctl.engine.model import LABEL_LAB, Container, Engine
from labctl.lab.keyboard import forget_lock

WORKERS = 8
T = TypeVar("T")


@dataclass(frozen=True)
class Removed:
    lab: str
    containers: int
    networks: int
    volumes: int

    @property
    def is_empty(self) -> bool:
        return not (self.containers or self.networks or self.volumes)


def down(engine: Engine, name: str, report: Callable[[str], None]) -> Removed:
    """Stops and removes a lab's containers, then its networks and volumes; nothing else, and no error where none is."""
    label = [f"{LABEL_LAB}={name}"]
    containers = engine.containers(label)
    remove_containers(engine, containers, report)
    networks = engine.networks(label)
    _each(lambda network: engine.remove_network(network.id), networks)
    volumes = engine.volumes(label)
    _each(engine.remove_volume, volumes)
    return Removed(name, len(containers), len(networks), len(volumes))


def remove_containers(
    engine: Engine, containers: Iterable[Container], report: Callable[[str], None], *, stop: bool = True
) -> None:
    """Stops each with its own grace, so that programs close their sockets in order, and removes it."""

    def remove(container: Container) -> None:
        if stop and container.state in ("running", "restarting"):
            engine.change("stop", container.id)
        engine.remove_container(container.id)
        forget_lock(container.id)
        report(f"removed {container.name}")

    _each(remove, list(containers))


def known(engine: Engine) -> list[str]:
    """The names of all labs of which anything is left: containers, networks."""
    found = {item.labels[LABEL_LAB] for item in engine.containers([LABEL_LAB])}
    return sorted(found | {item.labels[LABEL_LAB] for item in engine.networks([LABEL_LAB])})


def _each(act: Callable[[T], object], items: list[T]) -> None:
    """Does one thing to many at once; all are tried before the first failure is raised."""
    if len(items) == 1:
        act(items[0])
    elif items:
        with ThreadPoolExecutor(min(WORKERS, len(items))) as pool:
            futures = [pool.submit(act, item) for item in items]
        for future in futures:
            future.result()
