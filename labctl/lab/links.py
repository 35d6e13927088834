"""Names of links to ways between nodes: who sends, and to which addresses."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.errors import LabError
from labctl.faults.conditions import Malformed
from labctl.faults.link import LinkName, parse
from labctl.lab.model import Lab, Node


@dataclass(frozen=True)
class Way:
    """From a host to another. `peers` are the other's addresses on the networks that they share; None: to everybody.

    Nodes with one network are one host, whichever of them was named: what `link` says has all their names.
    """

    sender: Node
    link: str
    peers: tuple[str, ...] | None


def ways(lab: Lab, text: str) -> list[Way]:
    """`alice:bob`, `alice-bob`, or a node alone: all that it sends, and all that its neighbours send to it.

    Raises LabError `bad-link-name`, `unknown-node`, `no-link`, `not-running`.
    """
    names = [node.name for node in (*lab.nodes, *lab.hosts)]
    if text in names:
        node = lab.host(_alive(lab, text, "nothing can be done to its traffic"))
        others = [one for one in lab.hosts if one.has_network and not lab.are_one(one, node)]
        near = [one for one in others if one.networks & node.networks]
        return [Way(node, f"{node.name}:*", None), *(way(lab, other.name, text) for other in near)]
    return [way(lab, a, b) for a, b in named(lab, text).ways]


def _alive(lab: Lab, name: str, action: str) -> Node:
    """A node that runs, or is paused: its kernel goes on then, and answers for it. Raises LabError."""
    node = lab.node(name)
    return node if node.container.state == "paused" else lab.running(name, action)


def named(lab: Lab, text: str) -> LinkName:
    """The link that a text names; whether its ends share a network is for the caller to see. Raises LabError
    `bad-link-name`, `unknown-node`."""
    try:
        return parse(text, {node.name for node in lab.nodes})
    except Malformed as problem:
        if not any(mark in text for mark in ":-"):
            lab.node(text)  # raises, with the nearest names
        raise LabError("bad-link-name", why=problem, mend=problem.hint) from None


def ways_from(lab: Lab, node: Node, text: str) -> list[Way]:
    """As `ways`, of what one node will send when it starts; nobody has to run now. Raises LabError."""
    host = lab.host(node)
    if text in (node.name, host.name):
        return [Way(host, f"{host.name}:*", None)]
    try:
        link = parse(text, {other.name for other in lab.nodes})
    except Malformed as problem:
        raise LabError("bad-link-name", why=problem, mend=problem.hint) from None
    others = sorted(a for a in {a for a, _ in link.ways} if not lab.are_one(lab.node(a), node))
    if others:
        raise LabError("on-start-elsewhere", node=node.name, others=", ".join(others))
    receiver = lab.host(lab.node(link.b))
    refuse_one_host(lab, host, receiver)
    if not node.networks & receiver.networks:
        raise _no_link(node, receiver)
    return [Way(host, f"{host.name}:{receiver.name}", peers(node, receiver))]


def way(lab: Lab, a: str, b: str) -> Way:
    """From one node to another. Raises LabError."""
    sender, receiver = lab.host(lab.node(a)), lab.host(lab.node(b))
    refuse_one_host(lab, lab.node(a), lab.node(b))
    _alive(lab, a, "nothing can be done to what it sends")
    _alive(lab, b, "its addresses are not known")
    found = peers(sender, receiver)
    if not found:
        raise _no_link(sender, receiver)
    return Way(sender, f"{sender.name}:{receiver.name}", found)


def refuse_one_host(lab: Lab, one: Node, other: Node) -> None:
    """Raises LabError `bad-link-name` for two ends that are one host."""
    if one.name == other.name:
        raise LabError("bad-link-name", why=f"{one.name} has no link to itself", mend="name two nodes")
    if lab.are_one(one, other):
        why = f"{one.name} and {other.name} have one network: what they say to each other never leaves it"
        raise LabError("bad-link-name", why=why, mend="name two nodes with a network each")


def _no_link(*nodes: Node) -> LabError:
    networks = "; ".join(f"{node.name}: {', '.join(sorted(node.networks)) or 'none'}" for node in nodes)
    return LabError("no-link", a=nodes[0].name, b=nodes[1].name, networks=networks)


def peers(sender: Node, receiver: Node) -> tuple[str, ...]:
    """The receiver's addresses on the networks that the two share."""
    shared = sender.networks & receiver.networks
    return tuple(item for name in sorted(shared) for item in receiver.container.addresses[name])


def between(lab: Lab, left: str, right: str) -> list[Way]:
    """Every way between two groups of nodes (`alice,web`), in both directions. Raises LabError."""
    groups = [_group(lab, text) for text in (left, right)]
    names = [{node.name for node in group} for group in groups]
    if both := names[0] & names[1]:
        why = f"{' and '.join(sorted(both))} can't be on both sides of a partition"
        raise LabError("bad-link-name", why=why, mend="name each node once")
    pairs = [(one, other) for one in groups[0] for other in groups[1] if one.networks & other.networks]
    if not pairs:
        networks = "; ".join(f"{n.name}: {', '.join(sorted(n.networks))}" for group in groups for n in group)
        raise LabError("no-link", a=left, b=right, networks=networks)
    return [way(lab, a.name, b.name) for one, other in pairs for a, b in ((one, other), (other, one))]


def _group(lab: Lab, text: str) -> list[Node]:
    names = [name for name in dict.fromkeys(part.strip() for part in text.split(",")) if name]
    if not names:
        raise LabError("bad-link-name", why=f"{text!r} names no node", mend="write `labctl partition alice,web bob`")
    nodes = [lab.host(_alive(lab, name, "it can't be cut off")) for name in names]
    return list({node.name: node for node in nodes}.values())
