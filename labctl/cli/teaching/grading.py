"""Marks programs: grade, grade-all."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json
from labctl.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.grade.hosts import Start
    from labctl.grade.model import Grade, Outcome, Subject


class Report(enum.StrEnum):
    """What a grade is written as."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    GRADESCOPE = "gradescope"
    CLASSROOM50 = "classroom50"
    CHECK50 = "check50"
    HTML = "html"


What = Annotated[str, typer.Argument(metavar="echo|udp|http|chat|SPEC.yaml", help="What the program is to be.")]
Command = Annotated[
    list[str], typer.Argument(metavar="-- COMMAND...", help="The program, as `labctl run` takes it: python3 server.py.")
]
Seed = Annotated[str | None, typer.Option(metavar="S", help="Of the payloads; the same gives the same ones.")]
Image = Annotated[str | None, typer.Option(metavar="IMAGE", help="A local image, in place of labctl's own.")]
Memory = Annotated[str, typer.Option(metavar="SIZE", help="The most that the program gets, such as 64m.")]
Port = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=65535, help="Where it has to listen; else wherever it does.")
]


def grade(
    what: What,
    command: Command,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="Just this one, and what it needs; again for more.")
    ] = None,
    seed: Seed = None,
    report: Annotated[Report, typer.Option(help="What it is written as.")] = Report.TEXT,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the report there.")] = None,
    folder: Annotated[
        Path, typer.Option("--folder", "-C", metavar="DIR", help="What the program sees at /program, read-only.")
    ] = Path(),
    image: Image = None,
    memory: Memory = "256m",
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Check a program of any language over real sockets, and mark it: exit 0 where it passes everything.

    It runs as a host of a lab of its own, which is gone afterwards. For a grading system's report, exit 0 says that it
    ran, whatever the marks. docs/grade.md has what is wanted of each kind of program.
    """
    from labctl.grade import grading
    from labctl.grade.hosts import Start

    chosen = Report.JSON if as_json else report
    output.Settings.json = chosen is Report.JSON
    subject = _subject(what)
    start = Start(tuple(command), folder, image, memory, port)
    into_terminal = chosen is Report.TEXT and out is None
    told = _teller(subject) if into_terminal else (lambda outcome: None)
    try:
        with output.Progress("grading") as progress:
            found = grading.grade(subject, start, named=what, only=only or (), seed=seed, report=progress, told=told)
    except LabError as problem:
        if chosen.value in _for_systems():  # their advice: a file in any case
            _write(_not_run(subject, start, problem), chosen, out)
        raise
    _write(found, chosen, out, summary_alone=into_terminal)
    if not found.passed and chosen.value not in _for_systems():
        raise typer.Exit(1)


def _for_systems() -> tuple[str, ...]:
    from labctl.grade.reports import FOR_SYSTEMS

    return FOR_SYSTEMS


def _subject(what: str) -> Subject:
    """Raises LabError `no-such-subject`, `spec-invalid`, `file-unreadable`."""
    from labctl.errors import nearest
    from labctl.grade.subjects import SUBJECTS

    if what in SUBJECTS:
        return SUBJECTS[what]
    if what.endswith((".yaml", ".yml")) or "/" in what:
        from labctl.grade.spec import read

        return read(Path(what))
    raise LabError("no-such-subject", name=what, near=nearest(what, SUBJECTS), has=", ".join(SUBJECTS))


def _teller(subject: Subject) -> Callable[[Outcome], None]:
    """Prints each outcome as it comes."""
    from labctl.grade.reports import text

    width = max(len(one.name) for one in subject.checks)
    columns, colour = output.columns() or 100, output.colour()

    def tell(outcome: Outcome) -> None:
        output.data("\n".join(text.lines(outcome, width, columns=columns, colour=colour)))

    return tell


def _write(found: Grade, form: Report, out: Path | None, *, summary_alone: bool = False) -> None:
    """Raises LabError `file-unwritable`."""
    if form is Report.TEXT:
        from labctl.grade.reports import text

        for note in found.notes:
            output.talk(note)
        if summary_alone:
            output.data(text.summary(found))
            return
        width = max((len(one.check.name) for one in found.outcomes), default=0)
        every = [line for one in found.outcomes for line in text.lines(one, width, columns=100)]
        written = "\n".join([*every, text.summary(found)])
    else:
        from labctl.grade.reports import writer

        written = writer(form.value)(found)
    if out is None:
        output.markup(written) if form in (Report.JUNIT, Report.HTML) else output.data(written)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{written}\n")
    except OSError as problem:
        raise LabError("file-unwritable", file=out, why=problem.strerror or str(problem)) from None


def _not_run(subject: Subject, start: Start, problem: LabError) -> Grade:
    from labctl.grade.model import Grade, Outcome

    outcomes = tuple(Outcome(check, "error", why=f"it could not be run: {problem.message}") for check in subject.checks)
    return Grade(subject, start.command, "", outcomes)


def grade_all(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="It holds a folder for each submission.")],
    what: What,
    command: Command,
    seed: Seed = None,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, max=16, help="So many at a time.")] = 4,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table there, a line for each.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one page there, with all of it.")] = None,
    image: Image = None,
    memory: Memory = "256m",
    port: Port = None,
    as_json: Json = False,
) -> None:
    """Grade each folder of a folder, several at a time, by the same command; a table of all. No lab is left."""
    import secrets

    from labctl.grade import many
    from labctl.grade.hosts import Start

    subject = _subject(what)
    folders = many.submissions(folder)
    starts = {one.name: Start(tuple(command), one, image, memory, port) for one in folders}
    with output.Progress("grading") as progress:
        rows = many.grade_all(subject, starts, what, seed or secrets.token_hex(4), jobs, progress)
    if csv:
        _save(csv, many.as_csv(subject, rows))
    if html:
        _save(html, many.as_html(subject, rows))
    if as_json:
        output.document(many.document(subject, rows))
    else:
        output.data("\n".join(many.table(subject, rows, output.columns() or 100)))


def _save(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as problem:
        raise LabError("file-unwritable", file=file, why=problem.strerror or str(problem)) from None
