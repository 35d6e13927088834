"""Sees to it that a topology's images are there, and built from the sources that are there now."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labctl.engine.model import LABEL_SOURCE, PROBE_IMAGE, Engine, Image
from labctl.errors import LabError
from labctl.lab.images.program import HELPERS
from labctl.lab.placing.blueprint import Blueprint
from labctl.topology import builtin, shipped
from labctl.topology.digest import digest

_OWN = re.compile(r"labctl/([a-z-]+)(?::latest)?")  # and a folder of services/, each of which a README describes


def present(engine: Engine, blueprint: Blueprint) -> dict[str, Image]:
    """The images that are there, by service."""
    names = {service: blueprint.image_of(service) for service in blueprint.topology.config["services"]}
    found = {name: engine.image(name) for name in set(names.values())}
    return {service: image for service, name in names.items() if (image := found[name])}


def ensure(
    engine: Engine, blueprint: Blueprint, report: Callable[[str], None], *, again: bool, limit: float
) -> dict[str, Image]:
    """Builds what is missing or stale, with `again` all; the images by service. Raises LabError."""
    builder = engine.builder
    found = present(builder, blueprint)
    services: Mapping[str, Any] = blueprint.topology.config["services"]
    stale: list[str] = []
    digests: dict[str, str] = {}
    for member in blueprint.topology.members:
        if not member.builds:
            continue
        build = services[member.name]["build"]
        wanted = None
        if "SOURCE" in (build.get("args") or {}) and Path(build["context"]).is_dir():  # else Compose tells of it
            context = build["context"]
            wanted = digests[context] = digests.get(context) or digest(Path(context), without=HELPERS)
        image = found.get(member.name)
        if again or image is None or (wanted and image.labels.get(LABEL_SOURCE) != wanted):
            stale.append(member.name)
    if stale:
        variables = {}
        if digests:  # one of labctl's own, or somebody's that is built like them
            variables = _variables(builder, next(iter(digests.values())), report)
        report(f"building {', '.join(stale)}")
        name = blueprint.topology.name
        builder.build(blueprint.source, stale, lambda line: None, limit, name=name, variables=variables)
        found = present(builder, blueprint)
    _build_named(builder, blueprint, found, report, limit)
    _pull_missing(engine, blueprint, found, report, limit)
    engine.distribute(sorted({blueprint.image_of(service) for service in found}), report, limit)
    topology = blueprint.topology
    if topology.without_ipv4 or topology.links or any(member.routes for member in topology.members):
        ensure_probe(engine, report, limit)
    return found


def _build_named(
    engine: Engine, blueprint: Blueprint, found: dict[str, Image], report: Callable[[str], None], limit: float
) -> None:
    """Builds those of labctl's own images that the file only names: what a registry has under such a name would be
    somebody else's."""
    folder = shipped.root() / "services"
    missing = {blueprint.image_of(member.name) for member in blueprint.topology.members if member.name not in found}
    names = {own[1] for name in missing if (own := _OWN.fullmatch(name))}
    wanted = sorted(name for name in names if (folder / name / "README.md").is_file())
    if wanted:
        variables = _variables(engine, digest(folder, without=HELPERS), report)
        report(f"building {', '.join(wanted)}")
        engine.build(builtin.Source(folder / "nodes.yaml"), wanted, lambda line: None, limit, variables=variables)
        found.update(present(engine, blueprint))


def _pull_missing(
    engine: Engine, blueprint: Blueprint, found: dict[str, Image], report: Callable[[str], None], limit: float
) -> None:
    """Pulls what the file only names; asks the registry first, so that one that isn't there costs seconds."""
    builder = engine.builder
    for member in blueprint.topology.members:
        if member.builds or member.name in found:
            continue
        name = blueprint.image_of(member.name)
        if builder is not engine and (image := engine.image(name)):
            found[member.name] = image
            continue
        why = builder.registry_answers(name)
        if why is None:
            report(f"pulling {name}")
            why = builder.pull(name, limit)
        image = builder.image(name) if why is None else None
        if image is None:
            raise LabError("image-missing", image=name, node=member.name, why=why or "it did not arrive")
        found[member.name] = image


def ensure_probe(engine: Engine, report: Callable[[str], None], limit: float) -> None:
    """The image of the helpers that set routes and faults."""
    wanted = digest(shipped.root() / "services")
    builder = engine.builder
    image = builder.image(PROBE_IMAGE)
    if image is None or image.labels.get(LABEL_SOURCE) != wanted:
        report("building the probe")
        source = builtin.Source(shipped.root() / "services" / "nodes.yaml")
        builder.build(source, ["probe"], lambda line: None, limit, variables=_variables(builder, wanted, report))
    engine.distribute([PROBE_IMAGE], report, limit)


def _variables(engine: Engine, source: str, report: Callable[[str], None]) -> dict[str, str]:
    from labctl.lab.images import base

    return {"LABCTL_SOURCE": source, "LABCTL_DEBIAN": base.ensure(engine, report)}
