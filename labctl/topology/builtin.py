"""The topologies that come with labctl: the default lab's compose.yaml, and the files of topologies/."""

from __future__ import annotations

import hashlib
from pathlib import Path

from labctl.errors import LabError, nearest

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "hello"


def names() -> list[str]:
    return sorted({DEFAULT, *(path.stem for path in (ROOT / "topologies").glob("*.yaml"))})


def locate(name: str | None) -> Path:
    """The file of a topology: a path, or the name of a built-in one; None: the default. Raises `topology-missing`."""
    if name is None or name == DEFAULT:
        return ROOT / "compose.yaml"
    path = Path(name)
    if path.is_dir():
        for file in ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"):
            if (path / file).is_file():
                return (path / file).resolve()
    if path.is_file():
        return path.resolve()
    built_in = ROOT / "topologies" / f"{name}.yaml"
    if "/" not in name and built_in.is_file():
        return built_in
    raise LabError("topology-missing", name=name, near=nearest(name, names()), builtin=", ".join(names()))


def digest(folder: Path) -> str:
    """A digest of a build context: what an image was built from, told by its label."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".pyc", ".yaml") and path.name != "README.md":
            found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]
