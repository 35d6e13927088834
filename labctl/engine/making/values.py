"""Measures as Compose writes them, in the units of the engine's API."""

from __future__ import annotations

import re
import struct
from typing import Any

_DURATION = r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)"
_NANOSECONDS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}


def replaced(value: Any, old: str, new: str) -> Any:
    """A value with a text replaced in all texts of it. What Compose has read it writes with each dollar sign twice:
    whoever makes the project reads it once more."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: replaced(item, old, new) for key, item in value.items()}
    return [replaced(item, old, new) for item in value] if isinstance(value, list) else value


def nanoseconds(text: Any) -> int:
    """Of `1m30s`; 0 of nothing."""
    parts = re.findall(_DURATION, str(text or ""))
    return sum(round(float(number) * _NANOSECONDS[unit.replace("µ", "u")]) for number, unit in parts)


def whole(value: Any) -> int:
    """A number that may stand there as a text; 0 of nothing."""
    return int(value or 0)


def nano_cpus(value: Any) -> int:
    """Of a number of processors; with single precision, as Compose calculates."""
    return int(_single(_single(float(value or 0)) * 1e9))


def hundredths(value: Any) -> int:
    """Of a percentage; with single precision as well."""
    return int(_single(_single(float(value or 0)) * 100))


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])
