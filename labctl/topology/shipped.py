"""Where that lies which comes with labctl and which labs are made of: compose.yaml, services/, topologies/,
lessons/.

In a checkout it stands beside the package, in an installed labctl inside it (hatch_build.py puts it there).
"""

from __future__ import annotations

from pathlib import Path

from labctl.errors import LabError

PACKAGE = Path(__file__).resolve().parents[1]
NAMES = ("compose.yaml", "services", "topologies", "lessons")


def root() -> Path:
    """The folder that holds all of it. Raises LabError `files-missing`."""
    inside = PACKAGE / "data"
    found = inside if inside.is_dir() else PACKAGE.parent
    for name in NAMES:
        if not (found / name).exists():
            raise LabError("files-missing", path=found / name)
    return found


def is_installed() -> bool:
    """Whether this labctl is an installed one, which has no checkout around it."""
    return (PACKAGE / "data").is_dir()
