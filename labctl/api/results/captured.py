"""What a capture came to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Captured:
    """What a capture came to: `packets` of them, and how many the kernel could not hand over (`drops`), by node.

    `pcapng` is the file's content, empty where it was written to a file; `remarks` are sentences of what is missing.
    """

    packets: int
    drops: dict[str, int]
    remarks: tuple[str, ...]
    pcapng: bytes = field(default=b"", repr=False)
