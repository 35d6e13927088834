"""Wireshark's personal folder of programs that capture for it, and labctl's place in it (extcap(4))."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from labctl.errors import LabError

NAME = "labctl-extcap"
MARK = "# Made by `labctl capture --install-extcap`, which may also replace it."
LIMIT = 30  # seconds for Wireshark to say where its folders are
_FOLDER = re.compile(r"^Personal Extcap path:\s*(\S.*)$", re.MULTILINE)


def folder() -> Path:
    """As the Wireshark that is here says by itself: newer ones look in ~/.local/lib, older ones beside their settings,
    which XDG_CONFIG_HOME moves. Where there is none, it is where the next one will look."""
    for program in ("tshark", "wireshark"):
        found = shutil.which(program)
        told = _FOLDER.search(_ask(found)) if found else None
        if told:
            return Path(told[1].strip())
    return Path.home() / ".local" / "lib" / "wireshark" / "extcap"


def _ask(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "-G", "folders"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def installed() -> Path | None:
    """The program that `install` has put there, None where there is none, or somebody else's."""
    file = folder() / NAME
    try:
        return file if file.is_file() and MARK in file.read_text(errors="replace") else None
    except OSError:
        return None


def install() -> Path:
    """Puts a program into the folder that runs this very labctl; its path. Raises LabError `extcap-taken`,
    `file-unwritable`."""
    file = folder() / NAME
    # -P: whatever lies in the folder from which Wireshark was started is no part of labctl.
    run = f'exec {shlex.quote(sys.executable)} -P -m labctl.cli.extcap "$@"'
    try:
        there = file.is_symlink() or file.exists()
        if there and not (file.is_file() and MARK in file.read_text(errors="replace")):
            raise LabError("extcap-taken", file=file)
        file.parent.mkdir(parents=True, exist_ok=True)
        made = file.with_name(f".{NAME}.{os.getpid()}")
        made.unlink(missing_ok=True)
        with made.open("x") as out:  # a new file, whatever somebody may have put there
            out.write(f"#!/bin/sh\n{MARK}\n{run}\n")
        made.chmod(0o755)
        made.replace(file)
    except OSError as problem:
        raise LabError("file-unwritable", file=file, why=problem.strerror or problem) from None
    return file
