"""The Debian image under all of labctl's own: the one that is there, one from a registry, or one made from packages."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from labctl.engine.model import Engine
from labctl.errors import LabError

OFFICIAL = "debian:trixie-slim"
MADE = "labctl/debian:trixie"
SUITE = "trixie"
PULL_LIMIT = 600
BOOTSTRAP_LIMIT = 900
LAST_LINES = 10  # of a tool that failed
# What debian:trixie-slim leaves out as well.
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


def find(engine: Engine, environ: Mapping[str, str]) -> str | None:
    """The base image that is there already, None where one has to be had first."""
    chosen = environ.get("LABCTL_DEBIAN")
    return chosen or next((name for name in (OFFICIAL, MADE) if engine.image(name)), None)


def ensure(engine: Engine, report: Callable[[str], None]) -> str:
    """The name of a Debian base image that is there. Raises LabError `base-image`."""
    found = find(engine, os.environ)
    if found:
        return found
    why = _pull(engine, report)
    if why is None:
        return OFFICIAL
    report("no container registry answers: making the base image from Debian's packages, once (about a minute)")
    _bootstrap(engine, why)
    if engine.image(MADE) is None:
        raise LabError("base-image", why="the engine took the archive and has no image of it")
    return MADE


def _pull(engine: Engine, report: Callable[[str], None]) -> str | None:
    """Pulls the official image; None when that worked, else why not."""
    why = engine.registry_answers(OFFICIAL)
    if why is None:
        report(f"pulling {OFFICIAL}")
        why = engine.pull(OFFICIAL, PULL_LIMIT)
    return why


def _bootstrap(engine: Engine, why: str) -> None:
    """Makes the image with mmdebstrap, from the mirror that it takes by itself."""
    tool = shutil.which("mmdebstrap") or _install_mmdebstrap(why)
    with tempfile.TemporaryDirectory(prefix="labctl-base-") as folder:
        # To a file, not through a pipe: a bootstrap that fails half-way must not become an image.
        archive = Path(folder) / "base.tar"
        options = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
        command = [tool, "--quiet", "--variant=minbase", *options, SUITE, str(archive)]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=BOOTSTRAP_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise LabError("base-image", why=f"mmdebstrap took over {BOOTSTRAP_LIMIT} s") from None
        if result.returncode:
            raise LabError("base-image", why=f"the registry said: {why}; mmdebstrap said:\n{_last(result.stderr)}")
        problem = engine.import_image(archive, MADE, PULL_LIMIT)
        if problem:
            raise LabError("base-image", why=problem)


def _install_mmdebstrap(why: str) -> str:
    """Installs the tool where that is ours to do: as root on Debian or Ubuntu, unless LABCTL_NO_INSTALL=1."""
    reason = f"the registry said: {why}; and mmdebstrap, which would make one, is not installed"
    if os.environ.get("LABCTL_NO_INSTALL") == "1":
        raise LabError("base-image", why=reason + " (LABCTL_NO_INSTALL=1 forbids installing it)")
    if platform.system() != "Linux" or os.getuid() != 0 or not shutil.which("apt-get"):
        raise LabError("base-image", why=reason)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = ["mmdebstrap", "debian-archive-keyring"]
    for command in (["update"], ["install", "--no-install-recommends", "-y", *packages]):
        result = subprocess.run(
            ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *command],
            capture_output=True,
            text=True,
            timeout=BOOTSTRAP_LIMIT,
            env=environment,
            check=False,
        )
        if result.returncode:
            raise LabError("base-image", why=f"apt-get said:\n{_last(result.stderr)}")
    return shutil.which("mmdebstrap") or "mmdebstrap"


def _last(text: str) -> str:
    """The last lines of what a program said; the very last one seldom holds the reason."""
    lines = text.strip().splitlines()[-LAST_LINES:] or ["nothing"]
    return "\n".join(f"    {line}" for line in lines)
