"""A command that ran in a node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Executed:
    """A command that ran in a node to its end. `status` is its exit status, as a shell has it; `output` and `errors`
    are what it wrote to its standard output and error."""

    status: int
    output: bytes
    errors: bytes

    @property
    def text(self) -> str:
        """The output, decoded as UTF-8; what is none is replaced."""
        return self.output.decode(errors="replace")
