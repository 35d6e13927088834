"""Types at a chat node, and sees the line arrive at its partner."""

from __future__ import annotations

import time
from collections.abc import Collection

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.events.codec import decode
from labctl.events.model import Event
from labctl.lab.keyboard.delivery import Delivery, seconds_between
from labctl.lab.keyboard.typed import Typed
from labctl.lab.model import Lab, Node, plain
from labctl.lab.roles import need_role
from labctl.lab.roles.role import Role, no_choice

LIMIT = 64 * 1024  # bytes of one message, its newline not counted (docs/node-contract.md)
STOPPED = ("created", "exited", "dead", "restarting")
TAIL = 200  # lines of a stopped node's journal in which its address is looked for
READ_LIMIT = 10.0  # seconds


def send(engine: Engine, lab: Lab, name: str, text: str, *, timeout: float = 5.0) -> Delivery:
    """Says `text` at a chat node and waits until its partner's journal shows it.

    The two are matched by the connection (both addresses) and the position in its byte stream, which the events of
    both ends hold. Raises LabError.
    """
    node = lab.node(name)
    need_role(lab, node, CHAT.word, "chat send")
    node = lab.running(name, "nothing can be typed at it")
    size = len(text.encode())
    if size > LIMIT:
        raise LabError("text-too-long", size=size, what="a chat message", limit=LIMIT)
    # Each node of a host has a journal of its own.
    hosts = [lab.members(host) for host in lab.neighbours(node)]
    partners = [other for host in hosts for other in host if other.role == CHAT.word and other.is_running]
    with Typed(engine, lab, node, text, others=partners, timeout=timeout) as typed:
        return _follow(engine, lab, node, text, typed)


def _follow(engine: Engine, lab: Lab, node: Node, text: str, typed: Typed) -> Delivery:
    sent: Event | None = None
    waits: str | None = None
    arrived: list[Event] = []  # a partner's journal may reach us before the sender's

    def check() -> None:
        if sent:
            _check_partner(engine, lab, node, sent, typed.ended)

    for event in typed.events(on_end=check):
        if event.node == node.name and event.id == typed.id:
            if event.name == "send":
                sent = event
                if not any(_is_arrival(sent, message) for message in arrived):
                    check()
            elif event.name == "queued":
                waits = str(event.get("reason") or "it waits for one")
                sent = None  # the partner it went to did not get it
        elif event.name == "message":
            arrived.append(event)
        if sent:
            for message in arrived:
                if _is_arrival(sent, message):
                    return _delivery(node, text, sent, message, typed)
    if sent:
        why = f"nothing showed it at {sent.peer and sent.peer[0]} within {typed.timeout:g} s"
        raise LabError("not-confirmed", why=why, mend="`labctl logs` shows what both ends saw")
    raise LabError("no-partner", node=node.name, reason=waits or "it said nothing", seconds=typed.timeout)


def _is_arrival(sent: Event, message: Event) -> bool:
    return message.crosses_to(sent) and message.get("offset") == sent.get("offset")


def _check_partner(engine: Engine, lab: Lab, node: Node, sent: Event, ended: Collection[str]) -> None:
    """Delivery can be seen only in the journal of a chat node of this lab, and while that runs."""
    assert sent.peer
    address = sent.peer[0]
    owner = lab.partner(address, CHAT.word) or _had(engine, lab, address)
    if owner and owner.role == CHAT.word and (owner.name in ended or owner.container.state in STOPPED):
        why = f"{node.name}'s partner {owner.name} ({address}) has stopped, and its journal does not show it"
        mend = f"`labctl start {owner.name}` where it is to go on; `labctl logs {node.name}` shows what was sent"
        raise LabError("not-confirmed", why=why, mend=mend, about=owner.name)
    if owner is None or owner.role != CHAT.word:
        who = f"{owner.name} ({address})" if owner else address
        why = f"{node.name} talks to {who}, which is no chat node of this lab"
        raise LabError("not-confirmed", why=why, mend=f"`labctl logs {node.name}` shows what was sent")


def _had(engine: Engine, lab: Lab, address: str) -> Node | None:
    """The stopped chat node whose address it was. The engine has taken it back; the node's journal still tells."""
    for node in lab.nodes:
        if node.role == "chat" and node.container.state in STOPPED and _bound(engine, node, address):
            return node
    return None


def _bound(engine: Engine, node: Node, address: str) -> bool:
    """Whether the last of a node's events that have an address of its own have this one."""
    stream = engine.logs(node.container.id, tail=TAIL)
    try:
        happenings = engine.wait([stream], time.monotonic() + READ_LIMIT)
        events = [decode(found.line.text, node=node.name) for found in happenings if found.line]
    finally:
        stream.close()
    return any(event.local and plain(event.local[0]) == plain(address) for event in events)


def _delivery(node: Node, text: str, sent: Event, message: Event, typed: Typed) -> Delivery:
    assert sent.local
    assert sent.peer
    return Delivery(
        sender=node.name,
        receiver=message.node,
        text=text,
        local=sent.local,
        peer=sent.peer,
        bytes=int(sent.get("bytes")),
        seconds=seconds_between(sent, message),
        id=typed.id,
        at=sent.ts,
        offset=int(sent.get("offset")),
    )


def _sends(engine: Engine, lab: Lab, name: str, text: str, *, to: str | None, timeout: float) -> Delivery:
    if to is not None:
        raise no_choice(CHAT, name)
    return send(engine, lab, name, text, timeout=timeout)


CHAT = Role(
    "chat",
    "a chat node",
    commands=("chat send", "chat log"),
    events={"message": "<-", "queued": "", "session": "", "refuse": "", "retry": "->"},
    outcomes=("queued",),
    sends=_sends,
)
ROLES = (CHAT,)
