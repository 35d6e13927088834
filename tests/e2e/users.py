"""Users of this machine, made for a test: each with a home of its own, and with the right to use the engine."""

import contextlib
import grp
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outside import ROOT, Result, begin_command, environment, run_command

SOCKET = Path("/var/run/docker.sock")


class User:
    """`run` and `begin` are labctl's, run by that user, who has neither a session nor anything else of root's."""

    def __init__(self, name: str, uid: int, gid: int, home: Path) -> None:
        self.name, self.uid, self.gid, self.home = name, uid, gid, home

    def command(self, *args: str) -> list[str]:
        return [*self._as(), *_python(self._as()), "-m", "labctl", *args]

    def plain(self, *command: str) -> Result:
        """Any command, run by that user."""
        return run_command([*self._as(), *command], timeout=20, **self.variables())

    def run(self, *args: str, timeout: float = 60, **options: Any) -> Result:
        return run_command(self.command(*args), timeout=timeout, cwd=self.home, **{**self.variables(), **options})

    def begin(self, *args: str, **options: Any) -> subprocess.Popen[bytes]:
        return begin_command(self.command(*args), cwd=self.home, **{**self.variables(), **options})

    def variables(self) -> dict[str, str | None]:
        gone = dict.fromkeys(("XDG_RUNTIME_DIR", "DOCKER_CONFIG", "DOCKER_HOST", "DOCKER_CONTEXT"))
        path = f"{ROOT}:{_packages()}"
        return {**gone, "HOME": str(self.home), "USER": self.name, "LOGNAME": self.name, "PYTHONPATH": path}

    def _as(self) -> list[str]:
        groups = f"{self.gid},{SOCKET.stat().st_gid}"
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", f"--groups={groups}"]


def _packages() -> str:
    import click

    return str(Path(click.__file__).parents[1])


def _python(as_user: list[str]) -> list[str]:
    """The Python of these tests, or one of the same kind that everybody may execute. Where there is none (root's own
    Python, say, and no other), the user may read what root may read, and nothing more."""
    version = f"python3.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        command = [*as_user, candidate, "-c", "import labctl.cli.app, yaml"]
        path = environment(PYTHONPATH=f"{ROOT}:{_packages()}")
        with contextlib.suppress(OSError):
            if subprocess.run(command, env=path, capture_output=True, timeout=60, check=False).returncode == 0:
                return [candidate]
    return ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", sys.executable]


@contextlib.contextmanager
def made(*names: str) -> Iterator[list[User]]:
    """Users with these names behind which nobody else's can hide, in the group of the engine's socket."""
    there: list[User] = []
    try:
        for name in names:
            found = f"{name}{secrets.token_hex(2)}"
            done = run_command(["useradd", "--create-home", "--user-group", found], timeout=30)
            assert done.returncode == 0, done
            identity = run_command(["id", "-u", found], timeout=10)
            group = grp.getgrnam(found).gr_gid
            there.append(User(found, int(identity.stdout), group, Path(os.path.expanduser(f"~{found}"))))
        yield there
    finally:
        for user in there:
            run_command(["userdel", "--remove", user.name], timeout=30)
            shutil.rmtree(f"/tmp/labctl-{user.uid}", ignore_errors=True)
