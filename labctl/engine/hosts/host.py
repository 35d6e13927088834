"""A machine with an engine: its name, and where that engine is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from labctl.errors import LabError
from labctl.named import NamedTuple

if TYPE_CHECKING:
    from labctl.engine.docker.endpoint import Endpoint

CONTEXT = "context:"
_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"  # as a host's label (RFC 1123), in small letters
_SCHEMES = ("ssh", "tcp", "unix")
TLS_FILES = ("ca", "cert", "key")
LONGEST = 2048  # characters of an address


class Host(NamedTuple):
    """`address` is ssh://[USER@]HOST[:PORT], tcp://HOST:PORT, unix://PATH or context:NAME; `tls` is a folder with
    ca.pem, cert.pem and key.pem, None where there is no TLS, or the context has its own."""

    name: str
    address: str
    tls: Path | None = None

    @property
    def is_open(self) -> bool:
        """Whoever reaches its port may do with the machine what root may: nothing asks who it is."""
        url = urlsplit(self.address)
        return url.scheme == "tcp" and self.tls is None and not _is_loopback(url.hostname or "")

    @property
    def reached_at(self) -> str:
        """The machine's name or address as far as this one's address tells it; "" where it doesn't."""
        url = urlsplit(self.address)
        known = url.scheme in ("ssh", "tcp") and not _is_loopback(url.hostname or "")
        return url.hostname or "" if known else ""

    def as_json(self) -> dict[str, str | bool | None]:
        """As `labctl hosts ls --json` has it."""
        return {"host": self.name, "address": self.address, "tls": str(self.tls) if self.tls else None}


def check_name(name: str) -> None:
    """Raises LabError `host-name`."""
    if not re.fullmatch(_NAME, name):
        raise LabError("host-name", name=name)


def check_address(address: str) -> None:
    """Raises LabError `host-address`, and `engine-endpoint` where there is no such context."""
    why = _mistake(address)
    if why:
        raise LabError("host-address", address=address, why=why)
    if address.startswith(CONTEXT):
        from labctl.engine.docker.endpoint import of_context

        of_context(address.removeprefix(CONTEXT))


def endpoint(host: Host) -> Endpoint:
    """Where its engine is, for the wire and for Docker's own client. Raises LabError `engine-endpoint`."""
    from labctl.engine.docker.endpoint import Endpoint, of_context

    source = f"the host {host.name}"
    if host.address.startswith(CONTEXT):
        return of_context(host.address.removeprefix(CONTEXT))._replace(source=source, told=True)
    return Endpoint(host.address, source, host.tls, told=True)


def _mistake(address: str) -> str:
    if address.startswith(CONTEXT):
        return "" if address != CONTEXT else "the context has no name"
    if len(address) > LONGEST:
        return f"it has more than {LONGEST} characters"
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError as problem:
        return str(problem)
    if url.scheme not in _SCHEMES:
        return "it begins with none of ssh://, tcp://, unix://, context:"
    if url.scheme == "unix":
        return "" if url.path.startswith("/") and not url.netloc else "a socket's whole path is unix:///PATH"
    if not url.hostname or any(part in address for part in " \t\n") or url.hostname.startswith("-"):
        return "it names no machine"
    if url.path not in ("", "/") or url.query or url.fragment:
        return "nothing may follow the machine and the port"
    if url.scheme == "tcp" and port is None:
        return "a port is missing: 2376 is usual with TLS, 2375 without"
    if url.password is not None or (url.username and url.scheme != "ssh"):
        return "it can't hold a password; ssh takes one key of yours by itself (~/.ssh/config)"
    return ""


def _is_loopback(name: str) -> bool:
    return name in ("localhost", "::1") or name.startswith("127.")
