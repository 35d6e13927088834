"""The lab and its picture as data, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl.bundle import checked
from labctl.bundle.checked import Malformed
from labctl.engine.model import (
    COMPOSE_NUMBER,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_FAMILIES,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_ROLE,
    LABEL_ROUTES,
    LABEL_RUN,
    LABEL_TITLE,
    Container,
    Port,
)
from labctl.lab.drawing.picture import Attachment, DrawnLink, DrawnNetwork, DrawnNode, DrawnRoute, Picture
from labctl.lab.model import Lab, Node

# Labels that say what a node is, and nothing of the machine or of the person that it ran for.
KEPT = (
    LABEL_LAB,
    LABEL_NODE,
    LABEL_ROLE,
    LABEL_ROUTES,
    LABEL_FAMILIES,
    LABEL_TITLE,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    COMPOSE_NUMBER,
)
_STATES = ("created", "running", "paused", "restarting", "exited", "dead", "removing")
_MOST = 5000  # nodes


def node_document(node: Node) -> dict[str, Any]:
    container = node.container
    labels = {key: value for key, value in container.labels.items() if key in KEPT}
    if LABEL_RUN in container.labels:
        labels[LABEL_RUN] = ""  # what it was made from is a path of somebody's
    return {
        "node": node.name,
        "role": node.role,
        "owner": node.owner.name if node.owner else None,
        "image": container.image,
        "state": container.state,
        "exit_code": container.exit_code,
        "host_network": container.host_network,
        "labels": labels,
        "addresses": {name: list(found) for name, found in container.addresses.items()},
        "gateways": list(container.gateways),
        "ports": [[port.proto, port.private, port.host, port.public] for port in container.ports],
        **({"machine": container.machine} if container.machine else {}),
    }


def lab_of(name: str, found: object) -> Lab:
    """Raises Malformed."""
    told = [checked.record(one) for one in checked.array(found)]
    if len(told) > _MOST:
        raise Malformed(f"it has more than {_MOST} nodes")
    nodes = {node.name: node for node in map(_node, told)}
    if len(nodes) < len(told):
        raise Malformed("two of its nodes have one name")
    owners = {checked.name(one["node"]): checked.name(one["owner"]) for one in told if one.get("owner") is not None}
    for member, owner in owners.items():
        if owner not in nodes or owner in owners:
            raise Malformed(f"{member} shares the network of {owner}, which is none of its nodes with one")
        shared = nodes[owner].container
        container = nodes[member].container._replace(addresses=shared.addresses, network_of=shared.id)
        nodes[member] = nodes[member]._replace(owner=nodes[owner], container=container)
    return Lab(name, tuple(nodes[one] for one in sorted(nodes)))


def _node(told: Mapping[str, Any]) -> Node:
    name, state = checked.name(told.get("node")), checked.text(told.get("state"), 20)
    if state not in _STATES:
        raise Malformed(f"{state!r} is no state of a container")
    container = Container(
        id=f"saved:{name}",
        name=name,
        image=checked.text(told.get("image"), 4096),
        state=state,
        labels={
            key: checked.text(value) for key, value in checked.record(told.get("labels", {})).items() if key in _LABELS
        },
        addresses=checked.by_name(told.get("addresses", {}), _addresses),
        ports=tuple(map(_port, checked.array(told.get("ports", [])))),
        host_network=checked.yes(told.get("host_network", False)),
        gateways=tuple(map(checked.address, checked.array(told.get("gateways", [])))),
        exit_code=checked.some_number(told.get("exit_code")),
        machine=checked.text(told.get("machine", ""), 99),
    )
    return Node(name, checked.some_text(told.get("role")), container)


_LABELS = (*KEPT, LABEL_RUN)


def _addresses(value: object) -> tuple[str, ...]:
    return tuple(map(checked.address, checked.array(value)))


def _port(value: object) -> Port:
    found = checked.array(value)
    if len(found) != 4:
        raise Malformed("a port is [protocol, port, address, port]")
    host = None if found[2] is None else checked.address(found[2])
    return Port(checked.text(found[0], 10), checked.number(found[1]), host, checked.some_number(found[3]))


def picture_of(name: str, told: Mapping[str, Any]) -> Picture:
    """A picture of what `labctl.render.graph.document` made of one. Raises Malformed."""
    networks = tuple(
        DrawnNetwork(
            checked.name(net["network"]),
            checked.texts(net["subnets"]),
            checked.yes(net["internal"]),
            checked.some_number(net["mtu"]),
        )
        for net in map(checked.record, checked.array(told["networks"]))
    )
    rows = [checked.record(one) for one in checked.array(told["nodes"])]
    nodes = tuple(map(_drawn, rows))
    on: dict[str, list[Attachment]] = {net.name: [] for net in networks}
    for one in rows:
        for net_name, found in checked.record(one["networks"]).items():
            if net_name not in on:
                raise Malformed("a node is on a network that isn't there")
            on[net_name].append(Attachment(checked.name(one["node"]), net_name, checked.texts(found)))
    if len({node.name for node in nodes}) < len(nodes) or len(on) < len(networks):
        raise Malformed("two nodes, or two networks, have one name")
    attachments = [one for there in on.values() for one in there]
    routes = [DrawnRoute(checked.name(one["node"]), route) for one in rows for route in checked.texts(one["routes"])]
    links = tuple(map(_link, checked.array(told["links"])))
    title, about = checked.text(told.get("title", "")), checked.text(told.get("description", ""))
    return Picture(name, title, about, networks, nodes, tuple(attachments), tuple(routes), links)


def _drawn(told: Mapping[str, Any]) -> DrawnNode:
    return DrawnNode(
        checked.name(told["node"]),
        checked.some_text(told["role"]),
        checked.some_text(told["state"]),
        checked.texts(told["published"]),
        checked.some_text(told["masquerades"]),
        tuple(map(checked.name, checked.array(told.get("members", [])))),
        checked.yes(told["on_machine"]),
        checked.text(told.get("machine", ""), 99),
    )


def _link(value: object) -> DrawnLink:
    told = checked.record(value)
    return DrawnLink(
        checked.name(told["from"]), checked.name(told["to"]), checked.yes(told["both"]), checked.text(told["condition"])
    )
