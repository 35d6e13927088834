"""How far somebody is in each lesson: a small file a lesson. It is a convenience; a broken one is as good as none."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


def own_folder() -> Path:
    """Where a user's are: in $XDG_STATE_HOME (XDG Base Directory Specification), else in ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME", "")
    state = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state"
    return state / "labctl" / "lessons"


@dataclass(frozen=True)
class Progress:
    """`step` is where the learner is, "" at the end; `began` when its act began, in nanoseconds since the epoch; `lab`
    where; `counted` the nodes' counters then; `done` the steps that were done, `right` those that were foreseen."""

    step: str = ""
    began: int = 0
    lab: str = ""
    done: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    counted: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """A folder with them."""

    folder: Path

    def read(self, name: str) -> Progress:
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError):
            found = json.loads(self._file(name).read_text(encoding="utf-8"))
            return Progress(
                str(found["step"]),
                int(found["began"]),
                str(found["lab"]),
                tuple(map(str, found["done"])),
                tuple(map(str, found["right"])),
                {str(node): _counts(counts) for node, counts in found["counted"].items()},
            )
        return Progress()

    def write(self, name: str, progress: Progress) -> None:
        """Where it can't be written, the lesson goes on without."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            new = self._file(name).with_suffix(".new")
            new.write_text(json.dumps(asdict(progress)), encoding="utf-8")
            os.replace(new, self._file(name))

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _counts(found: Any) -> dict[str, int]:
    return {str(name): int(count) for name, count in found.items()}
