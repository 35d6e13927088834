"""What goes where: data to stdout, talk to stderr, colour and width as the terminal has them."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
from collections.abc import Callable

from labctl.errors import LabError

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from labctl.api.place import Place

SCHEMA_VERSION = 1


class Settings:
    """What the options before the command chose; one object for the process. `streams`: lines of JSON have begun, so
    that an error after them is one, too. `lab` is the one that the command is about, for its errors.
    `changes`: the command does something to a lab; `force`: also to another's."""

    colour: str = "auto"
    json: bool = False
    streams: bool = False
    local: bool = False  # times are the machine's own, and those without a zone are taken so
    lab: Place | None = None
    changes: bool = False
    force: bool = False


def colour(stream: Any = None) -> bool:
    """Whether to colour: --color, else NO_COLOR (no-color.org), else where there is a terminal."""
    if Settings.colour != "auto":
        return Settings.colour == "always"
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and (stream or sys.stdout).isatty()


def columns() -> int | None:
    """The terminal's width; None where stdout is no terminal and nothing needs to be cut."""
    if not sys.stdout.isatty():
        return None
    try:
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 80


def width(usual: int) -> int:
    """The columns of a drawing: the terminal's, else as many as COLUMNS says, else `usual`."""
    asked = os.environ.get("COLUMNS", "")
    return columns() or (int(asked) if asked.isdecimal() else 0) or usual


class Unwritten(BaseException):
    """Our output can't be written, with the errno. No Exception: click would make a failure of its own of EPIPE."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


class Terminated(BaseException):
    """SIGTERM, SIGHUP or ^C came: take back what was begun."""


def nobody_reads(stream: Any) -> bool:
    """Whether a pipe's reader has closed it (poll(2), POLLERR): else that shows only when something is written."""
    poll = select.poll()
    poll.register(stream, 0)
    return any(found & (select.POLLERR | select.POLLHUP) for _, found in poll.poll(0))


def write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as problem:
        raise Unwritten(problem.errno or errno.EIO) from None


def write_bytes(content: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as problem:
        raise Unwritten(problem.errno or errno.EIO) from None


def prepare() -> None:
    """Both streams take any text from now on: what their encoding doesn't have is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    encodings = [getattr(stream, "encoding", None) or "utf-8" for stream in (sys.stdout, sys.stderr)]
    other = next((name for name in encodings if name.lower() not in ("utf-8", "utf8")), None)
    if other:
        from labctl.render.text import limit_to

        limit_to(other)


def data(text: str) -> None:
    """One or more lines, rendered; what a terminal would act on is escaped, but for our colours."""
    write(_safe(text, colour()) + "\n")


def markup(text: str) -> None:
    """XML: in another encoding than UTF-8, all but ASCII is character references."""
    if (sys.stdout.encoding or "utf-8").lower() not in ("utf-8", "utf8"):
        text = text.encode("ascii", "xmlcharrefreplace").decode()
    write(text + "\n")


def _safe(text: str, coloured: bool) -> str:
    if text.isascii() and all(line.isprintable() for line in text.split("\n")):
        return text  # most often, and without importing anything
    from labctl.render.text import outgoing

    return outgoing(text, colour=coloured)


def talk(text: str) -> None:
    """Where nobody can hear it any more, the work goes on: talk is not what was asked for."""
    with contextlib.suppress(OSError):
        sys.stderr.write(_safe(text, colour(sys.stderr)) + "\n")
        sys.stderr.flush()


def document(value: dict[str, Any]) -> None:
    """One JSON document, for --json; in a stream it is a line."""
    if Settings.streams:
        json_line({"schema_version": SCHEMA_VERSION, **value})
    else:
        write(document_text(value) + "\n")


def document_text(value: dict[str, Any]) -> str:
    import json

    from labctl.render.text import json_safe

    return json_safe(json.dumps({"schema_version": SCHEMA_VERSION, **value}, ensure_ascii=False, indent=2))


def trace(value: dict[str, Any]) -> None:
    """A document of another tool's: as it asks for it, and no version of ours in it."""
    import json

    from labctl.render.text import json_safe

    write(json_safe(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) + "\n")


def save(file: Path, text: str) -> None:
    """Writes a file instead of stdout. Raises LabError `file-unwritable`."""
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except (OSError, ValueError) as problem:  # a ValueError: a name with a NUL in it
        why = getattr(problem, "strerror", None) or str(problem)
        raise LabError("file-unwritable", file=file, why=why) from None


def json_line(value: dict[str, Any]) -> None:
    """One line of a stream of JSON objects."""
    import json

    from labctl.render.text import json_safe

    Settings.streams = True
    write(json_safe(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) + "\n")


class Progress:
    """What goes on, on stderr: one line that changes on a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._status: Any = None

    def __enter__(self) -> Callable[[str], None]:
        if sys.stderr.isatty():
            from rich.console import Console

            from labctl.render.text import Output

            spinner = "line" if Output.encoding else "dots"
            self._status = Console(stderr=True).status(self._what, spinner=spinner)
            self._status.__enter__()
        return self._report

    def __exit__(self, *exc: Any) -> None:
        if self._status:
            with contextlib.suppress(OSError):  # the terminal's window was closed
                self._status.__exit__(*exc)

    def _report(self, text: str) -> None:
        if self._status and text.startswith("note: "):  # it stays to be read
            from labctl.render.text import for_terminal

            with contextlib.suppress(OSError):
                self._status.console.print(for_terminal(text), markup=False, highlight=False, soft_wrap=True)
        elif self._status:
            from rich.markup import escape

            from labctl.render.text import printable

            with contextlib.suppress(OSError):
                self._status.update(f"{self._what}: {escape(printable(text))}")
        elif not text.startswith(("Container", "Network", "Volume", "removed")) and not text.endswith("is ready"):
            talk(text)
