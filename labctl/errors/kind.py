"""What the tables of errors hold."""

from __future__ import annotations

from labctl.errors.family import LabError
from labctl.named import NamedTuple


class Kind(NamedTuple):
    """An error of one code: its class; what was asked and why it can't be; what to do about it; what docs/errors.md
    says of it. Words in braces are filled in by whoever raises one."""

    family: type[LabError]
    message: str
    hint: str
    meaning: str


Table = dict[str, Kind]
