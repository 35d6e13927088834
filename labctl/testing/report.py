"""What a failed test leaves: the timeline, ladders and last lines in its report, and files in the artifacts' folder."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labctl.api.results.drawn import Ladder
from labctl.errors import LabError
from labctl.events.codec import encode
from labctl.testing.tested import TestedLab, timeline

_EVENTS, _LINES, _ARROWS = 200, 5, 60  # that are shown of the timeline, of each node, of each ladder


def sections(lab: TestedLab) -> Iterator[tuple[str, str]]:
    """Titles and texts for pytest's own report. What can't be asked for any more is said in its place."""
    yield f"labctl: timeline of {lab.name}", "\n".join(timeline(lab, last=_EVENTS)) or "no event"
    for ladder in _ladders(lab):
        drawn = ladder.text(columns=100)
        lines = drawn.splitlines()
        cut = [f"... {len(lines) - 2 * _ARROWS} lines more"] if len(lines) > 2 * _ARROWS else []
        yield f"labctl: {ladder.left} and {ladder.right}", "\n".join([*lines[: 2 * _ARROWS], *cut])
    last = [line for name in _names(lab) for line in timeline(lab, (name,), last=_LINES)]
    yield "labctl: the nodes' last lines", "\n".join(last) or "none"


def artifacts(lab: TestedLab, folder: Path, title: str) -> Path:
    """Writes packets.pcapng, journal.jsonl and report.html into a folder of the test's own; gives that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    ladders = _ladders(lab)
    events = _or_nothing(lambda: list(lab.journal(since=lab.began)), [])
    lines = [json.dumps(encode(event), ensure_ascii=False) for event in events]
    (folder / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if lab.is_recorded:
        _or_nothing(lambda: lab.capture(last=_since(lab), file=folder / "packets.pcapng"), None)
    (folder / "report.html").write_text(_page(title, "\n".join(timeline(lab, last=10_000)), ladders))
    return folder


def _since(lab: TestedLab) -> float:
    import datetime as dt

    return (dt.datetime.now(dt.UTC) - lab.began).total_seconds() + 1.0


def _ladders(lab: TestedLab) -> tuple[Ladder, ...]:
    names = _names(lab)
    if not lab.is_recorded or len(names) < 2:
        return ()
    found: tuple[Ladder, ...] = _or_nothing(lambda: lab.wire(*names).ladders, ())
    return found


def _names(lab: TestedLab) -> list[str]:
    found: list[str] = _or_nothing(lambda: [node.name for node in lab.snapshot().hosts if node.is_running], [])
    return found


def _or_nothing(ask: Callable[[], Any], nothing: Any) -> Any:
    """A report of a failure is no place to fail."""
    try:
        return ask()
    except LabError:
        return nothing


def _page(title: str, events: str, ladders: tuple[Ladder, ...]) -> str:
    """One file that shows all of it, without a script and without anything from elsewhere."""
    parts = [f"<h2>{html.escape(one.left)} and {html.escape(one.right)}</h2>\n{one.svg()}" for one in ladders]
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body {{ font: 14px/1.4 sans-serif; margin: 2em; color: #222; background: #fff }}
pre {{ overflow-x: auto; background: #f4f4f4; padding: 1em }} svg {{ max-width: 100%; height: auto }}</style></head>
<body><h1>{html.escape(title)}</h1>
<h2>Timeline</h2>
<pre>{html.escape(events)}</pre>
{chr(10).join(parts)}
</body></html>
"""
