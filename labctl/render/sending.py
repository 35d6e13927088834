"""One line for what came of a line that was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.render.text import address, fitted, printable, quoted, width

if TYPE_CHECKING:
    from labctl.lab.keyboard.delivery import Delivery
    from labctl.lab.reach.datagram import Datagram
    from labctl.lab.roles.udp import Train

SHOWN = 60  # columns of a text; the whole of it is in --json and in the journal


def delivery(found: Delivery) -> str:
    """`alice -> bob  "hi"  10.77.0.5:12345 -> 10.77.0.6:41786  delivered in 0.8 ms`."""
    ends = f"{address(found.local)} -> {address(found.peer)}"
    if found.seen_from:
        ends += f" (seen from {address(found.seen_from)})"
    if found.answer is None:
        outcome = f"delivered in {_ms(found.seconds)}"
    else:
        outcome = f"answered {_short(found.answer)} in {_ms(found.seconds)}"
    return f"{found.sender} -> {printable(found.receiver)}  {_short(found.text)}  {printable(ends)}  {outcome}"


def datagram(found: Datagram) -> str:
    """As `delivery`, of a datagram to anybody, with what came back for it, if anything did."""
    ends = f"{address(found.local)} -> {address(found.peer)}"
    if found.answer is None:
        outcome = f"sent {found.bytes} B; no datagram came back within {found.seconds:g} s"
    else:
        outcome = f"answered {_short(found.answer)} in {_ms(found.seconds)}"
    return f"{found.sender} -> {printable(found.target)}  {_short(found.text)}  {printable(ends)}  {outcome}"


def train(found: Train) -> str:
    ends = f"{address(found.local)} -> {address(found.peer)}"
    counts = f"sent {found.sent}, received {found.received}, lost {found.lost}"
    if found.overflowed:
        counts += f" ({found.overflowed} of them at {found.receiver}, whose receive queue was full)"
    more = f"duplicated {found.duplicated}, reordered {found.reordered}"
    return f"{found.sender} -> {found.receiver}  {printable(ends)}  {counts}, {more}  in {found.seconds:.3g} s"


def _short(text: str) -> str:
    shown = quoted(text)
    return shown if width(shown) <= SHOWN else fitted(shown, SHOWN) + f'" ({len(text.encode())} B)'


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if abs(seconds) < 10 else f"{seconds:.1f} s"
