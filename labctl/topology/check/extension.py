"""What stands under x-labctl: routes over neighbours, links between nodes that share a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labctl.faults.measures import Malformed
from labctl.topology.check import reading
from labctl.topology.check.plan import Plan, Service
from labctl.topology.check.problems import Path, Problems
from labctl.topology.check.reading.source import Scalar, Source, shorten
from labctl.topology.extension import Condition, parse_link, parse_route


def check_extension(source: Source, plan: Plan) -> Problems:
    """Keys and types are looked at elsewhere; here is what the texts say."""
    found = Problems()
    for service in plan.services.values():
        path: Path = ("services", service.name, "x-labctl")
        for written, at in _texts(service.extension, "routes", path):
            _route(source, plan, service, written, at, found)
    _check_outside(source, plan, found)
    given: dict[tuple[str, str], int] = {}
    for written, at in _texts(plan.extension, "links", ("x-labctl",)):
        place = source.place(at)
        try:
            link = parse_link(written, plan.services)
        except Malformed as problem:
            found.add("bad-link", at, place, why=problem, mend=problem.hint)
            continue
        if _ends_are_fine(source, plan, link, at, found):
            for a, b in [(link.a, link.b), *([(link.b, link.a)] if link.both else [])]:
                if (a, b) in given:
                    found.add("link-twice", at, place, a=a, b=b, line=given[a, b])
                    break
                given[a, b] = place.line
    return found


def _check_outside(source: Source, plan: Plan, found: Problems) -> None:
    """What a lab without a way outside has all the same, or has in vain."""
    if plan.extension.get("outside") is not False:
        return
    for service in plan.services.values():
        path: Path = ("services", service.name)
        entry = source.section("services").get(service.name)
        keys = entry.value.entries if entry and isinstance(entry.value, reading.source.Mapping) else {}
        mode = keys.get("network_mode")
        if mode and isinstance(mode.value, Scalar) and mode.value.text in ("host", "bridge"):
            what = f"network_mode: {mode.value.text} leads outside"
            mend = "take it out: the service is then on the lab's own network"
            found.add("outside-open", (*path, "network_mode"), mode.value.place, what=what, mend=mend)
        if "ports" in keys:
            mend = "take them out; `labctl http get` asks from another node (--from)"
            what = "ports are published in vain"
            found.add("outside-open", (*path, "ports"), keys["ports"].key.place, what=what, mend=mend)
    for network in plan.networks.values():
        if network.external:
            at: Path = ("networks", network.key)
            mend = "the lab is as open as that network is"
            found.add("outside-open", at, source.place(at, key=True), what="this network is external", mend=mend)


def _texts(extension: Mapping[str, Any], key: str, path: Path) -> Iterator[tuple[str, Path]]:
    """The texts of a list, or the one that stands there alone; those with a variable are Compose's to read."""
    value = extension.get(key)
    for at, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
        if isinstance(item, str) and "$" not in item:
            yield item, (*path, key) if at is None else (*path, key, at)


def _route(source: Source, plan: Plan, service: Service, written: str, path: Path, found: Problems) -> None:
    place = source.place(path)
    try:
        route = parse_route(written)
    except Malformed as problem:
        found.add("bad-route", path, place, why=problem, mend=problem.hint)
        return
    via = plan.services.get(route.via)
    if route.via == service.name:
        found.add("route-via-self", path, place, via=route.via)
    elif via is None:
        if not _may_be_elsewhere(source, plan):
            name = shorten(route.via)
            found.add("route-via-unknown", path, place, via=name, near=found.near(name, plan.services))
    elif _strangers(service, via):
        values = {"theirs": _shown(via), "own": _shown(service)}
        found.add("route-via-stranger", path, place, via=via.name, node=service.name, **values)


def _ends_are_fine(source: Source, plan: Plan, link: Condition, path: Path, found: Problems) -> bool:
    place = source.place(path)
    unknown = [name for name in (link.a, link.b) if name not in plan.services]
    for name in unknown:
        if not _may_be_elsewhere(source, plan):
            shown = shorten(name)
            found.add("link-unknown-node", path, place, name=shown, near=found.near(shown, plan.services))
    if unknown:
        return False
    if link.a == link.b:
        found.add("link-to-self", path, place, name=link.a)
        return False
    a, b = plan.host(plan.services[link.a]), plan.host(plan.services[link.b])
    if a.name == b.name:
        found.add("link-in-one-host", path, place, a=link.a, b=link.b)
        return False
    if _strangers(a, b):
        found.add("link-without-network", path, place, a=a.name, b=b.name, theirs=_shown(a), own=_shown(b))
    return True


def _may_be_elsewhere(source: Source, plan: Plan) -> bool:
    """Where Compose gave no answer, a node can still come out of an included file."""
    return not plan.complete and "include" in source.root.entries


def _strangers(one: Service, other: Service) -> bool:
    if one.networks is None or other.networks is None:
        return False
    return not {here.network for here in one.networks} & {there.network for there in other.networks}


def _shown(service: Service) -> str:
    return ", ".join(one.network for one in service.networks or ()) or "none"
