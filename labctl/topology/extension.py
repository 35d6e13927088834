"""What stands under x-labctl: all that Compose has no word for. Text to frozen data; no I/O.

x-labctl:                                    at the top level
  title: Two subnets
  description: One router between two networks.
  links: ["alice:bob delay 40ms loss 1%"]    standing conditions; `-` both ways, `:` one way
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
import re
from dataclasses import dataclass
from pathlib import Path

SCHEMA = Path(__file__).with_name("schema.json")  # the same in JSON Schema, for editors
TOP_KEYS = ("title", "description", "links")
SERVICE_KEYS = ("routes", "movable_ports")
NETWORK_KEYS = ("movable", "ipv4")

_ROUTE = re.compile(r"(?P<to>\S+)\s+via\s+(?P<via>\S+)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
CONDITIONS = ("delay", "jitter", "loss", "duplicate", "reorder", "corrupt", "rate")


class Malformed(ValueError):
    """What is wrong with one text, as a sentence; `hint` says how it is written right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Route:
    """`destination` is None for the default route; `via` names a node that shares a network with this one."""

    destination: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    via: str

    def __str__(self) -> str:
        return f"{self.destination or 'default'} via {self.via}"


@dataclass(frozen=True)
class Condition:
    """What always holds on a link. Delay and jitter in seconds, shares from 0 to 1, rate in bits a second; 0: none."""

    a: str
    b: str
    both: bool
    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    rate: float = 0.0
    text: str = ""

    @property
    def link(self) -> str:
        return f"{self.a}{'-' if self.both else ':'}{self.b}"


def parse_route(text: object) -> Route:
    """`default via NODE` or `SUBNET via NODE`. Raises Malformed."""
    hint = "write `default via NODE` or `10.2.0.0/24 via NODE`"
    found = _ROUTE.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise Malformed(f"{text!r} is no route", hint)
    if found["to"] == "default":
        return Route(None, found["via"])
    try:
        return Route(ipaddress.ip_network(found["to"]), found["via"])
    except ValueError as problem:
        raise Malformed(f"{found['to']} is no subnet: {problem}", hint) from None


def parse_link(text: object, nodes: list[str]) -> Condition:
    """`A:B CONDITION VALUE ...`, or `A-B ...` for both ways, between two of `nodes`. Raises Malformed."""
    hint = "write `alice:bob delay 40ms loss 1%`, or `alice-bob ...` for both ways"
    if not isinstance(text, str) or not text.strip():
        raise Malformed(f"{text!r} is no link", hint)
    head, _, rest = text.strip().partition(" ")
    a, b, both = _split(head, nodes, hint)
    values: dict[str, float] = {}
    words = rest.split()
    if len(words) % 2:
        raise Malformed(f"{text!r}: each condition is a word and a value", hint)
    for word, value in zip(words[::2], words[1::2], strict=True):
        if word not in CONDITIONS:
            raise Malformed(f"{word!r} is no condition of a link", f"there are {', '.join(CONDITIONS)}")
        if word in values:
            raise Malformed(f"{word} is given twice for {head}", "give each condition once")
        values[word] = _value(word, value)
    return Condition(a, b, both, text=rest, **values)


def _split(head: str, nodes: list[str], hint: str) -> tuple[str, str, bool]:
    if ":" in head:
        a, _, b = head.partition(":")
        return a, b, False
    # A node's name may hold dashes itself: take the cut at which both sides are nodes, if there is one.
    cuts = [(head[:at], head[at + 1 :]) for at, character in enumerate(head) if character == "-"]
    known = [cut for cut in cuts if cut[0] in nodes and cut[1] in nodes]
    if known or (cuts and cuts[0][0] and cuts[0][1]):
        a, b = (known or cuts)[0]
        return a, b, True
    raise Malformed(f"{head!r} is no link", hint)


def _value(word: str, text: str) -> float:
    if word in ("delay", "jitter"):
        return _measure(word, text, _SECONDS, "a time such as 40ms")
    if word == "rate":
        found = _measure(word, text, _RATES, "a rate such as 1mbit")
        if not found:
            raise Malformed("rate 0 lets nothing through", "give a rate such as 1mbit")
        return found
    number = text.removesuffix("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not text.endswith("%") or not 0 <= share <= 1:
        raise Malformed(f"{word} {text} is no share", "give a share from 0% to 100%")
    return share


def _measure(word: str, text: str, units: dict[str, float], wanted: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]+)", text)
    if not found or found[2] not in units:
        raise Malformed(f"{word} {text} is not {wanted}", f"give {wanted} ({', '.join(units)})")
    return float(found[1]) * units[found[2]]
