"""What was found of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.lab.life.doctor import Level


@dataclass(frozen=True)
class Finding:
    """`level`: ok, note (it works, something is left out), bad (a lab can't be there); `mend`: what to do; `values`:
    the same for programs."""

    host: str
    check: str
    level: Level
    what: str
    mend: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        said = {"host": self.host, "check": self.check, "level": self.level, "what": self.what, "mend": self.mend}
        return {**said, **self.values}
