"""Types at a chat node, and sees the line arrive at its partner."""

from __future__ import annotations

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.events.model import Event
from labctl.lab.delivery import Delivery, seconds_between
from labctl.lab.keyboard import Typed
from labctl.lab.model import Lab, Node, need_role

LIMIT = 64 * 1024  # bytes of one message, its newline not counted (docs/node-contract.md)


def send(engine: Engine, lab: Lab, name: str, text: str, *, timeout: float = 5.0) -> Delivery:
    """Says `text` at a chat node and waits until its partner's journal shows it.

    The two are matched by the connection (both addresses) and the position in its byte stream, which the events of
    both ends hold. Raises LabError.
    """
    node = lab.node(name)
    need_role(lab, node, "chat", "chat send")
    node = lab.running(name, "nothing can be typed at it")
    size = len(text.encode())
    if size > LIMIT:
        raise LabError("text-too-long", size=size, what="a chat message", limit=LIMIT)
    partners = [other for other in lab.neighbours(node) if other.role == "chat"]
    with Typed(engine, lab, node, text, others=partners, timeout=timeout) as typed:
        return _follow(lab, node, text, typed)


def _follow(lab: Lab, node: Node, text: str, typed: Typed) -> Delivery:
    sent: Event | None = None
    waits: str | None = None
    arrived: list[Event] = []  # a partner's journal may reach us before the sender's
    for event in typed.events():
        if event.node == node.name and event.id == typed.id:
            if event.name == "send":
                sent = event
                _check_partner(lab, node, sent)
            elif event.name == "queued":
                waits = str(event.get("reason") or "it waits for one")
        elif event.name == "message":
            arrived.append(event)
        if sent:
            for message in arrived:
                if message.crosses_to(sent) and message.get("offset") == sent.get("offset"):
                    return _delivery(node, text, sent, message, typed)
    if sent:
        why = f"nothing showed it at {sent.peer and sent.peer[0]} within {typed.timeout:g} s"
        raise LabError("not-confirmed", why=why, mend="`labctl logs` shows what both ends saw")
    raise LabError("no-partner", node=node.name, reason=waits or "it said nothing", seconds=typed.timeout)


def _check_partner(lab: Lab, node: Node, sent: Event) -> None:
    """Delivery can be seen only in the journal of a chat node of this lab."""
    assert sent.peer
    owner = lab.partner(sent.peer[0], "chat")
    if owner is None or owner.role != "chat":
        who = f"{owner.name} ({sent.peer[0]})" if owner else sent.peer[0]
        why = f"{node.name} talks to {who}, which is no chat node of this lab"
        raise LabError("not-confirmed", why=why, mend=f"`labctl logs {node.name}` shows what was sent")


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
        offset=int(sent.get("offset")),
    )
