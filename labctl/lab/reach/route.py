"""The way from a node to an address: its routing table's word, and each hop by what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError, Unresolved
from labctl.lab.model import Lab
from labctl.lab.reach.ping import icmp_words
from labctl.lab.reach.probe import Target, look, owner, target, with_nearest

HOPS = 16  # at most


@dataclass(frozen=True)
class Entry:
    """One route of a node's table (ip-route(8)). `via` None: the network itself is there; `family` 4 or 6."""

    family: int
    destination: str
    via: str | None
    owner: str | None
    device: str
    source: str | None
    kind: str = "unicast"

    def as_json(self) -> dict[str, Any]:
        keys = ("family", "destination", "via", "owner", "device", "source", "kind")
        return {key: getattr(self, key) for key in keys}


@dataclass(frozen=True)
class Chosen:
    """Whom the way leads to, and the route that the node's table has for it."""

    node: str
    target: Target
    entry: Entry

    def as_json(self) -> dict[str, Any]:
        whom = self.target
        head = {"node": self.node, "target": whom.name, "address": whom.address, "owner": whom.owner}
        return head | {"route": self.entry.as_json()}


@dataclass(frozen=True)
class Hop:
    """What answered to a packet whose TTL ended after `number` hops; `source` is None where nothing came. `why` is an
    ICMP error other than that the TTL was used up."""

    number: int
    source: str | None = None
    owner: str | None = None
    rtt_ns: int | None = None
    reached: bool = False
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        found = {"hop": self.number, "from": self.source, "owner": self.owner, "rtt_ns": self.rtt_ns}
        return found | {"reached": self.reached} | ({"why": self.why} if self.why else {})


def table(engine: Engine, lab: Lab, name: str) -> list[Entry]:
    """All routes of a node, IPv4 first. Raises LabError."""
    node = lab.networked(name, "its network is gone with it")
    order = {"do": "route", "name": "", "address": None}
    found = look(engine, lab, node, order, limit=5)
    return [_entry(lab, event["family"], route) for event in found for route in event["routes"]]


def path(
    engine: Engine,
    lab: Lab,
    name: str,
    to: str,
    *,
    timeout: float = 1.0,
    hops: int = HOPS,
    family: int | None = None,
) -> Iterator[Chosen | Hop]:
    """First the route, then each hop as it answers; `timeout` in seconds for each. Raises LabError: those of `look`."""
    node = lab.networked(name, "nothing can go out from it")
    whom = target(lab, node, to, family)
    order = {"do": "route", "name": to, "address": whom.address, "family": family, "hops": hops, "timeout": timeout}
    try:
        for event in look(engine, lab, node, order, hops * timeout):
            if event["event"] == "target":
                whom = whom.at(lab, event["address"])
            elif event["event"] == "route":
                entry = _entry(lab, 6 if ":" in str(whom.address) else 4, event)
                yield Chosen(node.name, whom, entry)
            else:
                yield _hop(lab, event)
    except Unresolved as problem:
        raise with_nearest(lab, problem) from None


def _entry(lab: Lab, family: int, route: dict[str, Any]) -> Entry:
    via = route.get("gateway") or (route.get("via") or {}).get("host")
    return Entry(
        family,
        route.get("dst", "default"),
        via,
        owner(lab, via),
        route.get("dev", "-"),
        route.get("prefsrc"),
        route.get("type", "unicast"),
    )


def _hop(lab: Lab, event: dict[str, Any]) -> Hop:
    source = event.get("from")
    why = ""
    if "type" in event:
        six = ":" in source if source else False
        if (event["type"], event["code"]) != ((3, 0) if six else (11, 0)):  # the hops used up: what was asked for
            why = icmp_words(event["type"], event["code"], source)
    return Hop(event["hop"], source, owner(lab, source), event.get("rtt_ns"), event.get("reached", False), why)


def document(lab: Lab, chosen: Chosen, hops: Sequence[Hop]) -> dict[str, Any]:
    return {"lab": lab.name, **chosen.as_json(), "hops": [hop.as_json() for hop in hops]}


def check(lab: Lab, chosen: Chosen, hops: Sequence[Hop], timeout: float) -> None:
    """Raises LabError `unreachable` or `no-answer`, with all that was seen, where the way ends before its target."""
    last = hops[-1] if hops else None
    if last and last.reached:
        return
    seen, shown = document(lab, chosen, hops), chosen.target.shown
    if last and last.why:
        whom = f"{last.owner} ({last.source})" if last.owner else last.source
        raise LabError("unreachable", node=chosen.node, target=shown, why=f"{whom} says: {last.why}", seen=seen)
    mend = "a hop without an answer may still pass packets on; `labctl fault ls` shows the rules on links"
    raise LabError("no-answer", peer=shown, seconds=timeout, mend=mend, seen=seen)
