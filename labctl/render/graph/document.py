"""A picture as data, for JSON."""

from __future__ import annotations

from typing import Any

from labctl.lab.drawing.picture import Picture


def document(picture: Picture) -> dict[str, Any]:
    """All of the picture; a node's `state` is null where the picture is that of a file.

    `members` are the nodes that share one network, and so are one host; a host that is one node has none.
    `masquerades` is the network towards which a router translates addresses, null where it doesn't.
    """
    return {
        "lab": picture.name,
        "title": picture.title,
        "description": picture.description,
        "networks": [
            {"network": net.name, "subnets": list(net.subnets), "internal": net.internal, "mtu": net.mtu}
            for net in picture.networks
        ],
        "nodes": [
            {
                "node": node.name,
                **({"members": list(node.members)} if node.members else {}),
                "role": node.role,
                "masquerades": node.masquerades,
                "state": node.state,
                "on_machine": node.on_machine,
                **({"machine": node.machine} if node.machine else {}),
                "networks": {item.network: list(item.addresses) for item in attachments},
                "published": list(node.published),
                "routes": [route.route for route in picture.routes if route.node == node.name],
            }
            for node, attachments in zip(picture.nodes, picture.networks_of().values(), strict=True)
        ],
        "links": [
            {"link": link.name, "from": link.a, "to": link.b, "both": link.both, "condition": link.condition}
            for link in picture.links
        ],
    }
