"""Tar archives at our own end of a copy: what stands here becomes one, and one becomes what stands here.

What comes out of a node is not trusted: no name in it leads out of the place where it goes, and nothing is written
through a link that it brought.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from labctl.errors import LabError


@dataclass
class Carried:
    """What was copied; `left_out` are devices, sockets and the like."""

    files: int = 0
    bytes: int = 0
    left_out: int = 0


def pack(source: Path, follow: bool, out: BinaryIO) -> Carried:
    """Writes an archive of a file or a folder whose names all begin with `it`."""
    carried = Carried()

    def counted(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if not (info.isreg() or info.isdir() or info.issym()):
            carried.left_out += 1
            return None
        carried.files += not info.isdir()
        carried.bytes += info.size if info.isreg() else 0
        return info

    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, source, "it", counted, follow=follow)
    return carried


def _add(tar: tarfile.TarFile, path: Path, name: str, counted: object, *, follow: bool) -> None:
    tar.dereference = follow
    tar.inodes = {}  # type: ignore[attr-defined]  # each hard link as the file that it is
    tar.add(path, name, recursive=False, filter=counted)  # type: ignore[arg-type]
    if path.is_dir() and (follow or not path.is_symlink()):
        for entry in sorted(path.iterdir()):
            _add(tar, entry, f"{name}/{entry.name}", counted, follow=False)


def unpack(archive: BinaryIO, target: Path, name: str, *, contents: bool, is_folder: bool = False) -> Carried:
    """Makes of an archive, whose names all begin with one folder or file, what is called `target`, or `name` in the
    folder `target`; `contents`: the folder's own content goes into it; `is_folder`: the target was written as one
    (`FOLDER/`). Raises LabError `copy-failed`, OSError."""
    carried = Carried()
    base: Path | None = None
    top: list[str] = []
    copies_folder = False
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        for member in tar:
            parts = _parts(member.name)
            if ".." in parts or "\0" in member.name:
                raise _refused(f"its archive holds {member.name!r}, which leads out of it")
            if base is None:
                # The first one is what is copied, and all else stands in it: in a folder, and not behind a link.
                top, copies_folder = parts, member.isdir()
                base = _base(target, name, folder=copies_folder, contents=contents, is_folder=is_folder)
            elif not copies_folder or parts[: len(top)] != top or parts == top:
                raise _refused(f"its archive holds {member.name!r}, which is no part of what was asked for")
            _extract(tar, member, base, top, carried)
    return carried


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _base(target: Path, name: str, *, folder: bool, contents: bool, is_folder: bool) -> Path:
    if target.is_dir():
        return target if contents and folder else target / name
    if is_folder and not folder:  # as cp(1) and `docker cp`: a file makes no folder
        raise _refused(f"{target} is a file, and no folder" if target.exists() else f"there is no folder {target} here")
    if target.exists() and folder:
        raise _refused(f"{target} is a file, and a folder would have to be there")
    if not target.parent.is_dir():
        raise _refused(f"{target.parent} is no folder")
    return target


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, base: Path, top: list[str], carried: Carried) -> None:
    inner = _parts(member.name)[len(top) :]
    place = base
    for part in inner[:-1]:
        place = place / part
        if place.is_symlink() or not place.is_dir():
            raise _refused(f"its archive holds {member.name!r}, and {place} is no folder")
    target = base.joinpath(*inner)
    if member.isdir():
        if inner and target.is_symlink():
            raise _refused(f"its archive holds {member.name!r}, and {target} is a link")
        target.mkdir(exist_ok=True)
        return
    if inner and (target.is_symlink() or target.is_file()):
        target.unlink()
    if member.issym():
        if not inner and target.is_symlink():
            target.unlink()
        target.symlink_to(member.linkname)
    elif member.isreg():
        content = tar.extractfile(member)
        assert content
        with target.open("wb") as file:
            while piece := content.read(1 << 20):
                file.write(piece)
        target.chmod(member.mode & 0o777)
        carried.bytes += member.size
    elif member.islnk() and inner:
        first = _copied(base, top, member)
        shutil.copyfile(first, target, follow_symlinks=False)
        target.chmod(first.stat().st_mode & 0o777)
        carried.bytes += target.stat().st_size
    else:
        carried.left_out += 1
        return
    carried.files += 1


def _copied(base: Path, top: list[str], member: tarfile.TarInfo) -> Path:
    """The file that was copied already, of which a hard link is another name."""
    parts = _parts(member.linkname)
    place = base
    for part in parts[len(top) :]:
        place = place / part
        if part == ".." or place.is_symlink():
            break
    else:
        if parts[: len(top)] == top and place.is_file():
            return place
    raise _refused(f"its archive holds {member.name!r}, a name of {member.linkname!r}, which isn't there")


def _refused(why: str) -> LabError:
    return LabError("copy-failed", why=why, mend="nothing else of it was written" if "archive" in why else "")


class Pieces:
    """An archive's pieces, as they come, as a file to read from."""

    def __init__(self, pieces: object) -> None:
        self._pieces = iter(pieces)  # type: ignore[call-overload]
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        parts, wanted = [self._rest], size
        have = len(self._rest)
        while wanted < 0 or have < wanted:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            have += len(piece)
        whole = b"".join(parts)
        self._rest = whole[wanted:] if 0 <= wanted < len(whole) else b""
        return whole[:wanted] if wanted >= 0 else whole


def local(text: str) -> Path:
    """Where a file of this machine stands."""
    return Path(os.path.expanduser(text) if text.startswith("~") else text)
