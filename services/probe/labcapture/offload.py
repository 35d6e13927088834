"""Segmentation offload: off while a node is recorded, so that its segments are those of the wire.

With it the kernel hands the network card segments of up to 64 KiB, and a capture shows what no wire ever carries. The
card's checksums are off as well, or a capture would show every checksum that is sent as wrong.
"""

from __future__ import annotations

import re
import subprocess

_LIMIT = 10  # seconds
# The features as ethtool(8) shows them, and by the names that it is told.
FEATURES = {
    "tcp-segmentation-offload": "tso",
    "generic-segmentation-offload": "gso",
    "generic-receive-offload": "gro",
    "tx-udp-segmentation": "tx-udp-segmentation",
    "tx-checksumming": "tx",
}
_LINE = re.compile(r"^([a-z-]+): on$", re.MULTILINE)


class Offload:
    """`off(name)` for each interface; `restore()` sets on again what was on."""

    def __init__(self) -> None:
        self._were_on: dict[str, list[str]] = {}
        self.problem = ""

    def off(self, interface: str) -> None:
        if interface in self._were_on:
            return
        shown = _ethtool("-k", interface)
        if shown.returncode:
            self.problem = shown.stderr.strip() or "ethtool failed"
            return
        features = [FEATURES[name] for name in _LINE.findall(shown.stdout) if name in FEATURES]
        self._were_on[interface] = features
        if features:
            self._set(interface, features, "off")

    def restore(self) -> None:
        for interface, features in self._were_on.items():
            if features:
                self._set(interface, features, "on")
        self._were_on = {}

    def _set(self, interface: str, features: list[str], value: str) -> None:
        done = _ethtool("-K", interface, *(word for name in features for word in (name, value)))
        if done.returncode:
            self.problem = done.stderr.strip() or "ethtool failed"


def _ethtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ethtool", *arguments], capture_output=True, text=True, timeout=_LIMIT, check=False)
