"""What labctl's own nodes do on the engine in memory: each role keeps the contract (docs/node-contract.md) to its
events, so that what is typed is followed as it is on a real engine. No socket, no packet, no waiting.

They are not the programs of services/: lines go where they are sent, whole and at once, and no CHAT_MODE is kept.
"""

from __future__ import annotations

from labctl.engine.memory.containers import MemoryContainer
from labctl.engine.memory.programs.base import NodeProgram, Ready
from labctl.engine.memory.programs.chat import Chat
from labctl.engine.memory.programs.echo import EchoClient, EchoServer
from labctl.engine.memory.programs.net import Net
from labctl.engine.memory.programs.udp import UdpPeer
from labctl.engine.model import LABEL_ROLE

PROGRAMS: dict[str, type[NodeProgram]] = {
    "chat": Chat,
    "echo": EchoServer,
    "echo-client": EchoClient,
    "http": Ready,
    "router": Ready,
    "udp": UdpPeer,
}


def program_of(container: MemoryContainer, net: Net) -> NodeProgram | None:
    """The program of a container whose role is known; None for anybody's own."""
    kind = PROGRAMS.get(container.record.labels.get(LABEL_ROLE, ""))
    return kind(container, net) if kind else None
