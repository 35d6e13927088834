"""What an image is built from, as one short text."""

from __future__ import annotations

import hashlib
from pathlib import Path

from labctl.errors import LabError


def digest(folder: Path, without: str = "") -> str:
    """A digest of a build context: what an image was built from, told by its label. `without` names a folder of it
    that the image is not built from. Raises LabError `files-missing`: of a folder that isn't there there is none."""
    if not folder.is_dir():
        raise LabError("files-missing", path=folder)
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if without and path.is_relative_to(folder / without):
            continue
        if path.is_file() and path.suffix not in (".pyc", ".yaml") and path.name != "README.md":
            found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]
