"""A command in a container, as `docker exec` runs it.

Not the SDK's `exec_run`: it reads the socket below the one that has read the head of the answer, and what came together
with the head is lost (https://github.com/docker/docker-py/issues/2042). On a busy machine that is all that one command
of thirty printed.
"""

import shutil
import subprocess
from typing import NamedTuple

LONGEST = 120.0  # seconds


class Done(NamedTuple):
    status: int
    out: str
    err: str


def execute(container: str, *command: str, user: str | None = None, timeout: float = LONGEST) -> Done:
    """Runs it in the container of this id, as its own user if none is named, until it ends."""
    client = shutil.which("docker")
    assert client, "the tests need Docker's command line"
    options = [] if user is None else ["--user", user]
    done = subprocess.run(
        [client, "exec", *options, container, *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
