"""Which `labctl` it is that a person gets who types that word: this one, or another one that comes first on the PATH.

`labctl` is also the name of somebody else's distribution on PyPI, and of another product's command.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

NAME, OTHER_NAME = "labctl", "wirelab"
LIMIT = 10  # seconds for the package manager to say whose a file is


def this_one() -> Path:
    """The command that belongs to the Python that runs now."""
    began = Path(sys.argv[0])
    if began.name in (NAME, OTHER_NAME) and began.is_file():
        return began.absolute()
    return Path(sysconfig.get_path("scripts")) / NAME


def found(name: str = NAME) -> Path | None:
    """What the PATH leads to, None where it leads nowhere."""
    there = shutil.which(name)
    return Path(there).absolute() if there else None


def is_this(other: Path, this: Path) -> bool:
    """The same file, also by links, or the same installation's under its other name."""
    return Path(os.path.realpath(other)).with_name(NAME) == Path(os.path.realpath(this)).with_name(NAME)


def owner(file: Path) -> str:
    """The distribution that a command was installed by, in a few words; "" where that can't be known."""
    real = Path(os.path.realpath(file))
    for record in sorted(real.parent.parent.glob("lib*/python3*/*-packages/*.dist-info/RECORD")):
        if _is_in(record, real):
            name, _, version = record.parent.name.removesuffix(".dist-info").partition("-")
            return f"the Python distribution {name} {version}"
    return _package(real)


def _is_in(record: Path, file: Path) -> bool:
    """Whether a distribution's list of files, whose paths begin at the folder of all distributions, has a file."""
    try:
        lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    names = (line.rsplit(",", 2)[0].strip('"') for line in lines if file.name in line)
    return any(os.path.realpath(record.parent.parent / name) == str(file) for name in names)


def _package(file: Path) -> str:
    """As the machine's own package manager has it."""
    for command, words in ((["dpkg-query", "--search"], "Debian"), (["rpm", "--query", "--file"], "RPM")):
        if not shutil.which(command[0]):
            continue
        try:
            done = subprocess.run(
                [*command, str(file)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return f"the {words} package {done.stdout.partition(': ')[0].strip()}"
    return ""
