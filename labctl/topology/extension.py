"""What stands under x-labctl: all that Compose has no word for. Text to frozen data; no I/O.

x-labctl:                                    at the top level
  title: Two subnets
  description: One router between two networks.
  links: ["alice:bob delay 40ms drop 1%"]    standing conditions; `-` both ways, `:` one way
  outside: false                             no way from the lab's networks to others, nor from others to them
services:
  alice:
    x-labctl:
      routes: ["default via router", "10.2.0.0/24 via router"]
      movable_ports: true                    another port of this machine will do where one is taken
networks:
  lab:
    x-labctl: {movable: true}                another subnet of the same size will do where it is taken
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.errors import brief
from labctl.faults.measures import Malformed
from labctl.named import NamedTuple

# What links are made of is imported where there is one: most labs have none with conditions.
if TYPE_CHECKING:
    from labctl.faults.conditions import Conditions
    from labctl.faults.link import LinkName

_SCHEMA = Path(__file__).with_name("schema.json")
TOP_KEYS = ("title", "description", "links", "outside")
SERVICE_KEYS = ("routes", "movable_ports")
NETWORK_KEYS = ("movable", "ipv4", "one_machine")

_ROUTE = r"(?P<to>\S+)\s+via\s+(?P<via>\S+)"


class Route(NamedTuple):
    """`destination` is None for the default route; `via` names a node that shares a network with this one."""

    destination: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    via: str

    def __str__(self) -> str:
        return f"{self.destination or 'default'} via {self.via}"


class Condition(NamedTuple):
    """What always holds on a link; `text` as the file has it."""

    a: str
    b: str
    both: bool
    conditions: Conditions
    text: str = ""

    @property
    def link(self) -> LinkName:
        from labctl.faults.link import LinkName

        return LinkName(self.a, self.b, self.both)


def schema() -> str:
    """All of this as JSON Schema, for editors; the conditions in it are those of labctl.faults."""
    from labctl.faults.conditions import pattern

    return _SCHEMA.read_text(encoding="utf-8").replace("CONDITION", json.dumps(pattern())[1:-1])


def parse_route(text: object) -> Route:
    """`default via NODE` or `SUBNET via NODE`. Raises Malformed."""
    hint = "write `default via NODE` or `10.2.0.0/24 via NODE`"
    found = re.fullmatch(_ROUTE, text.strip()) if isinstance(text, str) else None
    if not found:
        raise Malformed(f"{brief(str(text))!r} is no route", hint)
    if found["to"] == "default":
        return Route(None, found["via"])
    try:
        return Route(ipaddress.ip_network(found["to"]), found["via"])
    except ValueError as problem:
        raise Malformed(f"{brief(found['to'])} is no subnet: {brief(str(problem))}", hint) from None


def parse_link(text: object, nodes: Collection[str]) -> Condition:
    """`A:B CONDITION VALUE ...`, or `A-B ...` for both ways, between two of `nodes`. Raises Malformed."""
    from labctl.faults import link as links
    from labctl.faults.conditions import parse_words

    hint = "write `alice:bob delay 40ms drop 1%`, or `alice-bob ...` for both ways"
    if not isinstance(text, str) or not text.strip():
        raise Malformed(f"{brief(str(text))!r} is no link", hint)
    head, _, rest = text.strip().partition(" ")
    link = links.parse(head, nodes, hint)
    found = parse_words(rest, head)
    return Condition(link.a, link.b, link.both, found, text=rest.strip())
