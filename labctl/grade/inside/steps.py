"""Somebody's own protocol, step by step."""

from __future__ import annotations

import re
import socket
from typing import Any

from peer import PATIENCE, Peer, Place, Wrong, shown


def play(place: Place, order: dict[str, Any]) -> None:
    """`transport` and `steps`: each has a verb, a client's name, and what the verb needs."""
    peers: dict[str, Any] = {}
    made = _connect if order["transport"] == "tcp" else _bind
    try:
        for number, step in enumerate(order["steps"], 1):
            try:
                _step(place, peers, step, made)
            except Wrong as wrong:
                raise Wrong(
                    wrong.expected, wrong.actual, f"step {number} ({step['verb']}): {wrong.help}".rstrip(": ")
                ) from None
    finally:
        for peer in peers.values():
            peer.close()


def _connect(place: Place) -> Peer:
    return place.connect()


class Datagrams:
    """A UDP socket with the words of a connection."""

    def __init__(self, place: Place) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect((socket.gethostbyname(place.host), place.port))
        self.rest, self.ended = b"", ""

    def send(self, data: bytes) -> None:
        self._sock.send(data)

    def datagram(self, patience: float) -> bytes | None:
        self._sock.settimeout(patience)
        try:
            return self._sock.recv(1 << 17)
        except TimeoutError:
            return None
        except OSError as problem:
            self.ended = problem.strerror or str(problem)
            return None

    def close(self) -> None:
        self._sock.close()


def _bind(place: Place) -> Datagrams:
    return Datagrams(place)


def _step(place: Place, peers: dict[str, Any], step: dict[str, Any], made: Any) -> None:
    verb, name = step["verb"], step["client"]
    if verb == "connect":
        peers[name] = made(place)
        return
    peer = peers[name]
    if verb == "send":
        peer.send(step["data"].encode("latin-1"))
    elif verb == "expect":
        _expect(peer, step)
    elif verb == "half-close":
        peer.end_of_sending()
    elif verb == "reset":
        peers.pop(name).reset()
    elif verb == "close":
        peers.pop(name).close()


def _expect(peer: Any, step: dict[str, Any]) -> None:
    patience = step.get("within") or PATIENCE
    kind, data = step["kind"], step["data"].encode("latin-1")
    if isinstance(peer, Datagrams):
        got = peer.datagram(patience)
        fits = got is not None and (re.fullmatch(data, got, re.S) if kind == "regex" else got == data)
        if not fits:
            raise Wrong(shown(data), "no datagram" if got is None else shown(got))
        return
    if kind == "end":
        got = peer.to_end(patience)
        if got or peer.ended != "closed":
            raise Wrong("the connection closed", shown(got) if got else peer.ended or "it stays open")
    elif kind == "regex":
        line = peer.line(patience)
        if line is None or not re.fullmatch(data, line.rstrip(b"\r\n"), re.S):
            raise Wrong(f"a line like {shown(data)}", "none" if line is None else shown(line))
    else:
        from peer import same

        same(data, peer, peer.receive(len(data), patience))
