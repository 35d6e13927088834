"""Types at an echo client, and waits for the answer of whoever it talks to."""

from __future__ import annotations

from labctl.engine.model import Engine, place
from labctl.errors import LabError
from labctl.events.model import Event
from labctl.lab.keyboard.delivery import Delivery
from labctl.lab.keyboard.typed import Typed
from labctl.lab.model import Lab
from labctl.lab.roles import need_role
from labctl.lab.roles.role import Role

COMMANDS = ("exit",)


def send(
    engine: Engine, lab: Lab, name: str, text: str, *, to: str | None = None, timeout: float = 5.0
) -> Delivery | None:
    """Sends `text` from an echo client and gives the line that came back; None for `exit`, which only closes.

    Raises LabError: `node-refused` where no connection came about, `no-answer` where no whole line came back.
    """
    node = lab.node(name)
    need_role(lab, node, "echo-client", "echo send")
    node = lab.running(name, "nothing can be typed at it")
    sent: Event | None = None
    with Typed(engine, lab, node, text, to=to, timeout=timeout) as typed:
        if text in COMMANDS or text.startswith("connect "):
            return None
        for event in typed.events():
            if event.node != node.name or event.id != typed.id:
                continue
            if event.name == "send":
                sent = event
            elif event.name == "answer" and sent and sent.local and sent.peer:
                owner = lab.partner(sent.peer[0], "echo")
                return Delivery(
                    sender=node.name,
                    receiver=owner.name if owner else sent.peer[0],
                    text=text,
                    local=sent.local,
                    peer=sent.peer,
                    bytes=int(sent.get("bytes")),
                    seconds=float(event.get("rtt_ms")) / 1000,
                    id=typed.id,
                    at=sent.ts,
                    offset=int(sent.get("offset")),
                    answer=str(event.get("text")) if event.get("text") is not None else f"base64:{event.get('data')}",
                )
    if not sent:
        why = f"{node.name} took the line, and did not show within {timeout:g} s that it sent it: it may still"
        raise LabError("not-shown", why=why, node=node.name, may_go_out=True)
    peer = place(*sent.peer) if sent.peer else "the other end"
    mend = f"`labctl logs {node.name}` shows what came back"
    raise LabError("no-answer", peer=peer, seconds=timeout, mend=mend)


ROLES = (
    Role("echo", "an echo server", events={"refuse": ""}),
    Role(
        "echo-client",
        "an echo client",
        commands=("echo send",),
        events={"answer": "<-", "retry": "->"},
        outcomes=("answer",),
        sends=send,
    ),
)
