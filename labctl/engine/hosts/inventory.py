"""The file with the machines that `labctl hosts add` was told of.

It is this user's: $XDG_CONFIG_HOME/labctl/hosts.json (~/.config by default). Who reads it sees one whole version of it;
of several who change it at once, each changes what the one before has left.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.engine.hosts.host import TLS_FILES, Host, check_address, check_name, endpoint
from labctl.errors import LabError, nearest

if TYPE_CHECKING:
    from labctl.engine.docker.client import DockerEngine

VERSION = 1
LOCK_LIMIT = 10.0  # seconds
RETRY = 0.01


def file() -> Path:
    """Where it is, or would be."""
    chosen = os.environ.get("XDG_CONFIG_HOME") or ""
    top = Path(chosen) if chosen.startswith("/") else Path(os.environ.get("HOME") or Path.home()) / ".config"
    return top / "labctl" / "hosts.json"


def load() -> dict[str, Host]:
    """The machines by name, in the order in which they were added. Raises LabError `hosts-file`."""
    try:
        text = file().read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        raise _unusable(getattr(problem, "strerror", None) or "it isn't UTF-8") from None
    return _parsed(text)


def chosen(names: list[str] | tuple[str, ...]) -> dict[str, Host]:
    """Those of some names, each once; all without any. Raises LabError `host-unknown`, `no-hosts`, `hosts-file`."""
    known = load()
    if not known and not names:
        raise LabError("no-hosts")
    for name in names:
        if name not in known:
            raise LabError("host-unknown", name=name, near=nearest(name, known))
    return {name: known[name] for name in dict.fromkeys(names)} if names else known


def add(
    name: str,
    address: str,
    *,
    ca: Path | None = None,
    cert: Path | None = None,
    key: Path | None = None,
    replace: bool = False,
) -> Host:
    """Adds a machine; with `replace` in the place of one of that name. Nothing is sent to it.

    `ca`, `cert` and `key` are files: the authority of its certificate, and this user's own certificate and key. They
    stay where they are.

    Raises LabError `host-name`, `host-address`, `host-there`, `hosts-file`, `engine-endpoint`.
    """
    check_name(name)
    check_address(address)
    files = {kind: path for kind, path in zip(TLS_FILES, (ca, cert, key), strict=True) if path}
    _check_files(address, files)
    with _changing() as known:
        if name in known and not replace:
            raise LabError("host-there", name=name, address=known[name].address)
        folder = _linked(name, files)
        known[name] = Host(name, address, folder)
    return known[name]


def remove(name: str) -> Host:
    """Takes a machine out; nothing is sent to it. Raises LabError `host-unknown`, `hosts-file`."""
    with _changing() as known:
        if name not in known:
            raise LabError("host-unknown", name=name, near=nearest(name, known))
        gone = known.pop(name)
        _linked(name, {})
    return gone


def connect(host: Host) -> DockerEngine:
    """The engine of a machine; nothing is sent to it yet. Raises LabError `engine-endpoint`."""
    from labctl.engine.docker.client import DockerEngine

    return DockerEngine(endpoint(host))


def _parsed(text: str) -> dict[str, Host]:
    try:
        found = json.loads(text)
        version = found["schema_version"]
        if version == VERSION:
            items = found["hosts"].items()
            return {name: Host(name, str(one["address"]), _path(one.get("tls"))) for name, one in items}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _unusable("it isn't what `labctl hosts add` writes") from None
    raise _unusable(f"it has version {version}, and this labctl knows {VERSION}")


def _path(text: object) -> Path | None:
    return Path(str(text)) if text else None


@contextlib.contextmanager
def _changing() -> Iterator[dict[str, Host]]:
    """What is in it now, to be changed; it is written at the end of the block, unless that raised something."""
    place = file()
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(place.with_suffix(".lock")):
            known = load()
            yield known
            _write(place, known)
    except OSError as problem:
        raise _unusable(problem.strerror or str(problem)) from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_LIMIT
    try:
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _unusable(f"another labctl has been changing it for {LOCK_LIMIT:g} s") from None
                time.sleep(RETRY)
        yield
    finally:
        os.close(number)


def _write(place: Path, known: Mapping[str, Host]) -> None:
    """Whole, or not at all: a new file takes the old one's place."""
    hosts = {
        host.name: {"address": host.address, **({"tls": str(host.tls)} if host.tls else {})} for host in known.values()
    }
    text = json.dumps({"schema_version": VERSION, "hosts": hosts}, ensure_ascii=False, indent=2) + "\n"
    new = place.with_suffix(".new")
    new.unlink(missing_ok=True)
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(number)
    new.replace(place)


def _check_files(address: str, files: Mapping[str, Path]) -> None:
    why = ""
    if files and not address.startswith("tcp://"):
        why = "TLS is for tcp:// alone: ssh has keys of its own, and a context its own files"
    elif ("cert" in files) != ("key" in files):
        why = "a certificate and its key go together (--tls-cert, --tls-key)"
    for kind, path in files.items():
        try:
            path.open("rb").close()
        except OSError as problem:
            why = why or f"--tls-{kind} {path}: {problem.strerror}"
    if why:
        raise LabError("host-address", address=address, why=why)


def _linked(name: str, files: Mapping[str, Path]) -> Path | None:
    """A folder with links to the files, under the names that Docker's own client looks for; it is gone without any."""
    folder = file().parent / "tls" / name
    for kind in TLS_FILES:
        (folder / f"{kind}.pem").unlink(missing_ok=True)
    if not files:
        with contextlib.suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for kind, path in files.items():
        (folder / f"{kind}.pem").symlink_to(path.absolute())
    return folder


def _unusable(why: str) -> LabError:
    return LabError("hosts-file", file=file(), why=why)
