"""An x-ray, as a program gets it: a ladder with system calls and states of sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labctl.api.results.drawn import Ladder

if TYPE_CHECKING:
    from labctl.lab.recording import xray


@dataclass(frozen=True)
class XRay(Ladder):
    """A Ladder whose `moments` are system calls and states of sockets. `seen` is what it was drawn of."""

    seen: xray.XRay = field(repr=False, kw_only=True)

    @classmethod
    def of(cls, seen: xray.XRay, limit: int) -> XRay:
        """With at most so many arrows and calls, 0 for all."""
        from labctl.render.xray import joined

        return cls(joined(seen, limit), seen=seen)

    def perfetto(self) -> dict[str, Any]:
        """As Chrome's trace events, for ui.perfetto.dev."""
        from labctl.render.runs.perfetto import document

        return document(self.seen)
