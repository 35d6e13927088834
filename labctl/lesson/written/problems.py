"""What is wrong in a lesson's files, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from labctl.errors import LabError
from labctl.topology.check.problems import Place


@dataclass(frozen=True, order=True)
class Problem:
    """`place` None: the whole file."""

    file: str
    place: Place | None
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place else self.file
        return f"{where}: {self.message}"

    def as_json(self) -> dict[str, object]:
        line, column = (self.place.line, self.place.column) if self.place else (None, None)
        return {"file": self.file, "line": line, "column": column, "message": self.message}


@dataclass
class Problems:
    """What was found so far."""

    _found: dict[Problem, None] = field(default_factory=dict)

    @property
    def found(self) -> tuple[Problem, ...]:
        return tuple(self._found)

    def add(self, file: Path | str, place: Place | None, message: str) -> None:
        self._found[Problem(str(file), place, message)] = None

    def __bool__(self) -> bool:
        return bool(self._found)

    def refuse(self, name: str) -> None:
        """Raises LabError `lesson-invalid`, if there are any."""
        if self._found:
            raise invalid(name, self._found)


def invalid(name: str, found: Iterable[Problem]) -> LabError:
    ordered = sorted(found, key=lambda one: (one.file, one.place or Place(0, 0), one.message))
    return LabError("lesson-invalid", name=name, problems="\n".join(map(str, ordered)), found=tuple(ordered))


class Wrong(Exception):
    """An expression can't be understood, or asks for what isn't there. `offset` is in characters from its beginning."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
