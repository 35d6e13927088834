"""What the options of a network's driver say, for who knows nothing else of topologies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mtu_of(options: Mapping[str, Any] | None) -> int | None:
    """The MTU, in bytes, that the options of a network's driver choose."""
    found = str((options or {}).get("com.docker.network.driver.mtu") or (options or {}).get("mtu") or "")
    return int(found) if found.isascii() and found.isdigit() and len(found) < 8 else None
