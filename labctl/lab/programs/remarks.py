"""What beginners trip over, read from where a program listens and what it printed: sentences that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import nearest
from labctl.lab.programs.awaiting import Seen, servers
from labctl.lab.programs.executable import here
from labctl.lab.programs.folder import can_read
from labctl.lab.programs.wanted import PLACE, Expected

LARGEST = 1 << 20  # bytes of a program's text that is looked into
NOT_FOUND, NOT_RUNNABLE = 127, 126  # exit statuses of what starts a program
KILLED = 137
_NO_FILE = re.compile(r"can't open file '([^']+)'")
_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_NO_LIBRARY = re.compile(r"error while loading shared libraries: ([^:]+):")
_NO_GLIBC = re.compile(r"version `(GLIBC\w*_[\d.]+)' not found")
_DENIED = re.compile(r"Permission denied: '([^']+)'")
_SELF = re.compile(r"gethostname\(|localhost|127\.0\.0\.1")


@dataclass(frozen=True)
class Situation:
    """A program in its folder, on a host of that name; `others` are the names that it can reach."""

    node: str
    command: Sequence[str]
    folder: Path | None
    others: Sequence[str] = ()


def of_sockets(
    node: str, seen: Seen, expected: Expected, published: Sequence[int] = (), addresses: Sequence[str] = ()
) -> Iterator[str]:
    """Of a program that listens, or did; `addresses` are its host's."""
    found = servers(seen.listening, expected.listen)
    if seen.state == "done":
        if found:
            yield (
                f"{node} listened, and ended: with its first process a host ends, so a server must not go into the "
                "background (fork, &)"
            )
        return
    inside = [one for one in found if one.address.startswith("127.") or one.address == "::1"]
    reachable = {(one.proto, one.port) for one in found if one not in inside}
    for one in inside:
        if (one.proto, one.port) not in reachable:
            where = f"[{one.address}]" if ":" in one.address else one.address
            yield (
                f"{node} listens on {where}:{one.port} alone, where nobody outside this host can reach it: "
                f"bind to ('0.0.0.0', {one.port}) or ('', {one.port}) instead"
            )
    if (
        addresses
        and reachable
        and all(":" in one for one in addresses)
        and not any(":" in one.address for one in found)
    ):
        yield f"{node} listens over IPv4 alone, and its host has IPv6 addresses alone: use AF_INET6"
    ports = sorted({one.port for one in found})
    there = " and ".join(str(port) for port in ports)
    if expected.listen is not None and ports and expected.listen not in ports:
        yield f"{node} listens on port {there}, and not on {expected.listen}, which was expected"
    missed = [port for port in published if ports and port not in ports]
    if missed:
        yield f"port {', '.join(map(str, missed))} is published, and {node} listens on {there}"


def of_failure(seen: Seen, about: Situation, memory: str) -> Iterator[str]:
    """Of a program that has ended with an error; what is likelier first."""
    text = "\n".join(seen.lines)
    if seen.out_of_memory or (seen.exit_code == KILLED and not seen.lines):
        yield f"it needed more than its {memory} of memory: --memory gives more"
    yield from _of_start(seen, about, text)
    if "Address already in use" in text:
        yield (
            "it binds one port twice: each host has all ports to itself, so it is none of this machine's or another "
            "host's programs that has it"
        )
    if re.search(r"Permission denied|PermissionError", text) and "bind" in text:
        yield "ports under 1024 need a privilege that hosts don't have on this engine: take a higher one"
    yield from _of_names(about, text)
    yield from _of_files(about, text)
    if "EOFError" in text:
        yield "it reads its keyboard, which ended"


def _of_start(seen: Seen, about: Situation, text: str) -> Iterator[str]:
    missing = _NO_FILE.search(text)
    if missing:
        name = missing[1].removeprefix(f"{PLACE}/")
        near = nearest(name, (one.name for one in _listed(about.folder)))
        yield f"there is no {name} in {about.folder or 'the image'}{near} (--folder says where it is)"
    elif seen.exit_code in (NOT_FOUND, NOT_RUNNABLE) and about.command:
        yield from _of_first_word(about)
    if module := _NO_MODULE.search(text):
        yield (
            f"the image has Python's own library alone: `pip install --target . {module[1]}` puts it beside "
            "the program, or --image takes an image that has it"
        )
    if library := _NO_LIBRARY.search(text):
        yield f"the image has no {library[1]}: link the program statically, or --image takes an image that has it"
    if version := _NO_GLIBC.search(text):
        yield f"it needs {version[1]}, which is newer than the image's C library (Debian 13): link it statically"


def _of_first_word(about: Situation) -> Iterator[str]:
    """Where the shell, or the engine, could not begin the command."""
    first = about.command[0]
    file = here(first, about.folder)
    if file is None:
        yield f"the image has no command {first} (--image takes another image)"
    elif "/" not in first:
        yield f"`./{first}` is the file here"
    elif (line := _first_line(file)).startswith("#!"):
        yield f"its first line is `{line}`, and the image has no such program"


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.readline(200).decode(errors="replace").strip()
    except OSError:
        return ""


def _of_names(about: Situation, text: str) -> Iterator[str]:
    known = ", ".join(name for name in about.others if name != about.node)
    if re.search(r"Name or service not known|Temporary failure in name resolution|Name does not resolve", text):
        yield f"names that are known here: {known or 'none but its own'}"
    if re.search(r"Connection ?refused|ConnectionRefusedError", text):
        if _SELF.search(_source(about)):
            yield (
                "on a host, localhost, 127.0.0.1 and gethostname() are that host itself: name the other one "
                f"({known or 'there is none yet'})"
            )
        else:
            yield "nobody listens there: `labctl ps` shows who listens where"


def _of_files(about: Situation, text: str) -> Iterator[str]:
    if "Read-only file system" in text:
        yield "its folder is read-only for it: it may write to /tmp, which is gone when it ends"
    for name in dict.fromkeys(_DENIED.findall(text)):
        file = here(name, about.folder)
        if file and not can_read(file):
            yield f"the host can't read {file}: `chmod o+r {file}`"


def _listed(folder: Path | None) -> list[Path]:
    try:
        return list(folder.iterdir()) if folder else []
    except OSError:
        return []


def _source(about: Situation) -> str:
    """The text of what is run, where that is text."""
    found = []
    for word in about.command:
        file = here(word, about.folder)
        try:
            if file and file.stat().st_size <= LARGEST:
                found.append(file.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)
