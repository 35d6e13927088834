"""The sockets of nodes, as their kernels have them: the table, and each change of state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.events.model import Address, Event
from labctl.lab.model import TOGETHER, Lab, Node
from labctl.lab.processes import programs

PROGRAM = ("python3", "/opt/probe/sockets.py")
MISSED = "missed"  # an event: changes of state that could not be told, with a `reason`


@dataclass(frozen=True)
class Socket:
    """`receive_queue` and `send_queue` are bytes; of a listening socket the connections that wait for accept(2), and
    how many may. `program` is None where none holds it: TIME-WAIT, SYN-RECV, or closed with data still to send."""

    node: str
    proto: str
    state: str
    local: Address
    peer: Address | None
    receive_queue: int
    send_queue: int
    program: str | None = None
    pid: int | None = None
    uid: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As `labctl sockets --json` has it."""
        ends = {"local": list(self.local), "peer": list(self.peer) if self.peer else None}
        return {
            "node": self.node,
            "proto": self.proto,
            "state": self.state,
            **ends,
            "receive_queue": self.receive_queue,
            "send_queue": self.send_queue,
            "program": self.program,
            "pid": self.pid,
            "uid": self.uid,
        }


def place(lab: Lab, names: Sequence[str] = ()) -> list[Node]:
    """The named nodes, each once, without any all whose sockets can be looked at. Raises LabError."""
    if names:
        named = [lab.networked(name, "it has no sockets") for name in dict.fromkeys(names)]
        # Under the names of all its nodes, a host stands for each of them.
        every = [one for node in named for one in (lab.members(node) if TOGETHER in node.name else [node])]
        return list({node.name: node for node in every}.values())
    found = [node for node in lab.nodes if node.has_network]
    if not found:
        raise LabError("none-running", lab=lab.name)
    return found


def table(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> list[Socket]:
    """All sockets of some running nodes: node by node, listening ones first, then by address."""
    there = programs.ensure(engine, lab, nodes)
    found = [_socket(event) for event in programs.run(engine, there, (*PROGRAM, "table")) if event.name == "socket"]
    order = {node.name: place for place, node in enumerate(nodes)}
    return sorted(found, key=lambda item: (order[item.node], _rank(item), item.proto, item.local, item.peer or ("", 0)))


def watch(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> Iterator[Event]:
    """Each change of state at some running nodes from now on, as `socket-state` events; ends with the last node.

    The first event of each node is `watching`: what happens after it is told, or there is a `missed` event.
    """
    there = programs.ensure(engine, lab, nodes)
    yield from programs.follow(engine, there, (*PROGRAM, "watch"))


def _rank(item: Socket) -> int:
    return 0 if item.state == "LISTEN" else 1 if item.peer is None else 2


def _socket(event: Event) -> Socket:
    assert event.local is not None
    return Socket(
        event.node,
        str(event.get("proto")),
        str(event.get("state")),
        event.local,
        event.peer,
        int(event.get("receive_queue")),
        int(event.get("send_queue")),
        event.get("program"),
        event.get("pid"),
        event.get("uid"),
    )
