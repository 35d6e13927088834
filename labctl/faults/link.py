"""Names of links: `alice:bob` is from alice to bob, `alice-bob` is both ways. No I/O."""

from __future__ import annotations

from collections.abc import Collection

from labctl.errors import brief
from labctl.faults.measures import Malformed
from labctl.named import NamedTuple

HINT = "write `alice:bob` for one way, `alice-bob` for both"


class LinkName(NamedTuple):
    """Two ends, and whether both ways are meant."""

    a: str
    b: str
    both: bool

    def __str__(self) -> str:
        return f"{self.a}{'-' if self.both else ':'}{self.b}"

    @property
    def ways(self) -> list[tuple[str, str]]:
        """`(from, to)` of each way."""
        return [(self.a, self.b), (self.b, self.a)] if self.both else [(self.a, self.b)]


def parse(text: str, nodes: Collection[str], hint: str = HINT) -> LinkName:
    """A link between two of `nodes`; whether there are such nodes is for the caller to see. Raises Malformed."""
    if ":" in text:
        a, _, b = text.partition(":")
        if a and b:
            return LinkName(a, b, both=False)
        raise Malformed(f"{brief(text)!r} is no link", hint)
    # A node's name may hold dashes itself: take the first cut at which both sides are nodes, if there is one. Of the
    # nodes, not of the dashes: a text may have any number of these.
    starts = sorted((name for name in nodes if text.startswith(f"{name}-")), key=len)
    a = next((name for name in starts if text[len(name) + 1 :] in nodes), text.partition("-")[0])
    b = text[len(a) + 1 :]
    if a and b:
        return LinkName(a, b, both=True)
    raise Malformed(f"{brief(text)!r} is no link", hint)
