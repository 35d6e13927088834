"""What a compiled program needs, read from the files of this machine and from ones that are made here."""

import os
import shutil
import struct
from pathlib import Path

import pytest

from labctl.errors import LabError
from labctl.lab.programs import elf, executable

HEADER = 64  # bytes of an ELF file's header of 64 bits, 56 of a segment's


def program(interpreter: bytes = b"", machine: int = 0x3E) -> bytes:
    """An ELF file with one segment at most: what loads its libraries."""
    count = int(bool(interpreter))
    head = elf.MAGIC + bytes([2, 1, 1]) + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, HEADER, 0, 0, HEADER, 56, count, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", elf.PT_INTERP, 4, HEADER + 56, 0, 0, len(interpreter), 0, 1) if count else b""
    return head + segment + interpreter + (b"\0" if count else b"")


@pytest.fixture
def file(tmp_path):
    """A program of that content, which anybody may run."""

    def make(content: bytes | Path, name: str = "program") -> Path:
        made = tmp_path / name
        made.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        made.chmod(0o755)
        return made

    return make


def refusal(path: Path) -> str:
    with pytest.raises(LabError) as told:
        executable.check((f"./{path.name}",), path.parent, ours=True)
    return f"{told.value.message} | {told.value.hint}"


def test_a_static_program_needs_nothing(file):
    assert elf.read(file(program())) == elf.Needs("x86_64", "", None)


def test_what_loads_the_libraries_is_read(file):
    needs = elf.read(file(program(b"/lib/ld-musl-x86_64.so.1")))
    assert needs == elf.Needs("x86_64", "/lib/ld-musl-x86_64.so.1", None)


def test_a_program_of_this_machine_says_its_c_library():
    found = elf.read(Path(os.path.realpath(shutil.which("true") or "/bin/true")))
    assert found is not None
    assert found.interpreter in executable.LOADERS
    assert found.glibc is not None
    assert (2, 2) <= found.glibc < (3, 0)
    executable.check(("./true",), Path(shutil.which("true") or "/bin/true").parent, ours=True)


def test_a_newer_c_library_is_refused(file):
    """The name of a version, in its string table, is all that differs."""
    path = file(Path(os.path.realpath(shutil.which("true") or "/bin/true")))
    newest = elf.read(path).glibc
    was, wanted = f"GLIBC_{newest[0]}.{newest[1]}\0".encode(), b"GLIBC_2.99\0"
    content = path.read_bytes()
    assert len(was) == len(wanted), "else all behind it would move"
    assert was in content
    path.write_bytes(content.replace(was, wanted))
    assert "needs glibc 2.99, and the image (Debian 13) has 2.41 | link it statically" in refusal(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (program(b"/lib/ld-musl-x86_64.so.1"), "linked to another C library (/lib/ld-musl-x86_64.so.1)"),
        (program(machine=0xF3), "compiled for riscv64, and this machine is "),
        (program()[:40], "its file is broken | build it again"),
        (program(b"/lib64/ld-linux-x86-64.so.2")[:70], "its file is broken"),
        (b"echo hello\n", "neither a compiled program of Linux nor a script with a first line `#!`"),
    ],
)
def test_what_can_not_run_is_told_beforehand(file, content, why):
    assert why in refusal(file(content))


def test_a_script_runs_by_its_first_line(file):
    path = file(b"#!/bin/sh\necho hello\n")
    executable.check(("./program",), path.parent, ours=True)
    executable.check(("python3", "program"), path.parent, ours=True)


def test_words_that_are_files_or_none(file):
    path = file(b"#!/bin/sh\n", "tool.py")
    folder = path.parent
    for command, why in (
        (("tool.py",), r"tool\.py can't run: it is a file and no command"),
        (("./tol.py",), r"there is no such file in .*; did you mean tool\.py\?"),
        (("./",), "it is a folder"),
    ):
        with pytest.raises(LabError, match=why):
            executable.check(command, folder, ours=True)
    path.chmod(0o700)
    with pytest.raises(LabError, match=r"not executable for the host \(mode 700\)"):
        executable.check(("./tool.py",), folder, ours=True)
    executable.check(("/opt/theirs/run",), folder, ours=False)
    executable.check(("/program/../x",), None, ours=True)
    executable.check((), folder, ours=False)
