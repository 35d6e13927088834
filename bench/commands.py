"""Runs others' programs: always with a limit, never left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 20.0  # seconds that a program gets to take back what it began


class Failed(Exception):
    """A program failed or took too long; its last words."""


@dataclass(frozen=True)
class Ran:
    seconds: float
    out: str


def labctl() -> str:
    """The `labctl` of the environment that this runs in, as a user would start it."""
    return str(Path(sys.executable).parent / "labctl")


def docker() -> str:
    found = shutil.which("docker")
    if not found:
        raise Failed("the command `docker` is not on the PATH")
    return found


def run(command: Sequence[str], limit: float, variables: Mapping[str, str] | None = None) -> Ran:
    """Runs a program to its end and takes the time. Raises Failed where it fails or takes over `limit` seconds."""
    started = time.perf_counter()
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **(variables or {})},
        start_new_session=True,  # so that all of it can be ended, and a ^C at the terminal comes to us alone
    )
    try:
        out, err = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        _end(child)
        raise Failed(f"`{_shown(command)}` took over {limit:g} s") from None
    except BaseException:
        _end(child)
        raise
    seconds = time.perf_counter() - started
    if child.returncode:
        raise Failed(f"`{_shown(command)}` failed ({child.returncode}): {_last_words(err or out)}")
    return Ran(seconds, out)


def _end(child: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.communicate(timeout=PATIENCE)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _shown(command: Sequence[str]) -> str:
    words = [Path(command[0]).name, *command[1:]]
    return " ".join(word if len(word) < 60 else word[:57].replace("\n", " ") + "..." for word in words)


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-5:]) or "it said nothing"
