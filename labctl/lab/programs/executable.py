"""Whether the first word of a command can run in labctl's own image, and its files be read there: known beforehand, so
that it is told in plain words and at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labctl.errors import LabError, nearest
from labctl.lab.programs import elf
from labctl.lab.programs.folder import can_read, can_run, files
from labctl.lab.programs.wanted import PLACE

GLIBC = (2, 41)  # Debian 13's
LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux-armhf.so.3")
_ALIKE = {"amd64": "x86_64", "arm64": "aarch64"}
_RUNS = {".py": "python3", ".sh": "sh"}


def check(command: Sequence[str], folder: Path | None, *, ours: bool) -> None:
    """Raises LabError `program-unfit`, `folder-closed`. `ours`: it is to run in labctl's own image."""
    if not command:
        return
    first, file = command[0], here(command[0], folder)
    if ours and file and "/" not in first:
        if file.suffix in _RUNS:
            raise _unfit(first, "it is a file and no command", f"`{_RUNS[file.suffix]} {first}` runs it")
        if not _is_common(first):
            raise _unfit(
                first, "a command without a / is looked for in the image alone", f"`./{first}` is the file here"
            )
    if "/" in first and folder and (inside := place_of(first, folder)):
        _check_file(first, inside, folder, ours=ours)
    for word in command[1:]:
        named = here(word, folder)
        if named and not can_read(named):
            raise LabError(
                "folder-closed", what=named, mode=_mode(named), mend=f"`chmod o+r {named}` lets others read it"
            )


def here(word: str, folder: Path | None) -> Path | None:
    """The file in the folder that a word of a command names."""
    inside = place_of(word, folder) if folder and word and not word.startswith("-") and "\0" not in word else None
    try:
        return inside if inside and inside.is_file() else None
    except OSError:  # a name that is too long for one
        return None


def place_of(word: str, folder: Path) -> Path | None:
    """Where a path of the host is on this machine; None where that isn't in the folder."""
    path = Path(word)
    if path.is_absolute():
        return folder / path.relative_to(PLACE) if path.is_relative_to(PLACE) else None
    return folder / path


def _is_common(word: str) -> bool:
    """Whether it may well be meant as a command of the image, though a file here has the same name."""
    return word in ("python3", "python", "sh", "bash", "env", "test")


def _check_file(word: str, file: Path, folder: Path, *, ours: bool) -> None:
    if file.is_dir():
        raise _unfit(word, "it is a folder", "name the program in it")
    if not file.exists():
        near = nearest(file.name, (entry.name for entry in files(folder) if entry.is_file()))
        raise _unfit(word, f"there is no such file in {folder}{near}", "--folder says where it is")
    if not can_run(file) or not can_read(file):
        why = f"it is not executable for the host (mode {_mode(file)}), which is not you but a user of its own"
        raise _unfit(word, why, f"`chmod a+rx {file}`")
    with file.open("rb") as opened:
        head = opened.read(4)
    if head == elf.MAGIC:
        if ours:
            _check_elf(word, file)
    elif head[:2] != b"#!":
        mend = f"`{_RUNS[file.suffix]} {word}` runs it" if file.suffix in _RUNS else "its first line says what runs it"
        raise _unfit(word, "it is neither a compiled program of Linux nor a script with a first line `#!`", mend)


def _check_elf(word: str, file: Path) -> None:
    needs = elf.read(file)
    if needs is None:
        raise _unfit(word, "its file is broken", "build it again")
    import platform  # few programs are compiled ones

    static = "link it statically (gcc -static; CGO_ENABLED=0 go build), or give an image that fits by --image"
    machine = _ALIKE.get(platform.machine().lower(), platform.machine())
    if needs.machine != machine:
        raise _unfit(
            word, f"it is compiled for {needs.machine}, and this machine is {machine}", "build it for this one"
        )
    if needs.interpreter and needs.interpreter not in LOADERS:
        raise _unfit(word, f"it is linked to another C library ({needs.interpreter}) than the image has", static)
    if needs.glibc and needs.glibc > GLIBC:
        wanted, there = (".".join(map(str, version)) for version in (needs.glibc, GLIBC))
        raise _unfit(word, f"it needs glibc {wanted}, and the image (Debian 13) has {there}", static)


def _mode(file: Path) -> str:
    return f"{file.stat().st_mode & 0o777:03o}"


def _unfit(program: str, why: str, mend: str) -> LabError:
    return LabError("program-unfit", program=program, why=why, mend=mend)
