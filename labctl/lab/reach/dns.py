"""A question to a node's name server, as the node's own resolver would ask it, and what came back."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.lab.model import Lab, Node
from labctl.lab.reach.probe import look, owner, target
from labctl.packets.protocols.application.dns import NO_SUCH_NAME, NUMBERS, Entry, Malformed, Message, decode

TYPES = tuple(sorted(NUMBERS.keys() - {"OPT", "TSIG", "TKEY", "AXFR", "IXFR"}))  # these are no questions
USUAL = ("A", "AAAA")


@dataclass(frozen=True)
class Reply:
    """What came of one question: a message of `server`, or none and for each server that was asked why (`reasons`)."""

    name: str
    type: str
    server: str | None = None
    transport: str = "udp"
    rtt_ns: int | None = None
    message: Message | None = None
    reasons: tuple[tuple[str, str], ...] = ()

    def as_json(self, lab: Lab) -> dict[str, Any]:
        head: dict[str, Any] = {"name": self.name, "type": self.type}
        if not self.message:
            return head | {"server": self.server, "rcode": None, "why": dict(self.reasons), "answers": []}
        head |= {"server": self.server, "transport": self.transport, "rtt_ns": self.rtt_ns}
        head |= {"rcode": self.message.mnemonic, "why": self.message.words or None}
        keys = ("name", "type", "ttl", "value")
        answers = [
            {key: getattr(item, key) for key in keys} | {"owner": belongs_to(lab, item)}
            for item in self.message.answers
        ]
        return head | {"authoritative": self.message.authoritative, "answers": answers}


@dataclass(frozen=True)
class Lookup:
    """All that a node's resolver can say of a name. `hosts` are the lines of its /etc/hosts, which come before DNS."""

    node: str
    name: str
    servers: tuple[str, ...]
    search: tuple[str, ...]
    hosts: tuple[tuple[str, tuple[str, ...]], ...]
    replies: tuple[Reply, ...]

    def as_json(self, lab: Lab) -> dict[str, Any]:
        return {
            "lab": lab.name,
            "node": self.node,
            "name": self.name,
            "servers": list(self.servers),
            "search": list(self.search),
            "hosts": [{"address": at, "names": list(names), "owner": owner(lab, at)} for at, names in self.hosts],
            "questions": [reply.as_json(lab) for reply in self.replies],
        }


def ask(
    engine: Engine,
    lab: Lab,
    node_name: str,
    name: str,
    *,
    types: Sequence[str] = (),
    server: str | None = None,
    timeout: float = 5.0,
) -> Lookup:
    """Asks for records of some types (A and AAAA; PTR of an address), `timeout` in seconds for each.

    Raises LabError: those of `look`, and `bad-option`.
    """
    node = lab.networked(node_name, "it can't ask")
    asked, wanted = _question(name, types)
    if server is not None:
        server = _server(lab, node, server)
    numbers = [NUMBERS[kind] for kind in wanted]
    order = {"do": "dns", "name": asked, "host": name, "types": numbers, "server": server, "timeout": timeout}
    resolver: dict[str, Any] = {}
    replies = []
    for event in look(engine, lab, node, order, timeout * len(numbers) + 5):
        if event["event"] == "resolver":
            resolver = event
        else:
            replies.append(_reply(event, dict(zip(numbers, wanted, strict=True))))
    hosts = tuple((line["address"], tuple(line["names"])) for line in resolver["hosts"])
    return Lookup(node.name, name, tuple(resolver["servers"]), tuple(resolver["search"]), hosts, tuple(replies))


def belongs_to(lab: Lab, record: Entry) -> str | None:
    """The node that a record leads to: by its address, or by its container's name, which Docker has in its PTRs."""
    if record.type in ("A", "AAAA"):
        return owner(lab, record.value)
    host = record.value.partition(".")[0]
    return next((node.name for node in lab.nodes if record.type == "PTR" and node.container.name == host), None)


def _question(name: str, types: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The name to ask for, and the types: an address is asked for by its name in in-addr.arpa or ip6.arpa."""
    if not name:
        raise LabError("bad-option", option="NAME", why="it is empty")
    wanted = tuple(dict.fromkeys(kind.upper() for kind in types))
    for kind in wanted:
        if kind not in TYPES:
            raise LabError("bad-option", option="--type", why=f"{kind} is none of {', '.join(TYPES)}")
    try:
        return ipaddress.ip_address(name).reverse_pointer + ".", wanted or ("PTR",)
    except ValueError:
        return name, wanted or USUAL


def _server(lab: Lab, node: Node, given: str) -> str:
    """A name server's address; a node's name stands for one that the asking node shares a network with, if any."""
    if given and (found := target(lab, node, given, None).address):
        return found
    raise LabError("bad-option", option="--server", why=f"{given} is neither an address nor a node")


def _reply(event: dict[str, Any], names: dict[int, str]) -> Reply:
    kind = names[event["type"]]
    if event["event"] == "silent":
        return Reply(event["name"], kind, reasons=tuple(event["reasons"].items()))
    server, data = event["server"], base64.b64decode(event["data"])
    try:
        message = decode(data)
    except Malformed as problem:
        return Reply(event["name"], kind, server, reasons=((server, f"its answer can't be read: {problem}"),))
    return Reply(event["name"], kind, server, event["transport"], event["rtt_ns"], message)


def check(lab: Lab, looked: Lookup) -> None:
    """Raises LabError where neither /etc/hosts nor any answer holds a record, with all that was seen."""
    if looked.hosts or any(reply.message and reply.message.answers for reply in looked.replies):
        return
    seen = looked.as_json(lab)
    messages = [(reply, reply.message) for reply in looked.replies if reply.message]
    if not messages:
        said = dict(pair for reply in looked.replies for pair in reply.reasons)
        why = "; ".join(f"{server}: {reason}" for server, reason in said.items())
        raise LabError("dns-silent", node=looked.node, name=looked.name, why=why, seen=seen)
    if any(message.rcode == NO_SUCH_NAME for _, message in messages):
        from labctl.errors import nearest

        near = nearest(looked.name, (node.name for node in lab.nodes))
        raise LabError("no-such-name", name=looked.name, server=messages[0][0].server, near=near, seen=seen)
    failed = next(((reply, message) for reply, message in messages if message.rcode), None)
    if failed:
        why = f"{failed[1].words} ({failed[1].mnemonic})"
        raise LabError("dns-failed", name=looked.name, server=failed[0].server, why=why, seen=seen)
    kinds = " or ".join(reply.type for reply in looked.replies)
    raise LabError("no-records", name=looked.name, kinds=kinds, seen=seen)
