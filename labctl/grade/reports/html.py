"""A grade as one page, without a script and without anything from elsewhere."""

from __future__ import annotations

import html
import shlex

from labctl.grade.model import Grade, Outcome
from labctl.grade.reports.text import WORDS, described, summary

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4em .8em; vertical-align: top; border-bottom: 1px solid #8888 }
.pass { color: light-dark(#176117, #7fd67f) }
.FAIL, .error { color: light-dark(#a11, #ff8f8f) }
.skip { color: light-dark(#705300, #e6c15c) }
pre { overflow-x: auto; padding: .8em; background: #8882; font-size: 13px }
"""
HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head>
<body><h1>{title}</h1>
"""


def page(title: str, body: str) -> str:
    return f"{HEAD.format(title=html.escape(title), style=STYLE)}{body}</body></html>\n"


def write(grade: Grade) -> str:
    parts = [f"<p><code>{html.escape(shlex.join(grade.command))}</code></p>\n<p>{html.escape(summary(grade))}</p>\n"]
    parts.append(table(grade))
    return page(f"{grade.subject.title}: {grade.score} of {grade.most}", "".join(parts))


def table(grade: Grade) -> str:
    """The checks, and what the program printed."""
    rows = "".join(map(_row, grade.outcomes))
    head = "<tr><th>verdict</th><th>check</th><th>points</th><th>what is wanted</th></tr>"
    printed = f"<h2>What it printed</h2>\n<pre>{html.escape(grade.output)}</pre>\n" if grade.output else ""
    return f"<table>{head}\n{rows}</table>\n{printed}"


def _row(one: Outcome) -> str:
    word = WORDS[one.verdict]
    said = "" if one.verdict == "passed" else f"<pre>{html.escape(described(one))}</pre>"
    return (
        f'<tr><td class="{word}">{word}</td><td>{html.escape(one.check.name)}</td>'
        f"<td>{one.score} of {one.check.points}</td><td>{html.escape(one.check.what)}{said}</td></tr>\n"
    )
