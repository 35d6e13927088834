"""Does what a lesson types: labctl's own command line, as a learner would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl import environment
from labctl.lesson.written.model import Typed

LIMIT = 60.0  # seconds for one command
OUTPUT_LIMIT = 1 << 20  # characters


@dataclass(frozen=True)
class Output:
    """What a command has written: `text` both streams in order, as a terminal shows them; `data` standard output."""

    typed: Typed
    text: str
    data: str
    status: int
    seconds: float

    @property
    def lines(self) -> list[str]:
        """As a console block has it: with the exit status in a last line, where it isn't 0."""
        found = self.text.rstrip("\n").split("\n") if self.text.strip() else []
        return [*found, f"[exit {self.status}]"] if self.status else found

    @property
    def json(self) -> Any:
        """What it printed, if that is JSON."""
        with suppress(ValueError, RecursionError):  # RecursionError: thousands of brackets
            return json.loads(self.data)
        return None


@dataclass(frozen=True)
class Shell:
    """Where command lines run: the lesson's folder, with the lesson's lab as the one that commands are about."""

    folder: Path
    lab: str
    columns: int = 80

    def run(self, typed: Typed, limit: float = LIMIT) -> Output:
        """Runs it to its end; one that takes longer is ended, and its status is 124, as timeout(1) has it."""
        begun = time.monotonic()
        every = environment.variables()
        variables = {name: value for name, value in every.items() if not name.startswith("LABCTL_LAB")}
        variables |= {"LABCTL_LAB": self.lab, "COLUMNS": str(self.columns), "NO_COLOR": "1", "TERM": "dumb"}
        # -P: the lesson's folder may hold a program with the name of a module.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labctl", *typed.arguments],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            text, _ = process.communicate(timeout=limit)
            status = process.returncode
        except subprocess.TimeoutExpired:
            text, status = _ended(process), 124
        except BaseException:
            _ended(process)
            raise
        return Output(typed, text[:OUTPUT_LIMIT], text, status, time.monotonic() - begun)

    def run_all(self, typed: Sequence[Typed], seen: Callable[[Output], None] = lambda output: None) -> list[Output]:
        out = []
        for one in typed:
            out.append(self.run(one))
            seen(out[-1])
        return out


def _ended(process: subprocess.Popen[str]) -> str:
    """Ends it in order, so that it takes back what it began; what it wrote."""
    for way in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, way)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)[0]
    return ""
