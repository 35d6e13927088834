"""What a command was told: the name of a lab, a text, times; and whether it may do what it is about to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from labctl.cli.output import Settings
from labctl.errors import ForeignLab, LabError

FORCE = "--force does it all the same; `labctl ls` shows whose each lab is"
LONGEST_AGO = 7 * 86400  # seconds; nothing that is recorded lasts longer
STDIN_LIMIT = 2 * 1024 * 1024  # bytes


def asked_name(lab: str | None) -> str | None:
    """The name that a lab was asked to have: the one given, else LABCTL_LAB's."""
    return lab or os.environ.get("LABCTL_LAB") or None


def consent(check: Callable[[], object]) -> None:
    """Asks, on a terminal, before something is done to a lab of somebody else, which `check` refuses; --force says yes.

    Raises ForeignLab.
    """
    if Settings.force:
        return
    try:
        check()
    except ForeignLab as problem:
        if not says_yes(f"{problem.message}. All the same? [y/N] "):
            raise


def says_yes(question: str) -> bool:
    """Asks on a terminal; where there is none, nobody has said yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    from labctl.render.text import printable

    sys.stderr.write(printable(question))  # a label may hold anybody's text
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def text_of(argument: str) -> str:
    """The text of an argument; `-` reads it from standard input, whose last newline is not part of it."""
    if argument == "-":
        data = sys.stdin.buffer.read(STDIN_LIMIT + 1)
        if len(data) > STDIN_LIMIT:
            raise LabError("text-too-long", size=f"over {STDIN_LIMIT}", what="a typed line", limit=STDIN_LIMIT)
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    else:
        # What the shell gave us that was no text in the locale's encoding came as lone surrogates (PEP 383).
        data = os.fsencode(argument)
    from labctl.encoding import decoded

    text = decoded(data, "the text")
    if "\n" in text:
        raise LabError("newline-in-line")
    return text


def moment(option: str, text: str) -> int:
    """The time that an option names, in nanoseconds since the epoch. Raises LabError `bad-option`."""
    import time

    from labctl.cli.output import Settings
    from labctl.events import moments

    found = moments.moment(text, time.time_ns(), local=Settings.local)
    if found is None:
        why = f"{text!r} is neither a span nor a time; give one such as {moments.EXAMPLES}"
        raise LabError("bad-option", option=option, why=why)
    return found


def ago(option: str, text: str) -> float:
    """How long ago the time is that an option names, in seconds. Raises LabError `bad-option`."""
    import time

    from labctl.events import moments

    seconds = moments.span(text)
    if seconds is None:
        seconds = (time.time_ns() - moment(option, text)) / 1e9
    if not 0.01 <= seconds <= LONGEST_AGO:
        raise LabError("bad-option", option=option, why=f"{text} is not between 10 ms and 7 days ago")
    return seconds


def span(option: str, text: str) -> float:
    """What an option says of a time, such as 30s, in seconds. Raises LabError `bad-condition`."""
    from labctl.faults import conditions

    try:
        return conditions.span(option, text)
    except conditions.Malformed as problem:
        raise LabError("bad-condition", why=problem, mend=problem.hint) from None
