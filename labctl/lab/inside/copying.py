"""Copies files and folders between a node and this machine, as `docker cp` does, in memory file systems too."""

from __future__ import annotations

import errno
import json
import os
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from labctl.engine.model import LABEL_LAB, LABEL_PROBE, LABEL_PROBED, LABEL_TARGET, Engine, ProbeOrder, Stream
from labctl.errors import LabError
from labctl.lab.inside import archives, carrier
from labctl.lab.inside.archives import Carried, Pieces
from labctl.lab.inside.execution import exit_status
from labctl.lab.model import Lab, Node

HELPER_LIMIT = 3600  # seconds; a helper whose labctl was killed is gone after that
RIGHTS = ("DAC_OVERRIDE", "FOWNER", "SYS_CHROOT", "SYS_PTRACE")


@dataclass(frozen=True)
class Spot:
    """One end of a copy: a path of a node, or (`node` is None) one of this machine; `-` is an archive."""

    node: str | None
    path: str

    @property
    def shown(self) -> str:
        return f"{self.node}:{self.path}" if self.node else self.path

    @property
    def name(self) -> str:
        """The last part; empty where that is no name."""
        last = os.path.basename(self.path.rstrip("/").removesuffix("/.").rstrip("/"))
        return "" if last in (".", "..") else last

    @property
    def is_contents(self) -> bool:
        """`FOLDER/.`: what the folder holds, without the folder."""
        return self.path == "." or self.path.endswith("/.")


def spot(text: str) -> Spot:
    """`NODE:PATH`, or a path here: one with a `/` before its `:`, or without one. Raises LabError `bad-option`."""
    node, colon, path = text.partition(":")
    if not colon or "/" in node or node in ("", ".", ".."):
        return Spot(None, text)
    if not path:
        raise LabError("bad-option", option=text, why=f"no path stands behind {node}:")
    return Spot(node, path if path.startswith("/") else f"/{path}")


def copy_out(engine: Engine, lab: Lab, source: Spot, target: Spot, out: BinaryIO | None, *, follow: bool) -> Carried:
    """From a node to this machine; with `out` the archive itself is written there. Raises LabError."""
    node = lab.node(str(source.node))
    with _archive_of(engine, lab, node, source, follow) as pieces:
        if out is not None:
            carried = Carried()
            for piece in pieces:
                out.write(piece)
                carried.bytes += len(piece)
            return carried
        try:
            into = archives.local(target.path)
            name = source.name or node.name
            return archives.unpack(
                cast(BinaryIO, Pieces(pieces)),
                into,
                name,
                contents=source.is_contents,
                is_folder=target.path.endswith("/") or target.is_contents,
            )
        except tarfile.TarError as problem:
            raise LabError("copy-failed", why=f"what came from {source.shown} is torn: {problem}", mend="") from None
        except OSError as problem:
            why = f"{problem.filename or target.path}: {problem.strerror}"
            raise LabError("copy-failed", why=why, mend="name a place that you may write to") from None


@contextmanager
def _archive_of(engine: Engine, lab: Lab, node: Node, source: Spot, follow: bool) -> Iterator[Iterator[bytes]]:
    if not _sees(engine, node):
        # The engine's own way, which shows no file system in memory; there is none while nothing runs.
        # Of `FOLDER/.` it would leave out the folder's name, and of `FOLDER/` it doesn't.
        yield engine.archive(node.container.id, source.path[:-1] if source.is_contents else source.path)
        return
    with _carrier(engine, lab, node, ["get", source.path, str(int(follow))]) as stream:
        pieces = _pieces(engine, stream, source.shown, None)
        first = next(pieces, b"")  # what is refused is refused at once
        yield (piece for group in ([first], pieces) for piece in group)


def copy_in(engine: Engine, lab: Lab, source: Spot, target: Spot, archive: BinaryIO | None, *, follow: bool) -> Carried:
    """From this machine to a node that runs; `archive` holds one already. Raises LabError."""
    node = lab.running(str(target.node), "labctl writes no file there")
    if not _sees(engine, node):
        raise LabError("host-namespace", node=node.name, what="process table", mode="pid: host")
    if archive is not None:
        with _carrier(engine, lab, node, ["put", target.path, "archive", "-"]) as stream:
            for _ in _pieces(engine, stream, target.shown, archive.fileno()):
                pass
        return Carried()
    path = archives.local(source.path)
    if not os.path.lexists(path):
        raise LabError("copy-failed", why=f"there is no {source.path} here", mend="")
    is_folder = path.is_dir() and (follow or not path.is_symlink())
    kind = "contents" if is_folder and source.is_contents else "folder" if is_folder else "file"
    name = source.name or path.resolve().name
    with _carrier(engine, lab, node, ["put", target.path, kind, name]) as stream:
        return _packed(engine, stream, target.shown, path, follow)


def _packed(engine: Engine, stream: Stream, shown: str, path: Path, follow: bool) -> Carried:
    """Writes an archive into a pipe, and what comes out of it to the node."""
    reader, writer = os.pipe()
    done: list[Carried] = []
    failed: list[OSError] = []

    def write() -> None:
        try:
            with os.fdopen(writer, "wb") as out:
                done.append(archives.pack(path, follow, out))
        except OSError as problem:
            failed.append(problem)

    packer = threading.Thread(target=write, daemon=True)
    packer.start()
    refused: LabError | None = None
    try:
        for _ in _pieces(engine, stream, shown, reader):
            pass
    except LabError as problem:
        refused = problem
    finally:
        os.close(reader)  # the packer is stopped where nobody reads
        packer.join()
    # An archive that ends early is no archive to its reader, who doesn't know why.
    if failed and failed[0].errno != errno.EPIPE:
        why = f"{failed[0].filename or path}: {failed[0].strerror or failed[0]}"
        raise LabError("copy-failed", why=why, mend="what was read before is there")
    if refused:
        raise refused
    return done[0]


def _sees(engine: Engine, node: Node) -> bool:
    """Whether a helper sees the node's own files: it looks at those of its first process."""
    return node.is_running and not engine.details(node.container.id).host_processes


@contextmanager
def _carrier(engine: Engine, lab: Lab, node: Node, arguments: Sequence[str]) -> Iterator[Stream]:
    labels = {LABEL_LAB: lab.name, LABEL_PROBE: "copy", LABEL_PROBED: node.name, LABEL_TARGET: node.container.id}
    name = f"{lab.name}-{node.name}-copy-{os.urandom(3).hex()}"
    sleep = ("sleep", str(HELPER_LIMIT))
    ident = engine.create_probe(
        ProbeOrder(name, sleep, node.container.id, labels, {}, None, RIGHTS, processes=True, apart=True)
    )
    if ident is None:
        raise LabError("engine-refused", action="make a probe", why=f"the name {name} is another container's")
    try:
        engine.change("start", ident)
        program = Path(carrier.__file__).read_text()
        stream = engine.open(ident, ["python3", "-c", program, *arguments], lines=False)
        try:
            yield stream
        finally:
            stream.close()
    finally:
        engine.remove_container(ident)


def _pieces(engine: Engine, stream: Stream, shown: str, source: int | None) -> Iterator[bytes]:
    """What the carrier writes. Raises LabError `copy-failed` with what it says, and where it was killed."""
    said = b""
    for happening in engine.converse(stream, source, None):
        if happening.line is None:
            break
        if happening.line.stderr:
            said += happening.line.text
        else:
            yield happening.line.text
    status = exit_status(engine, stream, f"copy {shown}")
    if said:
        raise _refused(shown, said)
    if status:
        why = f"{shown}: the helper that copies it ended ({status}) before it was done"
        raise LabError("copy-failed", why=why, mend="what was copied before is there")


def _refused(shown: str, said: bytes) -> LabError:
    last = said.decode(errors="replace").strip().splitlines()[-1]
    try:
        found: dict[str, Any] = json.loads(last)
    except ValueError:
        return LabError("copy-failed", why=f"{shown}: {last}", mend="")
    path = found["path"]
    what = f"{shown} ({path})" if path and not shown.endswith(path) else shown
    why, mend = f"{what}: {found['reason']} ({found['error']})", ""
    if found["error"] == "EROFS":
        why = f"{what} can't be written: the file system is read-only there (EROFS)"
        places = ", ".join(found["writable"]) or "nowhere"
        mend = f"this node can be written to at: {places}; or give it a volume or a tmpfs in its Compose file"
    return LabError("copy-failed", why=why, mend=mend)
