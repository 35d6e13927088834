"""Compose's own program, run without Docker's client before it.

The client puts a plugin into a process group of its own, where nothing of ours reaches it; and it looks at every plugin
of the machine first, which takes longer than reading a file.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

MEMORY = 1 << 20  # KiB that reading may take; a thousand services take a tenth of it
_SYSTEM = ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
_NO_ENGINE = ("-H", "unix:///dev/null")  # Docker's own option; Compose takes it before all others
# Go's settings for a process that ends soon: a fifth of the time that it takes to read a file went into looking for
# garbage. Near the limit it is looked for as ever, and whoever set them is right.
_LIMITED = 'ulimit -d "$0" 2>/dev/null; export GOGC="${GOGC-400}" GOMEMLIMIT="${GOMEMLIMIT-512MiB}"; exec "$@"'


def reader(docker: str) -> list[str]:
    """The command that reads Compose files, the verb and its options left out; its memory is limited.

    Go's reserve of addresses is large, so the limit is on what it can write to. Where it is run alone it is told of an
    engine that isn't there: it would ask one whether that is Docker Desktop's, for a fifth of the time that it takes to
    read a file, and needs none for that.
    """
    command = program(docker)
    return ["/bin/sh", "-c", _LIMITED, str(MEMORY), *command, *(_NO_ENGINE if len(command) == 1 else ())]


def program(docker: str) -> list[str]:
    """The command that is Compose, the verb and its options left out."""
    found = find()
    return [found] if found else [docker, "compose"]


def find() -> str | None:
    """The plugin's program where Docker's client would find it, None where that is the client's business.

    A configuration that is another user's (after `sudo` or `su`) is: it says best why it can't be read.
    """
    config = _configuration()
    try:
        if os.stat(config).st_uid != os.geteuid():
            return None
    except OSError:
        pass  # there is none
    for folder in _folders(config):
        file = os.path.join(folder, "docker-compose")
        if os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    return None


def settings() -> Mapping[str, Any]:
    """What the configuration of Docker's client says; nothing where it can't be read."""
    try:
        with open(os.path.join(_configuration(), "config.json"), encoding="utf-8") as file:
            import json  # most have no such file

            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _configuration() -> str:
    return os.environ.get("DOCKER_CONFIG") or os.path.join(os.environ.get("HOME") or "/", ".docker")


def _folders(config: str) -> Iterator[str]:
    """In the order of Docker's client."""
    found = settings().get("cliPluginsExtraDirs") or []
    if isinstance(found, list):
        yield from (str(folder) for folder in found)
    yield os.path.join(config, "cli-plugins")
    yield from (f"{folder}/docker/cli-plugins" for folder in _SYSTEM)
