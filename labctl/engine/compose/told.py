"""What Compose has told that it will tell again (labctl.kept).

To ask takes a twentieth of a second of a core, while the engine or labctl's own start need both. An answer counts for
as long as all that it depends on is the same: a digest of that is the file's name. What depends on more than can be
seen here is asked each time, and so is all where no such files can be read or written.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from labctl.engine.compose import plugin
from labctl.kept import LONGEST
from labctl.sha import sha256

_ELSEWHERE = r"env_file|label_file|include|extends"  # what is in other files, too
_SHELLS = ("_", "OLDPWD", "SHLVL")  # variables that say how a shell came to its command, and nothing to Compose
_WORD = r"[A-Za-z_][A-Za-z0-9_]*"


def version() -> str | None:
    """A question: which version it is. None, as of all of them, where there is no telling what the answer is about."""
    return _question(("version",))


def reading(arguments: Sequence[str], files: Sequence[Path], variables: Mapping[str, str]) -> str | None:
    """A question: what it makes of files. Not where variables come from a file, or where one of the environment's is
    named in them: what that holds may be secret, and isn't to be left on a disk."""
    written = _written(files)
    if written is None or "--env-file" in arguments or variables.get("COMPOSE_ENV_FILES"):
        return None
    if any(os.path.lexists(os.path.join(folder, ".env")) for folder in (".", files[0].parent)):
        return None
    if any(not variables.keys().isdisjoint(re.findall(_WORD, text)) for text in written):
        return None
    try:
        return _question(("reading", os.getcwd(), *arguments, "", *written, "", *_named(variables)))
    except OSError:
        return None  # that folder is gone


def digests(
    options: Sequence[str], files: Sequence[Path], text: str | None, made: str, variables: Mapping[str, str]
) -> str | None:
    """A question: the digests of the services in files, or in a text in their place, of which it made a reading just
    now."""
    written = _written(files, text)
    if written is None:
        return None
    return _question(("digests", *options, "", *written, "", made, "", *_named(variables)))


def _question(parts: Iterable[str]) -> str | None:
    """By all that the answer depends on, the program first: None where Docker's client chooses that."""
    program = plugin.find()
    try:
        found = os.stat(program or "")
    except OSError:
        return None
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    every = (program or "", *map(str, state), *parts)
    return sha256("\0".join(every).encode("utf-8", "surrogateescape")).hexdigest()


def _written(files: Iterable[Path], text: str | None = None) -> list[str] | None:
    """What stands in files, or a text in their place; None where that isn't all that Compose reads."""
    try:
        found = [text] if text is not None else [_text(file) for file in files]
    except OSError:
        return None
    return None if any(re.search(_ELSEWHERE, one) for one in found) else found


def _text(file: Path) -> str:
    """Raises OSError, also of what has no end, or none that comes soon: Compose is asked in a process with limits."""
    found = os.stat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_size > LONGEST:
        raise OSError
    return file.read_text(encoding="utf-8", errors="surrogateescape")


def _named(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(variables.items()) if name not in _SHELLS]
