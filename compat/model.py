"""What a trial gives: a section of docs/compatibility.md."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

AT_ONCE = 2  # files

F = TypeVar("F")
R = TypeVar("R")


@dataclass(frozen=True)
class Section:
    """`text` is Markdown with a heading of its own; `unexplained` counts the differences that no document names."""

    name: str
    text: str
    unexplained: int

    def markdown(self) -> str:
        return self.text.strip() + "\n"


def projects(folder: Path) -> list[Path]:
    """The projects of a corpus: its folders."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def each(judge: Callable[[F], R], files: Sequence[F], what: str) -> Iterator[R]:
    """What `judge` says of each file, in their order; a few at the same time. It bears its own limit of time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, found in enumerate(pool.map(judge, files), 1):
            if number % 100 == 0 or number == len(files):
                tell(f"{what}: {number} of {len(files)}")
            yield found


def tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
