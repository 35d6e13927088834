"""What Compose says while it works, and what is known of it when labctl is interrupted."""

import subprocess
import sys
import time

import pytest

from labctl.engine.compose import progress

LINES = [
    " Network x_lab  Creating",
    " Network x_lab  Created",
    " Container x-a-1  Creating",
    " Container x-b-1  Creating",
]


def test_what_came_with_the_line_that_was_interrupted_is_known():
    """Lines that arrive together: a signal at the first of them must not lose the others."""

    def report(text: str) -> None:
        if text.endswith("Created"):
            raise KeyboardInterrupt

    said: list[str] = []
    text = "".join(f"{line}\n" for line in LINES)
    command = [sys.executable, "-c", f"import os; os.write(2, {text.encode()!r})"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as child, pytest.raises(KeyboardInterrupt):
        progress.read(child, report, time.monotonic() + 20, said)
    assert said == [line.strip() for line in LINES]
    assert progress.unfinished(said) == {"x-a-1", "x-b-1"}
