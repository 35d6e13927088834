"""A measurement of speed as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.render.text import address, printable

if TYPE_CHECKING:
    from labctl.lab.reach.speed import Asked, Measured

SLOW = 0.95  # of the rate that was asked for
_UNITS = ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1.0, "bit/s"))


def asked_line(found: Asked) -> str:
    """`alice -> bob (10.77.0.6)  TCP for 3 s`."""
    how = f"{found.protocol.upper()} for {found.seconds:g} s"
    if found.protocol == "udp":
        how += f", datagrams of {found.size} B"
    if found.rate:
        how += f", {rate(found.rate)}"
    if found.most:
        how += f", {found.most} B at most"
    return printable(f"{found.source} -> {found.target.shown}  {how}")


def measured_line(found: Asked, seen: Measured) -> str:
    """What arrived, what was lost, and how long it takes there and back."""
    ends = f"{address(seen.local)} -> {address(seen.peer)}"
    fast = rate(seen.rate) if seen.took else "too few bytes to tell"
    lines = [f"throughput  {fast}  {seen.arrived} B in {seen.took / 1e9:.2f} s  ({ends})"]
    share = f"{seen.share_lost * 100:.2g}%"
    if found.protocol == "udp":
        counts = f"{seen.lost} of {seen.packets} datagrams ({share})"
        counts += f", duplicated {seen.duplicates}, reordered {seen.reordered}"
        if seen.overflowed:
            counts += f"; {seen.overflowed} found the receiver's own queue full"
    else:
        counts = f"{seen.lost} of {seen.packets} segments were sent again ({share})"
    lines.append(f"lost        {counts}")
    lines.append(f"round trip  {_round_trip(seen)}")
    if found.rate and seen.sent_rate is not None and seen.sent_rate < SLOW * found.rate:
        lines.append(f"sender      came to {rate(seen.sent_rate)} only: the helper is not faster on this machine")
    return "\n".join(lines)


def _round_trip(seen: Measured) -> str:
    parts = []
    if seen.rtts:
        average = sum(seen.rtts) / len(seen.rtts)
        parts.append(f"min {_ms(min(seen.rtts))}, avg {_ms(average)}, max {_ms(max(seen.rtts))} ms before")
    else:
        parts.append("no answer before")
    if seen.loaded_rtt is not None:
        parts.append(f"{_ms(seen.loaded_rtt)} ms meanwhile")
    if seen.jitter is not None:
        parts.append(f"jitter {_ms(seen.jitter)} ms")
    return "; ".join(parts)


def rate(bits: float) -> str:
    """`9.41 Mbit/s`."""
    size, unit = next((item for item in _UNITS if bits >= item[0]), _UNITS[-1])
    return f"{bits / size:.3g} {unit}" if bits < 1000 * size else f"{bits / size:.0f} {unit}"


def _ms(ns: float) -> str:
    return f"{ns / 1e6:.3f}"
