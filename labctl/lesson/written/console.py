"""What is seen after a command, against what a lesson says is seen.

`...` alone on a line stands for any lines, within a line for any text; <number>, <time>, <port>, <address> for one such
thing. Runs of blanks and of drawn lines may have any length (what they pad varies), and of an address the first three
numbers may be others: a lab takes another subnet where its own is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ELLIPSIS = "..."
_WORDS = {
    "<number>": r"[-+]?\d[\d,]*(?:\.\d+)?",
    "<time>": r"\d[\d:.T-]*Z?(?: ?(?:ns|us|µs|ms|s)\b)?",
    "<port>": r"\d{1,5}",
    "<address>": r"[0-9A-Fa-f.:]+",
}
_TOKEN = re.compile(
    r"(?P<word><(?:number|time|port|address)>)|(?P<any>\.\.\.)|(?P<blanks> {2,})|(?P<drawn>[─═┄-]{2,})"
    r"|(?P<address>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.(?P<last>\d{1,3})\b)"
)
_VARIES = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?Z?\b"), "<time>"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s)\b"), "<time>"),
    (re.compile(r"(?<![\d.])\d+\.\d{3,}(?![\d.])"), "<time>"),
    (re.compile(r"(?<=:)(?:3[2-9]|4\d|5\d|6[0-5])\d{3}\b"), "<port>"),
)


def matches(expected: Sequence[str], seen: Sequence[str]) -> bool:
    return first_difference(expected, seen) is None


def first_difference(expected: Sequence[str], seen: Sequence[str]) -> int | None:
    """The place of the first expected line that nothing seen can stand for (their number where more was seen than is
    expected); None where all is as expected."""
    wanted = [_pattern(line) for line in _trimmed(expected)]
    there = [line.rstrip() for line in _trimmed(seen)]
    # Places in `there` that the lines so far can have come to.
    reached, furthest = {0}, 0
    for place, pattern in enumerate(wanted):
        if pattern is None:
            reached = set(range(min(reached), len(there) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(there) and pattern.fullmatch(there[at])}
        if not reached:
            return place
        furthest = place + 1
    return None if len(there) in reached else furthest


def _trimmed(lines: Sequence[str]) -> list[str]:
    out = list(lines)
    while out and not out[-1].strip():
        out.pop()
    return out


def _pattern(line: str) -> re.Pattern[str] | None:
    """None stands for any lines."""
    if line.strip() == ELLIPSIS:
        return None
    out, at = "", 0
    text = line.rstrip()
    for found in _TOKEN.finditer(text):
        out += re.escape(text[at : found.start()]) + _regex(found)
        at = found.end()
    return re.compile(out + re.escape(text[at:]))


def _regex(found: re.Match[str]) -> str:
    if found["word"]:
        return _WORDS[found["word"]]
    if found["any"]:
        return ".*?"
    if found["blanks"]:
        return " +"
    if found["drawn"]:
        return f"{re.escape(found['drawn'][0])}+"
    return rf"\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}\.{found['last']}"


def generalised(seen: Sequence[str]) -> list[str]:
    """What was seen, as a lesson's file should have it: what varies from run to run is a pattern."""
    out = []
    for line in _trimmed(seen):
        text = line.rstrip()
        for pattern, word in _VARIES:
            text = pattern.sub(word, text)
        out.append(text)
    return out
