"""What goes on at ports that somebody else has: machines of a swarm ask each other every second whether they live.

Such a question is answered at once. So a datagram that leaves for a peer right behind one that came from it is the
answer, and shows that the machine takes what that peer sends.
"""

from __future__ import annotations

import selectors
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVERYTHING = 3  # ETH_P_ALL: what leaves is only seen so
IP = 0x0800
UDP = 17
SOON = 0.02  # seconds
OUTGOING = 4  # as the kernel marks what leaves (PACKET_OUTGOING)


class Watch:
    """`peers` are addresses by name, `ports` numbers of UDP. `found`: of each peer, by port, whether its datagrams
    came, and whether they were taken."""

    def __init__(self, selector: selectors.BaseSelector, peers: Mapping[str, str], ports: Sequence[int]) -> None:
        self._selector = selector
        self._names = {address: name for name, address in peers.items()}
        self._came: dict[tuple[str, int], float] = {}  # (name, port) and when
        self.found = {name: {str(port): {"came": False, "taken": False} for port in ports} for name in peers}
        self._ports = set(ports)
        self._sock: socket.socket | None = None

    def begin(self) -> None:
        """Needs NET_RAW."""
        if self._ports:
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERYTHING))
            self._sock.setblocking(False)
            self._selector.register(self._sock, selectors.EVENT_READ, self._see)

    @property
    def is_done(self) -> bool:
        return all(seen["taken"] for ports in self.found.values() for seen in ports.values())

    def close(self) -> None:
        if self._sock:
            self._selector.unregister(self._sock)
            self._sock.close()

    def _see(self) -> None:
        if self._sock is None:
            return
        try:
            packet, place = self._sock.recvfrom(256)
        except OSError:
            return
        if place[1] == IP:
            self.see(packet, place[2] == OUTGOING, time.monotonic())

    def see(self, packet: bytes, leaves: bool, now: float) -> None:
        """An IPv4 packet that leaves or comes, at a time in seconds."""
        size = (packet[0] & 15) * 4 if packet else 0
        if len(packet) < size + 8 or packet[9] != UDP or packet[6] & 0x1F or packet[7]:
            return
        source, target = (int.from_bytes(packet[at : at + 2], "big") for at in (size, size + 2))
        if leaves:
            name = self._names.get(socket.inet_ntoa(packet[16:20]))
            came = self._came.get((name, source)) if name else None
            if name and came is not None and now - came < SOON:
                self.found[name][str(source)]["taken"] = True
        elif target in self._ports and (name := self._names.get(socket.inet_ntoa(packet[12:16]))):
            self._came[name, target] = now
            self.found[name][str(target)]["came"] = True
