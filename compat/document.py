"""docs/compatibility.md: its sections stand between marks, so that one can be written again without the others."""

from __future__ import annotations

import re
from pathlib import Path

from compat.model import Section

FILE = Path(__file__).resolve().parents[1] / "docs" / "compatibility.md"


def put(section: Section, file: Path = FILE) -> None:
    """Replaces a section of the document. Raises ValueError where it has no marks for it."""
    begin, end = f"<!-- {section.name}: begin -->", f"<!-- {section.name}: end -->"
    text = file.read_text(encoding="utf-8")
    found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.S)
    if not found:
        raise ValueError(f"{file} has no place for {section.name}")
    whole = f"{begin}\n{section.markdown()}{end}"
    file.write_text(text[: found.start()] + whole + text[found.end() :], encoding="utf-8")
