"""The rule that gives out what is sent on links with faults, before these see it."""

from __future__ import annotations

import subprocess

from labfault.tables import BEFORE, MARK

TABLE = "labctl_capture"
GROUP = 75
_LIMIT = 10  # seconds
# Behind the hook that marks what a fault is to see, and before the one that hands it over.
_RULES = (
    f"table inet {TABLE} {{\n chain sent {{\n  type filter hook postrouting priority {BEFORE}; policy accept;\n"
    f"  meta mark & {MARK:#x} != 0 log group {GROUP} queue-threshold 1\n }}\n}}\n"
)


def set_up() -> None:
    """Raises OSError with nft's own words."""
    clear()
    done = _nft("-f", "-", given=_RULES)
    if done.returncode:
        raise OSError(95, done.stderr.strip() or "nft failed")  # EOPNOTSUPP


def clear() -> None:
    _nft("delete", "table", "inet", TABLE)


def _nft(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["nft", *arguments], input=given, capture_output=True, text=True, timeout=_LIMIT, check=False)
