"""What a compiled program needs of the system that it runs on, as its file says (elf(5))."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"\x7fELF"
MACHINES = {0x03: "i386", 0x28: "arm", 0x3E: "x86_64", 0xB7: "aarch64", 0xF3: "riscv64", 0x16: "s390x", 0x15: "ppc64le"}
PT_INTERP = 3
SHT_GNU_VERNEED = 0x6FFFFFFE
LARGEST = 1 << 30  # bytes of a file that is looked into
_VERSION = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")


@dataclass(frozen=True)
class Needs:
    """`interpreter` is what loads its libraries, "" of a static one; `glibc` the newest version of the C library that
    it has a symbol of, None where it has none."""

    machine: str
    interpreter: str
    glibc: tuple[int, int] | None


def read(file: Path) -> Needs | None:
    """None where it is no such file, or a broken one."""
    try:
        if file.stat().st_size > LARGEST:
            return None
        data = file.read_bytes()
        return _needs(data) if data[:4] == MAGIC else None
    except (OSError, struct.error, IndexError, ValueError):
        return None


def _needs(data: bytes) -> Needs:
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    machine = struct.unpack_from(order + "H", data, 18)[0]
    at = 32 if wide else 28
    segments, sections = struct.unpack_from(order + ("QQ" if wide else "II"), data, at)
    sizes = struct.unpack_from(order + "4H", data, 54 if wide else 42)
    interpreter = ""
    for number in range(sizes[1]):
        place = segments + number * sizes[0]
        if struct.unpack_from(order + "I", data, place)[0] == PT_INTERP:
            offset = _word(data, order, wide, place + (8 if wide else 4))
            interpreter = data[offset : data.index(b"\0", offset)].decode()
    versions = []
    for number in range(sizes[3]):
        place = sections + number * sizes[2]
        if struct.unpack_from(order + "I", data, place + 4)[0] == SHT_GNU_VERNEED:
            versions += _versions(data, order, wide, sections, sizes[2], place)
    return Needs(MACHINES.get(machine, f"machine {machine}"), interpreter, max(versions, default=None))


def _word(data: bytes, order: str, wide: bool, at: int) -> int:
    return int(struct.unpack_from(order + ("Q" if wide else "I"), data, at)[0])


def _versions(data: bytes, order: str, wide: bool, sections: int, size: int, place: int) -> list[tuple[int, int]]:
    """The versions of the C library in a section of those that are needed: entries of a list of lists."""
    offset = _word(data, order, wide, place + (24 if wide else 16))
    link = struct.unpack_from(order + "I", data, place + (40 if wide else 24))[0]
    names = _word(data, order, wide, sections + link * size + (24 if wide else 16))
    found = []
    while True:
        _, count, _, first, following = struct.unpack_from(order + "HHIII", data, offset)
        at = offset + first
        for _ in range(count):
            _, _, _, name, next_one = struct.unpack_from(order + "IHHII", data, at)
            text = data[names + name : data.index(b"\0", names + name)].decode()
            if version := _VERSION.fullmatch(text):
                found.append((int(version[1]), int(version[2])))
            at += next_one
        if not following:
            return found
        offset += following
