"""A folder of this machine for a container on another one, where nothing of this machine can be mounted: its files are
sent into a volume of the container's own, which its program, not being root, can only read."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from urllib.parse import quote

from labctl.engine.docker.wire import Refused, Wire, explained
from labctl.errors import LabError

LIMIT = 120.0  # seconds
MOST = 256 * 1024**2  # bytes


def send(wire: Wire, container: str, folder: str, place: str, machine: str) -> None:
    """What is new or changed takes the place of what was sent before; what is gone here stays there.

    Raises LabError `folder-not-sent`, `engine-refused`.
    """
    with tempfile.TemporaryDirectory(prefix="labctl-folder-") as room:
        archive = Path(room, "folder.tar")
        _pack(Path(folder), archive, machine)
        path = f"/containers/{container}/archive?path={quote(place, safe='')}"
        try:
            response = wire.stream("PUT", path, file=archive, limit=LIMIT)
            response.sock.close()
        except Refused as refusal:
            raise explained(f"take {folder}", refusal) from None


def _pack(folder: Path, archive: Path, machine: str) -> None:
    size = 0

    def owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal size
        size += member.size
        if size > MOST:
            why = f"it holds more than {MOST >> 20} MiB"
            raise LabError("folder-not-sent", folder=folder, machine=machine, why=why)
        if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            return None  # a socket or a device is of no use elsewhere
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mode &= ~0o022
        return member

    try:
        with tarfile.open(archive, "w") as tar:
            tar.add(folder, arcname=".", filter=owned_by_root)
    except OSError as problem:
        why = f"{problem.filename or folder}: {problem.strerror}"
        raise LabError("folder-not-sent", folder=folder, machine=machine, why=why) from None
