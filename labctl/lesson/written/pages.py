"""A lesson's file as front matter and sections, each with its place."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.lesson.written.model import Typed
from labctl.lesson.written.problems import Problems
from labctl.topology.check.problems import Place
from labctl.topology.check.reading.source import Mapping, Unreadable, parse

if TYPE_CHECKING:
    from markdown_it.token import Token

SIZE_LIMIT = 1 << 20  # bytes
MOST = 100  # steps, sections, and names of evidence: each is compared with all others
MARK = "---"
PROGRAM = "labctl"
_HEADING = re.compile(r"^(?P<title>.*)\{#(?P<id>[\w-]+)\}\s*$")  # blanks before the brace would be tried one by one


@dataclass(frozen=True)
class Part:
    """A section of the body: its prose before and after its console blocks (between two blocks: before)."""

    id: str
    title: str
    place: Place
    before: str
    after: str
    console: tuple[Typed, ...]


@dataclass
class Page:
    """A file that was taken apart. `front` is None where there is none that can be read."""

    file: Path
    front: Mapping | None
    introduction: str = ""
    parts: list[Part] = field(default_factory=list)


def read(file: Path, problems: Problems) -> Page:
    """What is wrong with it is added to `problems`, and what can be read is given all the same."""
    text = _text(file, problems)
    lines = text.split("\n")
    end = _end_of_front(lines)
    if end is None:
        if text or not problems:
            problems.add(
                file, Place(1, 1), f"a lesson begins with a line {MARK}, its front matter and another line {MARK}"
            )
        return Page(file, None)
    page = Page(file, _front(file, lines[1:end], problems))
    _body(page, lines, end + 1, problems)
    return page


def _text(file: Path, problems: Problems) -> str:
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode):  # nobody may write to a pipe, and a device may have no end
            problems.add(file, None, "it is no regular file")
            return ""
        with file.open(encoding="utf-8") as stream:
            text = stream.read(SIZE_LIMIT + 1)
        if max(about.st_size, len(text)) <= SIZE_LIMIT:
            return text
        problems.add(file, None, f"it is larger than {SIZE_LIMIT >> 20} MiB")
    except UnicodeDecodeError:
        problems.add(file, None, "it is no text in UTF-8")
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        problems.add(file, None, f"it can't be read: {why}")
    return ""


def _end_of_front(lines: list[str]) -> int | None:
    if not lines or lines[0].rstrip() != MARK:
        return None
    return next((place for place, line in enumerate(lines[1:], 1) if line.rstrip() == MARK), None)


def _front(file: Path, lines: list[str], problems: Problems) -> Mapping | None:
    try:
        # An empty line in the place of the mark: places are those of the file.
        source = parse("\n".join(["", *lines, ""]))
    except Unreadable as found:
        problems.add(file, found.problem.place, found.problem.message)
        return None
    for problem in source.problems:
        problems.add(file, problem.place, problem.message)
    return source.root


def _body(page: Page, lines: list[str], begin: int, problems: Problems) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable("table").parse("\n".join(lines[begin:]))
    heads = [(place, token) for place, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    if len(heads) > MOST:
        where = Place(begin + _line(heads[MOST][1]) + 1, 1)
        problems.add(page.file, where, f"a lesson has at most {MOST} sections")
        del heads[MOST:]
    first = _line(heads[0][1]) if heads else len(lines) - begin
    page.introduction = _joined(lines[begin : begin + first])
    for number, (place, head) in enumerate(heads):
        after, until = len(tokens), len(lines) - begin
        if number + 1 < len(heads):
            after, until = heads[number + 1][0], _line(heads[number + 1][1])
        found = _HEADING.match(tokens[place + 1].content)
        where = Place(begin + _line(head) + 1, 1)
        if found is None:
            problems.add(
                page.file,
                where,
                "a section's heading ends with the id of its step, as in `## The handshake {#handshake}`",
            )
            continue
        fences = [token for token in tokens[place:after] if token.type == "fence"]
        page.parts.append(_part(page.file, found, where, lines, begin, (_line(head), until), fences, problems))


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0


def _part(
    file: Path,
    found: re.Match[str],
    where: Place,
    lines: list[str],
    begin: int,
    span: tuple[int, int],
    fences: list[Token],
    problems: Problems,
) -> Part:
    blocks = [token for token in fences if token.info.split()[:1] == ["console"]]
    typed = [one for block in blocks for one in _typed(file, block, begin, lines, problems)]
    start, until = begin + span[0] + 1, begin + span[1]
    spans = [(begin + token.map[0], begin + token.map[1]) for token in blocks if token.map]
    before: list[str] = []
    after: list[str] = []
    at = start
    for first, last in spans:
        before += lines[at:first]
        at = last
    (after if spans else before).extend(lines[at:until])
    return Part(found["id"], found["title"].rstrip(), where, _joined(before), _joined(after), tuple(typed))


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).strip("\n")


def _typed(file: Path, block: Token, begin: int, lines: list[str], problems: Problems) -> Iterator[Typed]:
    """The command lines of one console block."""
    first = begin + _line(block) + 1  # from 0, the first line inside
    content = block.content.split("\n")[:-1]
    starts = [place for place, line in enumerate(content) if line.startswith("$ ")]
    if not starts or starts[0] != 0:
        problems.add(file, Place(first + 1, 1), "a console block begins with a line `$ labctl ...`")
    for number, start in enumerate(starts):
        until = starts[number + 1] if number + 1 < len(starts) else len(content)
        line, at = content[start][2:], start + 1
        while line.endswith("\\") and at < until:
            line, at = f"{line[:-1].rstrip()} {content[at].strip().removeprefix('> ')}", at + 1
        found = command(file, line, Place(first + start + 1, 3), problems)
        if found is not None:
            expected = tuple(content[at:until])
            yield Typed(line, found, Place(first + start + 1, 3), expected, first + at, first + until)


def command(file: Path, line: str, place: Place, problems: Problems) -> tuple[str, ...] | None:
    """The words after `labctl`; None, and a problem, where it is another program's line."""
    if "\0" in line:
        problems.add(file, place, "this is no command line: no word of one can hold U+0000")
        return None
    try:
        words = shlex.split(line, comments=True)
    except ValueError as problem:
        problems.add(file, place, f"this is no command line: {problem}")
        return None
    if not words or words[0] != PROGRAM:
        problems.add(
            file,
            place,
            f"a lesson's command lines are {PROGRAM}'s; others can run in hosts: `labctl exec`, `labctl run`",
        )
        return None
    if words[1:2] == ["lesson"]:
        problems.add(file, place, "a lesson plays no lesson")
        return None
    return tuple(words[1:])
