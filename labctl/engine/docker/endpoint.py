"""Where the engine is: DOCKER_HOST, the Docker context, or the usual sockets, in the order of Docker's own client."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from labctl.errors import LabError
from labctl.named import NamedTuple

DEFAULT = "unix:///var/run/docker.sock"
ROOTLESS, DESKTOP = "rootless Docker", "Docker Desktop"


class Endpoint(NamedTuple):
    """An engine's address.

    `url` is unix://PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]; `source` says who chose it, for people; `tls` is
    a folder with ca.pem, cert.pem and key.pem, None for no TLS; `verify` is False where the context says so. What is
    `told` is an engine that Docker's own client would not find by itself: `environment` tells it.
    """

    url: str
    source: str
    tls: Path | None = None
    verify: bool = True
    told: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What tells Docker's own client to use this engine; nothing where it does so by itself."""
        if not self.told:
            return {}
        # An empty DOCKER_CONTEXT would count as one; DOCKER_HOST goes before any.
        verify = {"DOCKER_TLS_VERIFY": "1"} if self.verify else {"DOCKER_TLS": "1", "DOCKER_TLS_VERIFY": ""}
        secured = {"DOCKER_CERT_PATH": str(self.tls), **verify} if self.tls else {"DOCKER_TLS_VERIFY": ""}
        return {"DOCKER_HOST": self.url, **secured}

    @property
    def is_local(self) -> bool:
        """The engine runs on this machine, as far as its address tells."""
        return self.url.startswith(("unix://", "npipe://"))

    @property
    def machine(self) -> str | None:
        """The machine that its address names, None for this one: `tcp://localhost` is taken for what it says."""
        host = "" if self.is_local else urlsplit(self.url).hostname or ""
        return None if host in ("", "localhost", "::1") or host.startswith("127.") else host


def find(environ: Mapping[str, str] | None = None) -> Endpoint:
    """The engine in use. Raises LabError `engine-endpoint` where what chooses it can't be understood."""
    env = os.environ if environ is None else environ
    config = Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME") or Path.home()) / ".docker")
    if env.get("DOCKER_HOST"):
        return _from_host(env, config)
    name = env.get("DOCKER_CONTEXT") or _current_context(config)
    if name and name != "default":
        return _from_context(name, config)
    return _usual(env)


def of_context(name: str, environ: Mapping[str, str] | None = None) -> Endpoint:
    """The engine that a Docker context names. Raises LabError `engine-endpoint`."""
    env = os.environ if environ is None else environ
    if name == "default":
        return _usual(env)
    return _from_context(name, Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME") or Path.home()) / ".docker"))


def _usual(env: Mapping[str, str]) -> Endpoint:
    for path, source in _usual_sockets(env):
        if _is_socket(path):
            return Endpoint(f"unix://{path}", source, told=source in (ROOTLESS, DESKTOP))
    return Endpoint(DEFAULT, "the default")


def _from_host(env: Mapping[str, str], config: Path) -> Endpoint:
    url = env["DOCKER_HOST"]
    if not url.startswith(("unix://", "tcp://", "ssh://", "npipe://", "http://", "https://")):
        raise LabError("engine-endpoint", where="DOCKER_HOST", why=f"{url!r} is no unix://, tcp:// or ssh:// address")
    tls = Path(env.get("DOCKER_CERT_PATH") or config) if env.get("DOCKER_TLS_VERIFY") else None
    return Endpoint(url, "DOCKER_HOST", tls)


def _current_context(config: Path) -> str | None:
    try:
        found = json.loads((config / "config.json").read_text()).get("currentContext")
    except (OSError, ValueError, AttributeError):
        return None  # no configuration, or one that Docker's own client would complain about
    return found if isinstance(found, str) else None


def _from_context(name: str, config: Path) -> Endpoint:
    import hashlib

    # Docker keeps each context in a folder named for the SHA-256 of its name.
    digest = hashlib.sha256(name.encode()).hexdigest()
    try:
        found = json.loads((config / "contexts" / "meta" / digest / "meta.json").read_text())
        docker = found["Endpoints"]["docker"]
        url = docker["Host"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise LabError(
            "engine-endpoint", where=f"the Docker context {name}", why=f"it can't be read ({problem})"
        ) from None
    tls = config / "contexts" / "tls" / digest / "docker"
    verify = not docker.get("SkipTLSVerify", False)
    return Endpoint(url, f"the context {name}", tls if tls.is_dir() else None, verify)


def _usual_sockets(env: Mapping[str, str]) -> list[tuple[Path, str]]:
    home = Path(env.get("HOME") or Path.home())
    found = [(Path("/var/run/docker.sock"), "the default")]
    if env.get("XDG_RUNTIME_DIR"):
        found.append((Path(env["XDG_RUNTIME_DIR"]) / "docker.sock", ROOTLESS))
    found += [
        (home / ".docker/run/docker.sock", DESKTOP),
        (home / ".docker/desktop/docker.sock", DESKTOP),
    ]
    return found


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
