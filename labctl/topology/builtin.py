"""The topologies that come with labctl: the default lab's compose.yaml, and the files of topologies/."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import LabError, nearest
from labctl.topology import generate

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "hello"
SIZES = {"line": (2, 32), "star": (2, 32), "udp-mesh": (2, 1000)}  # fewest and most
NODE_MEMORY = 18 * 1024**2  # bytes that a node takes, the engine's own process for it included
NODE_SECONDS = 0.25  # on two cores
_SIZED = re.compile(r"([\w-]+):(\d+)")


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


@dataclass(frozen=True)
class Source:
    """Where a topology's text comes from: its file, or `text` that was made for a size, beside that file.

    `variables` are for Compose's interpolation.
    """

    file: Path
    text: str | None = None
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def origin(self) -> str:
        """What a lab of it was made from: the name of a built-in one, whichever checkout it is of, else its file."""
        if self.file == ROOT / "compose.yaml":
            return DEFAULT
        return self.file.stem if self.file.parent == ROOT / "topologies" else str(self.file)


def is_sized(name: str) -> bool:
    """Whether it is a name and a size."""
    return _SIZED.fullmatch(name) is not None


def find(name: str | None) -> Source:
    """A topology by path, by name, or by name and size (`line:5`).

    Raises LabError `topology-missing`, `bad-size`, `too-many-nodes`.
    """
    sized = _SIZED.fullmatch(name or "")
    if not sized or Path(name or "").exists():
        return Source(locate(name))
    base, count = sized[1], int(sized[2])
    if base not in SIZES:
        raise LabError("bad-size", name=base, count=count, why=f"only {', '.join(SIZES)} come in sizes")
    low, high = SIZES[base]
    if count < low:
        raise LabError("bad-size", name=base, count=count, why=f"it takes at least {low}")
    if count > high:
        memory, minutes = count * NODE_MEMORY / 1024**3, count * NODE_SECONDS / 60
        raise LabError("too-many-nodes", name=base, count=count, limit=high, memory=memory, minutes=minutes)
    file = locate(base)
    if base == "udp-mesh":
        return Source(file, variables=(("N", str(count)),))
    return Source(file, text={"line": generate.line, "star": generate.star}[base](count))


def digest(folder: Path, without: str = "") -> str:
    """A digest of a build context: what an image was built from, told by its label. `without` names a folder of it
    that the image is not built from."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if without and path.is_relative_to(folder / without):
            continue
        if path.is_file() and path.suffix not in (".pyc", ".yaml") and path.name != "README.md":
            found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]
