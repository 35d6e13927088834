"""Grades many submissions, several at a time, and puts them into one table."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.errors import LabError
from labctl.grade.grading import grade
from labctl.grade.hosts import Start
from labctl.grade.model import Grade, Subject
from labctl.grade.reports import html as page
from labctl.grade.reports import json as documents
from labctl.grade.reports import safe
from labctl.grade.reports.text import WORDS
from labctl.render.text import fitted, padded, printable


@dataclass(frozen=True)
class Row:
    """A submission by its folder's name; `problem`: why there is no grade."""

    name: str
    grade: Grade | None
    problem: str = ""

    @property
    def failed(self) -> list[str]:
        return [one.check.name for one in self.grade.outcomes if one.verdict == "failed"] if self.grade else []


def submissions(folder: Path) -> list[Path]:
    """The folders of a folder, by name, but hidden ones. Raises LabError `file-unreadable`, `no-submissions`."""
    try:
        found = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError as problem:
        raise LabError("file-unreadable", file=folder, why=problem.strerror or str(problem)) from None
    if not found:
        raise LabError("no-submissions", folder=folder)
    return found


def grade_all(
    subject: Subject,
    starts: Mapping[str, Start],
    named: str,
    seed: str,
    jobs: int,
    report: Callable[[str], None],
) -> list[Row]:
    """One row for each, in the same order. What can't be run at all is a row, too."""

    def one(name: str, start: Start) -> Row:
        try:
            found = grade(subject, start, named=named, seed=seed)
        except LabError as problem:
            return Row(name, None, problem.message)
        report(f"{name}: {found.score} of {found.most}")
        return Row(name, safe(found))

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, starts, starts.values()))


def table(subject: Subject, rows: Sequence[Row], columns: int) -> list[str]:
    """For a terminal: who, how many points, what failed."""
    width = max(len("SUBMISSION"), *(len(printable(row.name)) for row in rows))
    most = sum(one.points for one in subject.checks)
    out = [f"{padded('SUBMISSION', width)}  POINTS  FAILED"]
    for row in rows:
        points = f"{row.grade.score}/{most}" if row.grade else "-"
        said = row.problem or ", ".join(row.failed) or "-"
        out.append(fitted(f"{padded(printable(row.name), width)}  {points:<6}  {printable(said)}", columns))
    return out


def as_csv(subject: Subject, rows: Sequence[Row]) -> str:
    """RFC 4180: a column for each check. A name can't be a formula of a spreadsheet's."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = [one.name for one in subject.checks]
    writer.writerow(["submission", "score", "max_score", *names, "problem"])
    for row in rows:
        verdicts = {one.check.name: WORDS[one.verdict] for one in row.grade.outcomes} if row.grade else {}
        score = row.grade.score if row.grade else 0
        most = sum(one.points for one in subject.checks)
        cells = [_harmless(row.name), score, most, *(verdicts.get(name, "") for name in names)]
        writer.writerow([*cells, _harmless(row.problem)])
    return out.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def as_html(subject: Subject, rows: Sequence[Row]) -> str:
    """One page: the table, and each grade to be opened in it."""
    names = [one.name for one in subject.checks]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = [_line(row, names) for row in rows]
    more = [f"<details><summary>{html.escape(row.name)}</summary>{_details(row)}</details>" for row in rows]
    body = f"<table><tr><th>submission</th><th>points</th>{head}</tr>{''.join(lines)}</table>{''.join(more)}"
    return page.page(f"{subject.title}: {len(rows)} submissions", body)


def _line(row: Row, names: Sequence[str]) -> str:
    verdicts = {one.check.name: WORDS[one.verdict] for one in row.grade.outcomes} if row.grade else {}
    cells = "".join(f'<td class="{verdicts.get(name, "")}">{verdicts.get(name, "-")}</td>' for name in names)
    points = f"{row.grade.score} of {row.grade.most}" if row.grade else html.escape(row.problem)
    return f"<tr><td>{html.escape(row.name)}</td><td>{points}</td>{cells}</tr>"


def _details(row: Row) -> str:
    return page.table(row.grade) if row.grade else f"<p>{html.escape(row.problem)}</p>"


def document(subject: Subject, rows: Sequence[Row]) -> dict[str, Any]:
    """As `--json` has it."""
    found = [
        {"name": row.name, "grade": documents.document(row.grade) if row.grade else None, "problem": row.problem}
        for row in rows
    ]
    return {"subject": subject.name, "submissions": found}
