"""A UDP peer: a line is a datagram, and with a count a train of them."""

from __future__ import annotations

import os
from typing import Any

from labctl.engine.memory.containers import MemoryContainer
from labctl.engine.memory.programs.base import NodeProgram, ends, target
from labctl.engine.memory.programs.net import Net, Unreachable

PORT = 5005
LIMIT = 65507  # bytes: 65,535 less the IPv4 and UDP headers


class UdpPeer(NodeProgram):
    """Sends and receives; what is sent to nobody is lost in silence."""

    def __init__(self, container: MemoryContainer, net: Net) -> None:
        super().__init__(container, net)
        self.port = int(container.environment.get("PORT") or PORT)
        self.listens = (("udp", self.port),)

    def typed(self, text: str, known: dict[str, Any], options: dict[str, Any]) -> None:
        name = str(options.get("to") or self.container.environment.get("PEER") or "")
        if text.startswith("@") and not options:
            name, _, text = text[1:].partition(" ")
        if not name:
            self.error("EINVAL", "no address to send to", **known)
            return
        host, port = target(name, PORT)
        try:
            peer = (self.net.resolve(self.container, host), port)
            local = (self.net.local(self.container, peer[0]), self.port)
        except Unreachable as problem:
            self.error(problem.error, problem.reason, **known, name=name)
            return
        receiver = self.net.at(peer[0], UdpPeer)
        receiver = receiver if receiver and receiver.port == port else None
        if "count" in options:
            self._train(receiver, local, peer, known, int(options["count"]), int(options.get("size") or 0))
        elif (size := len(text.encode())) > LIMIT:
            self.error("EMSGSIZE", "sendto: message too long", **known, bytes=size)
        else:
            self._send(receiver, local, peer, known, {"bytes": size, "text": text})

    def _send(
        self,
        receiver: UdpPeer | None,
        local: tuple[str, int],
        peer: tuple[str, int],
        known: dict[str, Any],
        payload: dict[str, Any],
    ) -> None:
        self.event("send", **ends("udp", local, peer), **known, **payload)
        if receiver:
            receiver.event("recv", **ends("udp", peer, local), **payload)

    def _train(
        self,
        receiver: UdpPeer | None,
        local: tuple[str, int],
        peer: tuple[str, int],
        known: dict[str, Any],
        count: int,
        size: int,
    ) -> None:
        train = os.urandom(4).hex()
        size = max(size, len(f"labctl-train {train} {count - 1} {count}\n"))
        for seq in range(count):
            self._send(receiver, local, peer, known, {"train": train, "seq": seq, "bytes": size})
        took = {"train": train, "count": count, "bytes": size * count}
        self.event("train", **ends("udp", local, peer), **known, **took, state="sent", seconds=0.0)
        if receiver:
            counts = {"received": count, "unique": count, "lost": 0, "duplicated": 0, "reordered": 0, "overflowed": 0}
            receiver.event("train", **ends("udp", peer, local), **took, state="received", **counts)
