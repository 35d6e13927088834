"""How the host of a program began: what `labctl run` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl.lab.programs.awaiting import Seen


@dataclass(frozen=True)
class Ran:
    """A program's host as it began: `seen` is None where nobody waited for it; `notes` are what its author should
    know."""

    lab: str
    node: str
    command: tuple[str, ...]
    addresses: tuple[str, ...]
    notes: tuple[str, ...]
    seen: Seen | None = None

    @property
    def state(self) -> str:
        return self.seen.state if self.seen else "started"

    def as_json(self) -> dict[str, Any]:
        seen = self.seen
        listening = seen.listening if seen else ()
        return {
            "lab": self.lab,
            "node": self.node,
            "command": list(self.command),
            "addresses": list(self.addresses),
            "state": self.state,
            "listening": [{"proto": one.proto, "port": one.port, "address": one.address} for one in listening],
            "seconds": round(seen.seconds, 3) if seen else None,
            "exit_code": seen.exit_code if seen and seen.state == "done" else None,
            "lines": list(seen.lines) if seen else [],
            "notes": list(self.notes),
        }
