"""Runs for tests: what alice and bob said over a wire that loses a segment, as `labctl save` would have it."""

from dataclasses import replace
from typing import Any

from traffic import BEGIN, Wire, connected

from labctl.bundle.inputs import inputs_of
from labctl.bundle.model import Run
from labctl.engine.model import LABEL_LAB, LABEL_NODE, LABEL_OWNER, Container
from labctl.events.codec import stamp_of
from labctl.events.model import Event
from labctl.lab.drawing.picture import Attachment, DrawnLink, DrawnNetwork, DrawnNode, DrawnRoute, Picture
from labctl.lab.faults.rules import Fault
from labctl.lab.model import of_containers
from labctl.lab.processes.sockets import Socket
from labctl.lab.processes.syscalls import Recording
from labctl.packets.crossings import Side, Verdict
from labctl.packets.model import Interface, Packet

ALICE, BOB = "10.77.0.11", "10.77.0.12"
PICTURE = Picture(
    "hello",
    "Hello, sockets",
    networks=(DrawnNetwork("lab", ("10.77.0.0/24",), True, 1400),),
    nodes=(DrawnNode("alice", "chat", "running", ("127.0.0.1:80 -> 80/tcp",)), DrawnNode("bob", "chat", "exited")),
    attachments=(Attachment("alice", "lab", (ALICE,)), Attachment("bob", "lab", (BOB,))),
    routes=(DrawnRoute("bob", "default via alice"),),
    links=(DrawnLink("alice", "bob", True, "delay 10ms"),),
)


def lossy(*said: bytes) -> Wire:
    """alice says each of these to bob, and the first of them is lost once."""
    wire, alice, bob = connected()
    for place, text in enumerate(said):
        first = alice.seq
        if place == 0:
            alice.say(text, lost=True, by=[("f1", "drop")])
            wire.wait(201)
        alice.say(text, seq=first)
        bob.confirm(alice.seq)
    return wire


def tapped(side: Side) -> Side:
    """The side as recorders name its taps."""
    return replace(side, sent=[_of(one, "out") for one in side.sent], arrived=[_of(one, "in") for one in side.arrived])


def _of(packet: Packet, tap: str) -> Packet:
    link = packet.record.interface.link_type
    return replace(packet, record=replace(packet.record, interface=Interface(0, f"eth0:{tap}", link)))


def fault_event(verdict: Verdict) -> Event:
    fields = {"rule": verdict.rule, "action": verdict.action, "proto": verdict.proto, "seq": verdict.seq}
    fields |= {"size": verdict.length, "ip_id": verdict.ip_id, "link": "alice:bob"}
    ends = (verdict.src, verdict.sport or 0), (verdict.dst, verdict.dport or 0)
    return Event(stamp_of(verdict.ts_ns), verdict.node, "fault", *ends, fields)


def at(milliseconds: float) -> str:
    return stamp_of(BEGIN + int(milliseconds * 1e6))


def containers() -> list[Container]:
    found = []
    for name, address, state in (("alice", ALICE, "running"), ("bob", BOB, "exited")):
        labels = {LABEL_LAB: "hello", LABEL_NODE: name, LABEL_OWNER: "0@somebodys-machine/root"}
        ends = {"hello_lab": (address,)}
        container = Container(f"id-{name}", f"hello-{name}-1", "labctl/chat-server", state, labels, ends)
        found.append(container._replace(exit_code=3 if state == "exited" else None))
    return found


def run_of(*said: bytes, **more: Any) -> Run:
    wire = lossy(*(said or (b"hello\n", b"bye\n")))
    events = [Event(at(-5), "bob", "ready"), Event(at(0.1), "alice", "input", fields={"text": "hello", "id": "a1"})]
    events += map(fault_event, wire.verdicts)
    events += [Event(at(300), "bob", "message", (BOB, 80), (ALICE, 40022), {"text": "hello", "bytes": 6})]
    events += [Event(at(310), "bob", "input", fields={"data": "Ynll", "to": f"{ALICE}:40022"})]
    sides = tuple(tapped(replace(side, since_ns=BEGIN - 1, until_ns=BEGIN + 10**9)) for side in wire.sides())
    lab = of_containers("hello", containers())
    call = {"call": "send", "pid": 1, "fd": 5, "args": ["5", '"hello\\n"', "0"], "result": 6, "duration_ns": 9}
    calls = [Event(at(0.2), "alice", "syscall", (ALICE, 40022), (BOB, 80), call)]
    values: dict[str, Any] = {
        "compose": '{"name": "hello", "services": {"alice": {"image": "labctl/chat-server"}}}\n',
        "faults": (Fault("f1", "alice:bob", "alice", "drop 'tcp data 1' once", "pick", 0, 1, {"drop": 1}, "done"),),
        "sockets": (Socket("alice", "tcp", "ESTAB", (ALICE, 40022), (BOB, 80), 0, 0, "python3", 1, 1000),),
        "recordings": {name: Recording(at(-9), None, 0, calls if name == "alice" else []) for name in ("alice", "bob")},
        "versions": {"labctl": "0.1.0"},
        "notes": ("A note.",),
    }
    inputs = tuple(inputs_of(lab, events))
    return Run(lab, PICTURE, at(1000), events=tuple(events), sides=sides, inputs=inputs, **(values | more))
