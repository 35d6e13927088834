"""The topologies that come with labctl: the default lab's compose.yaml, and the files of topologies/."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from labctl.errors import LabError, brief, nearest
from labctl.named import NamedTuple
from labctl.topology import generate
from labctl.topology.shipped import root

DEFAULT = "hello"
SIZES = {"line": (2, 32), "star": (2, 32), "udp-mesh": (2, 1000)}  # fewest and most
NODE_MEMORY = 18 * 1024**2  # bytes that a node takes, the engine's own process for it included
NODE_SECONDS = 0.25  # on two cores
FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")  # in Compose's own order
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_SIZED = re.compile(r"([\w-]+):(\d{1,9})")


def names() -> list[str]:
    return sorted({DEFAULT, *(path.stem for path in (root() / "topologies").glob("*.yaml"))})


def locate(name: str | None) -> Path:
    """The file of a topology: a path, or the name of a built-in one; None: the default. Raises `topology-missing`."""
    return find(name).file


class Options(NamedTuple):
    """What a person says of a topology besides its name, in Compose's own words (`-f`, `--profile`, `--env-file`)."""

    files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()


NO_OPTIONS = Options()


class Source(NamedTuple):
    """Where a topology's text comes from: its file with `more` laid over it in turn, or `text` that was made for a
    size, beside that file.

    `variables` are for Compose's interpolation, and so are those in `env_files`. `shown` is what each file is called in
    messages.
    """

    file: Path
    text: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    more: tuple[Path, ...] = ()
    env_files: tuple[Path, ...] = ()
    shown: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file, *self.more)

    @property
    def names(self) -> tuple[str, ...]:
        return self.shown or tuple(map(str, self.files))

    @property
    def origin(self) -> str:
        """What a lab of it was made from: the name of a built-in one, whichever labctl it is of, else its file."""
        if self.file == root() / "compose.yaml":
            return DEFAULT
        return self.file.stem if self.file.parent == root() / "topologies" else str(self.file)


def is_sized(name: str) -> bool:
    """Whether it is a name and a size."""
    return _SIZED.fullmatch(name) is not None


def find(name: str | None, options: Options = NO_OPTIONS, *, strict: bool = True) -> Source:
    """A topology by path, by name, or by name and size (`line:5`); or the files of `options`, the first of which says
    where relative paths begin. A folder is what Compose reads in it.

    Without `strict` files need not be there: what isn't can be told with all else that is wrong.

    Raises LabError `topology-missing`, `bad-size`, `too-many-nodes`, `topology-twice`, `env-file-missing`.
    """
    if options.files:
        if name is not None:
            raise LabError("topology-twice", name=brief(name))
        found = _of_files([Path(file) for file in options.files], options.files, strict=strict)
    else:
        found = _named(name, options, strict=strict)
    for file in options.env_files:
        if not os.path.isfile(file):
            raise LabError("env-file-missing", file=brief(file))
    variables = found.variables
    if options.profiles:
        variables = (*variables, ("COMPOSE_PROFILES", ",".join(options.profiles)))
    return found._replace(variables=variables, env_files=tuple(Path(file).resolve() for file in options.env_files))


def _named(name: str | None, options: Options, *, strict: bool) -> Source:
    sized = _SIZED.fullmatch(name or "")
    if sized and not os.path.exists(name or ""):
        return _of_size(sized[1], int(sized[2]))
    if name is None or name == DEFAULT:
        return Source(root() / "compose.yaml")
    if os.path.isdir(name):  # pathlib's own raise where a name is too long for any file
        files = folder_files(Path(name), options.env_files)
        if files:
            return _of_files(files, [str(file) for file in files], strict=strict)
    if os.path.isfile(name):
        return Source(absolute(name), shown=(name,))
    built_in = root() / "topologies" / f"{name}.yaml"
    if "/" not in name and os.path.isfile(built_in):
        return Source(built_in)
    if not strict:
        return Source(Path(name), shown=(name,))
    raise LabError("topology-missing", name=brief(name), near=nearest(name, names()), builtin=", ".join(names()))


def folder_files(folder: Path, env_files: Iterable[str] = ()) -> list[Path]:
    """What Compose reads in a folder: the files that COMPOSE_FILE names, else compose.yaml or the first of its other
    names, and what overrides it."""
    named = os.environ.get("COMPOSE_FILE") or _from_env_file("COMPOSE_FILE", folder, env_files)
    if named:
        between = os.environ.get("COMPOSE_PATH_SEPARATOR") or _from_env_file(
            "COMPOSE_PATH_SEPARATOR", folder, env_files
        )
        return [folder / file for file in named.split(between or os.pathsep)]
    found = next((folder / file for file in FILES if (folder / file).is_file()), None)
    over = next((folder / file for file in OVERRIDES if (folder / file).is_file()), None)
    return [file for file in (found, over if found else None) if file]


def _from_env_file(name: str, folder: Path, env_files: Iterable[str]) -> str | None:
    """What the folder's `.env` says of one of Compose's own variables, or the files in its place: the last of them."""
    found = None
    for file in list(env_files) or [str(folder / ".env")]:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = Path(file).read_text(encoding="utf-8-sig")
            pattern = rf"^[ \t]*(?:export[ \t]+)?{name}[ \t]*=[ \t]*(\"[^\"\n]*\"|'[^'\n]*'|[^#\n]*)"
            for value in re.findall(pattern, text, re.M):
                found = value.strip().strip("\"'")
    return found


def absolute(file: Path | str) -> Path:
    """Where a file is, by one name for each folder. A link to the file itself stays one: what is relative in it begins
    where the link is, as for Compose."""
    folder, name = os.path.split(os.path.abspath(file))
    return Path(os.path.realpath(folder)) / name


def _of_files(files: Sequence[Path], shown: Sequence[str], *, strict: bool) -> Source:
    for file, name in zip(files, shown, strict=True):
        if strict and not os.path.isfile(file):
            raise LabError("topology-missing", name=brief(name), near="", builtin=", ".join(names()))
    paths = [absolute(file) for file in files]
    return Source(paths[0], more=tuple(paths[1:]), shown=tuple(shown))


def _of_size(base: str, count: int) -> Source:
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
