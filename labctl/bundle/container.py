"""The file itself: a zip of known parts with a manifest that holds their sizes and hashes (docs/run-file.md).

What is read may be anybody's: nothing is unpacked to disk, nothing is believed that a header says of a size, and no
part may be larger than its limit.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labctl.errors import LabError

FORMAT, SCHEMA_VERSION = "labctl-run", 1
MANIFEST = "manifest.json"
MIB = 1 << 20
LARGEST = 512 * MIB  # bytes of a file
# The parts of a run, and how large each may be, unpacked.
PARTS = {
    MANIFEST: MIB,
    "topology.json": 16 * MIB,
    "compose.yaml": 4 * MIB,
    "journal.jsonl": 256 * MIB,
    "packets.pcapng": 256 * MIB,
    "recorders.json": 4 * MIB,
    "faults.json": 16 * MIB,
    "inputs.jsonl": 64 * MIB,
    "sockets.json": 16 * MIB,
    "syscalls.jsonl": 256 * MIB,
}
NEEDED = ("topology.json", "journal.jsonl", "packets.pcapng", "recorders.json", "faults.json", "inputs.jsonl")
_ENTRIES = 64
_PIECE = MIB
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)


def pack(parts: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """A file's content. Raises LabError `run-too-large` where a part has more than a reader takes."""
    for name, content in parts.items():
        if len(content) > PARTS[name]:
            raise LabError("run-too-large", part=name, size=len(content) // MIB, limit=PARTS[name] // MIB)
    listed = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in parts.items()
    }
    manifest = {"format": FORMAT, "schema_version": SCHEMA_VERSION, **about, "parts": listed}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def write(path: Path, content: bytes) -> None:
    """Puts a file there, whole or not at all: what stood there before stays until it is. Raises LabError
    `file-unwritable`."""
    try:
        if path.exists() and not path.is_file():  # a pipe, a device
            path.write_bytes(content)
            return
        number, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", dir=path.parent)
        try:
            with os.fdopen(number, "wb") as out:
                out.write(content)
                out.flush()
                os.fchmod(number, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except (OSError, ValueError) as problem:  # a ValueError: a name with a NUL in it
        why = getattr(problem, "strerror", None) or str(problem)
        raise LabError("file-unwritable", file=path, why=why) from None


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def is_run(path: str | Path) -> bool:
    """Whether a file begins as a zip does, so that it is to be read as a run."""
    try:
        with open(path, "rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except (OSError, ValueError):
        return False


def unpack(path: str | Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the parts of a file. Raises LabError `file-unreadable`, `run-broken`, `run-version`."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            if stat.S_ISREG(found.st_mode) and found.st_size > LARGEST:
                raise broken(path, f"it has more than {LARGEST // MIB} MiB")
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        raise LabError("file-unreadable", file=path, why=why) from None
    if len(content) > LARGEST:
        raise broken(path, f"it has more than {LARGEST // MIB} MiB")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _parts(path, archive)
    except _DAMAGE as problem:
        raise broken(path, f"it is no whole zip file ({problem})") from None


def _parts(path: str | Path, archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, bytes]]:
    entries = archive.infolist()
    if len(entries) > _ENTRIES:
        raise broken(path, f"it has {len(entries)} parts, and a run has {len(PARTS)} at most")
    named: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        if entry.filename in named:
            raise broken(path, f"it has two parts named {entry.filename!r}")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", entry.filename):
            raise broken(path, f"{entry.filename[:99]!r} is no part's name")
        named[entry.filename] = entry
    if MANIFEST not in named:
        raise broken(path, f"it has no {MANIFEST}, so it is no run of labctl")
    manifest = _object(path, MANIFEST, _read(path, archive, named[MANIFEST]))
    version = manifest.get("schema_version")
    if manifest.get("format") != FORMAT or type(version) is not int:
        raise broken(path, f"its {MANIFEST} is not that of a run of labctl")
    if version > SCHEMA_VERSION or version < 1:
        by = (manifest.get("versions") or {}) if isinstance(manifest.get("versions"), dict) else {}
        raise LabError("run-version", file=path, version=version, known=SCHEMA_VERSION, by=by.get("labctl", "another"))
    found = {name: _read(path, archive, named[name]) for name in PARTS if name in named and name != MANIFEST}
    _check(path, manifest.get("parts"), found)
    return manifest, found


def _check(path: str | Path, listed: object, found: Mapping[str, bytes]) -> None:
    """Raises LabError `run-broken` where a part is missing, or isn't as the manifest says."""
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise broken(path, f"its {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
    if not isinstance(listed, dict):
        raise broken(path, f"its {MANIFEST} lists no parts")
    for name in listed:
        if name in PARTS and name not in found:
            raise broken(path, f"its {name} is missing")
    for name, content in found.items():
        told = listed.get(name)
        if not isinstance(told, dict) or told.get("sha256") != hashlib.sha256(content).hexdigest():
            raise broken(path, f"its {name} is not as it was saved")


def _read(path: str | Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A part, as far as its limit: a small file may say that it is a very large one, or be it. Raises LabError."""
    limit = PARTS[entry.filename]
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise broken(path, f"its {entry.filename} is packed in a way that a run never is")
    content = bytearray()
    try:
        with archive.open(entry) as source:
            while piece := source.read(_PIECE):
                content += piece
                if len(content) > limit:
                    raise broken(path, f"its {entry.filename} has more than {limit // MIB} MiB")
    except _DAMAGE as problem:
        raise broken(path, f"its {entry.filename} is damaged ({problem})") from None
    return bytes(content)


def _object(path: str | Path, part: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise broken(path, f"its {part} is no JSON") from None
    if not isinstance(found, dict):
        raise broken(path, f"its {part} is no JSON object")
    return found


def broken(path: str | Path, why: str) -> LabError:
    return LabError("run-broken", file=path, why=why)
