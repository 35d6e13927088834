"""What came of a line that was sent: the data that `send`, `chat send`, `echo send` and `udp send` print."""

from __future__ import annotations

from typing import Any

from labctl.events.model import Address, Event
from labctl.named import NamedTuple


class Delivery(NamedTuple):
    """One line or datagram from `sender` to `receiver`, seen at both ends.

    `seconds` is between the two ends' events; `answer` is what came back, where something was waited for; `seen_from`
    is the sender's address as the receiver saw it, where a router changed it on the way. `offset` is the line's place
    in the stream, None of a datagram; `at` is when it was sent, as events hold times.
    """

    sender: str
    receiver: str
    text: str
    local: Address
    peer: Address
    bytes: int
    seconds: float
    id: str
    offset: int | None = None
    answer: str | None = None
    seen_from: Address | None = None
    at: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the commands that send have it with `--json`."""
        out: dict[str, Any] = {
            "id": self.id,
            "from": self.sender,
            "to": self.receiver,
            "text": self.text,
            "local": list(self.local),
            "peer": list(self.peer),
            "bytes": self.bytes,
        }
        if self.offset is not None:
            out["offset"] = self.offset
        if self.seen_from is not None:
            out["seen_from"] = list(self.seen_from)
        if self.answer is not None:
            out["answer"] = self.answer
        out["delivered_ms" if self.answer is None else "answered_ms"] = round(self.seconds * 1000, 3)
        return out


def seconds_between(first: Event, second: Event) -> float:
    """Both events' clocks are the one clock of the engine's machine."""
    return (second.nanoseconds - first.nanoseconds) / 1e9
