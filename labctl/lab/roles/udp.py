"""Sends datagrams from one UDP peer to another, and counts what arrives.

A datagram has no position in a stream by which both ends could name it. One that is typed is matched by its addresses,
its payload and its time, with the sender's keyboard locked until it was seen, so that no other labctl of this user
sends the same meanwhile. The datagrams of a train carry numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.events.model import Address, Event
from labctl.lab.keyboard.delivery import Delivery, seconds_between
from labctl.lab.keyboard.typed import Typed
from labctl.lab.model import Lab, Node
from labctl.lab.roles import forwards, need_role
from labctl.lab.roles.role import Role
from labctl.lab.roles.router import ROUTER
from labctl.phases import reached

PORT = 5005
LIMIT = 65507  # bytes: 65,535 less the IPv4 and UDP headers (RFC 768, RFC 791)
COUNT_LIMIT = 1_000_000
QUIET = 1.0  # seconds after which the receiver ends a train (docs/node-contract.md)


@dataclass(frozen=True)
class Train:
    """What the receiver counted of a numbered train; `seconds` is how long the sender took.

    `overflowed` of the lost ones had come all the way, and found the receive queue of the socket full; None: unknown.
    """

    sender: str
    receiver: str
    local: Address
    peer: Address
    id: str
    sent: int
    received: int
    lost: int
    duplicated: int
    reordered: int
    seconds: float
    overflowed: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As `labctl udp send --count --json` has it."""
        names = ("sent", "received", "lost", "overflowed", "duplicated", "reordered", "seconds")
        counts = {key: getattr(self, key) for key in names}
        ends = {"id": self.id, "from": self.sender, "to": self.receiver, "local": self.local, "peer": self.peer}
        return {**ends, **counts}


def send(engine: Engine, lab: Lab, source: str, target: str, text: str, *, timeout: float = 2.0) -> Delivery:
    """Sends one datagram and waits until the receiver's journal shows it. Raises LabError."""
    node, receiver = _ends(lab, source, target)
    if len(text.encode()) > LIMIT:
        raise LabError("text-too-long", size=len(text.encode()), what="a UDP datagram", limit=LIMIT)
    sent: Event | None = None
    arrived: list[Event] = []
    to = _address(node, receiver)
    with Typed(engine, lab, node, text, others=[receiver], to=to, timeout=timeout, keep_lock=True) as typed:

        def check() -> None:
            if sent and receiver.name in typed.ended:
                raise _stopped(receiver, source)

        for event in typed.events(on_end=check):
            if event.node == node.name and event.name == "send" and event.id == typed.id:
                sent = event
            elif event.node == receiver.name and event.name == "recv" and event.get("train") is None:
                arrived.append(event)
            found = next((other for other in arrived if sent and _is_same_datagram(lab, sent, other)), None)
            if sent and found:
                return _delivery(source, receiver.name, text, sent, found, typed.id)
            check()
    if sent:
        why = f"{target}'s journal did not show it within {timeout:g} s, and UDP may lose datagrams"
        raise LabError("not-confirmed", why=why, mend=f"`labctl logs {source} {target}` shows both ends")
    raise unsent(source, timeout)


def send_train(
    engine: Engine, lab: Lab, source: str, target: str, text: str, *, count: int, size: int, rate: float, timeout: float
) -> Train:
    """Sends a numbered train and waits until the receiver has counted it. Raises LabError.

    `size` is each datagram's payload in bytes, its header included (0: as short as possible with the text in it, if
    there is one); `rate` is a second (0: as
    fast as the socket takes them); `timeout` comes on top of the time that the rate makes it take.
    """
    node, receiver = _ends(lab, source, target)
    size = size or (_header(count) + len(text.encode()) if text else 0)
    _check_train(count, size, rate)
    options: Mapping[str, Any] = {"count": count, "size": size, "rate": rate}
    limit = timeout + QUIET + (count / rate if rate else count / 2000)
    sent: Event | None = None
    received: Event | None = None
    to = _address(node, receiver)
    with Typed(engine, lab, node, text, others=[receiver], to=to, options=options, timeout=limit) as typed:
        reached("udp:train-under-way")

        def check() -> None:
            if receiver.name in typed.ended:
                raise _stopped(receiver, source)

        for event in typed.events(on_end=check):
            if event.name == "train" and event.node == node.name and event.id == typed.id:
                sent = event
            elif event.name == "train" and event.node == receiver.name and event.get("state") == "received":
                received = event if sent is None or event.get("train") == sent.get("train") else received
            if sent and received and received.get("train") == sent.get("train"):
                return _train(source, receiver.name, typed.id, sent, received)
    if sent is None:
        raise unsent(source, limit)
    raise LabError(
        "not-confirmed",
        why=f"{source} sent {sent.get('count')} datagrams, and none of them reached {target} within {limit:g} s",
        mend=f"`labctl logs {source} {target}` shows both ends",
        about=target,
    )


def _header(count: int) -> int:
    """Bytes of the longest line that a train's datagrams begin with (docs/node-contract.md)."""
    return len(f"labctl-train {'x' * 8} {count - 1} {count}\n")


def _stopped(receiver: Node, source: str) -> LabError:
    why = f"{receiver.name} has stopped, and its journal does not show that it arrived"
    mend = f"`labctl logs {source} {receiver.name}` shows both ends"
    return LabError("not-confirmed", why=why, mend=mend, about=receiver.name)


def unsent(source: str, seconds: float) -> LabError:
    why = f"{source} took the line, and did not show within {seconds:g} s that it sent it: it may still"
    return LabError("not-shown", why=why, node=source, may_go_out=True)


def _train(source: str, target: str, ident: str, sent: Event, received: Event) -> Train:
    assert sent.local
    assert sent.peer
    return Train(
        sender=source,
        receiver=target,
        local=sent.local,
        peer=sent.peer,
        id=ident,
        sent=int(sent.get("count")),
        received=int(received.get("received")),
        lost=int(received.get("lost")),
        duplicated=int(received.get("duplicated")),
        reordered=int(received.get("reordered")),
        seconds=float(sent.get("seconds")),
        overflowed=None if (overflowed := received.get("overflowed")) is None else int(overflowed),
    )


def _ends(lab: Lab, source: str, target: str) -> tuple[Node, Node]:
    from labctl.lab.life.static_routes import routes_of  # the table of roles is read by commands that send nothing

    sender, receiver = lab.node(source), lab.node(target)
    need_role(lab, sender, UDP.word, "udp send")
    need_role(lab, receiver, UDP.word, "udp send")
    sender = lab.running(source, "it can't send")
    receiver = lab.running(target, "nothing can arrive there")
    if not sender.networks & receiver.networks and not routes_of(sender):
        networks = "; ".join(f"{node.name}: {', '.join(sorted(node.networks))}" for node in (sender, receiver))
        raise LabError("no-link", a=source, b=target, networks=networks)
    return sender, receiver


def _address(sender: Node, receiver: Node) -> str:
    """Where the receiver is reached: on a network that both are on, else, over routers, at its first address."""
    shared = [name for name in receiver.container.addresses if name in sender.networks]
    found = [address for name in shared for address in receiver.container.addresses[name]] or receiver.addresses
    return f"[{found[0]}]:{PORT}" if ":" in found[0] else f"{found[0]}:{PORT}"


def _check_train(count: int, size: int, rate: float) -> None:
    if not 1 <= count <= COUNT_LIMIT:
        raise LabError("bad-option", option="--count", why=f"a train has 1 to {COUNT_LIMIT} datagrams, not {count}")
    if not 0 <= size <= LIMIT:
        raise LabError("bad-option", option="--size", why=f"a datagram has at most {LIMIT} bytes, not {size}")
    if not 0 <= rate <= 1_000_000:
        raise LabError("bad-option", option="--rate", why=f"0 (no limit) to 1000000 a second, not {rate:g}")


def _delivery(source: str, target: str, text: str, sent: Event, found: Event, ident: str) -> Delivery:
    assert sent.local
    assert sent.peer
    return Delivery(
        sender=source,
        receiver=target,
        text=text,
        local=sent.local,
        peer=sent.peer,
        bytes=int(sent.get("bytes")),
        seconds=seconds_between(sent, found),
        id=ident,
        at=sent.ts,
        seen_from=found.peer if found.peer != sent.local else None,
    )


def _is_same_datagram(lab: Lab, sent: Event, arrived: Event) -> bool:
    keys = ("bytes", "text", "data", "cut")
    if arrived.ts < sent.ts or any(sent.get(key) != arrived.get(key) for key in keys):
        return False
    if arrived.crosses_to(sent):
        return True
    # A router that translates addresses puts its own in the place of the sender's (RFC 3022).
    router = lab.partner(arrived.peer[0], ROUTER.word) if arrived.peer else None
    return arrived.local == sent.peer and router is not None and forwards(router.role)


def _sends(engine: Engine, lab: Lab, name: str, text: str, *, to: str | None, timeout: float) -> Delivery:
    need_role(lab, lab.node(name), UDP.word, "udp send")
    if to is None:
        raise LabError("bad-option", option="to", why=f"{name} is a UDP peer: name the node to send to")
    return send(engine, lab, name, to, text, timeout=timeout)


UDP = Role("udp", "a UDP peer", commands=("udp send",), events={"train": "", "join": ""}, sends=_sends)
ROLES = (UDP,)
