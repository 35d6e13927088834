"""One datagram from a node to any host and port, and what comes back.

A UDP peer with a keyboard sends it itself, from its own port, and its journal shows it. From any other node a helper
sends it, in the node's network namespace and from a port that the kernel chooses.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine, place
from labctl.errors import LabError, Unresolved
from labctl.events.model import Address, Event
from labctl.lab.keyboard.delivery import seconds_between
from labctl.lab.keyboard.typed import Typed
from labctl.lab.model import Lab, Node, plain
from labctl.lab.reach.probe import kernel_words, look, target, with_nearest
from labctl.lab.roles.udp import LIMIT, UDP, unsent


@dataclass(frozen=True)
class Datagram:
    """A datagram that was sent; `answer` is the first that came back from there, within `seconds` (else: in which
    nothing did)."""

    sender: str
    target: str
    text: str
    local: Address
    peer: Address
    bytes: int
    seconds: float
    answer: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As `labctl udp send --json` has it."""
        out: dict[str, Any] = {
            "from": self.sender,
            "to": self.target,
            "text": self.text,
            "local": list(self.local),
            "peer": list(self.peer),
            "bytes": self.bytes,
            "answer": self.answer,
        }
        if self.answer is not None:
            out["answered_ms"] = round(self.seconds * 1000, 3)
        return out


def host_and_port(text: str, option: str) -> tuple[str, int]:
    """`HOST:PORT`, with an IPv6 address in brackets, as nodes read it (labnode.names.split); brackets around a name are
    left out, too.

    Raises LabError `bad-option`.
    """
    host, colon, port = text.rpartition(":")
    inner = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    wrong = ""
    if not colon or not inner:
        wrong = "write HOST:PORT"
    elif not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        wrong = f"{port!r} is no port (1 to 65535)"
    elif ":" in inner and inner == host:
        wrong = f"an IPv6 address stands in brackets: [{host}]:{port}"
    if wrong:
        raise LabError("bad-option", option=option, why=f"{text!r}: {wrong}")
    return inner, int(port)


def needs_probe(engine: Engine, node: Node) -> bool:
    """Whether a helper has to send for a node: none of its own programs can be told to."""
    return node.role != UDP.word or not engine.details(node.container.id).stdin_open


def send(engine: Engine, lab: Lab, name: str, to: str, text: str, *, timeout: float = 2.0) -> Datagram:
    """Sends `text` and waits for an answer, which need not come. Raises LabError."""
    node = lab.node(name)
    host, port = host_and_port(to, "TO")
    if len(text.encode()) > LIMIT:
        raise LabError("text-too-long", size=len(text.encode()), what="a UDP datagram", limit=LIMIT)
    if not needs_probe(engine, node):
        return _typed(engine, lab, lab.running(name, "it can't send"), host, port, text, timeout)
    return _from_its_place(engine, lab, lab.networked(name, "it can't send"), host, port, text, timeout)


def _typed(engine: Engine, lab: Lab, node: Node, host: str, port: int, text: str, timeout: float) -> Datagram:
    address = target(lab, node, host, None).address or host
    written = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    sent: Event | None = None
    with Typed(engine, lab, node, text, to=written, timeout=timeout, keep_lock=True) as typed:
        for event in typed.events():
            if event.name == "send" and event.id == typed.id:
                sent = event
            elif event.name == "recv" and sent and _is_from(event, sent):
                return _exchange(node, host, port, text, sent, seconds_between(sent, event), payload(event))
    if sent is None:
        raise unsent(node.name, timeout)
    return _exchange(node, host, port, text, sent, timeout, None)


def _is_from(event: Event, sent: Event) -> bool:
    ends = (event.peer, sent.peer)
    return all(ends) and (plain(event.peer[0]), event.peer[1]) == (plain(sent.peer[0]), sent.peer[1])  # type: ignore[index]


def payload(event: Event) -> str:
    """A datagram's bytes as text; what is no text is in escapes."""
    if event.get("text") is not None:
        return str(event.get("text"))
    return base64.b64decode(str(event.get("data") or "")).decode(errors="backslashreplace")


def _exchange(node: Node, host: str, port: int, text: str, sent: Event, seconds: float, answer: str | None) -> Datagram:
    assert sent.local
    assert sent.peer
    return Datagram(node.name, place(host, port), text, sent.local, sent.peer, int(sent.get("bytes")), seconds, answer)


def _from_its_place(engine: Engine, lab: Lab, node: Node, host: str, port: int, text: str, timeout: float) -> Datagram:
    whom = target(lab, node, host, None)
    order: dict[str, Any] = {"do": "datagram", "name": host, "address": whom.address, "family": None, "port": port}
    order |= {"data": base64.b64encode(text.encode()).decode(), "timeout": timeout}
    sent: dict[str, Any] = {}
    answer, seconds = None, timeout
    try:
        for event in look(engine, lab, node, order, timeout):
            if event["event"] == "sent":
                sent = event
            elif event["event"] == "error":
                why = kernel_words(node.name, event["error"], event["reason"])
                if event["error"] == "ECONNREFUSED":
                    why = "nothing listens at that port: its host says port unreachable (ICMP)"
                raise LabError("unreachable", node=node.name, target=f"{whom.shown} port {port}", why=why)
            elif event["event"] == "answer":
                answer = base64.b64decode(event["data"]).decode(errors="backslashreplace")
                seconds = event["rtt_ns"] / 1e9
    except Unresolved as problem:
        raise with_nearest(lab, problem) from None
    local, peer = tuple(sent["local"]), tuple(sent["peer"])
    return Datagram(node.name, place(host, port), text, local, peer, sent["bytes"], seconds, answer)
