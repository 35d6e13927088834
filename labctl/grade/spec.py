"""Reads somebody's own protocol from a file: checks as steps, with points. docs/grade.md has an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from labctl.errors import brief, nearest
from labctl.grade.model import CHECKER, PROGRAM, Breaking, Check, Subject
from labctl.grade.values import At, load
from labctl.topology.check.reading.source import Scalar

VERBS = ("connect", "send", "expect", "half-close", "close", "reset", "fault", "wire")
_OF_FILE = ("name", "transport", "port", "checks")
_OF_CHECK = ("name", "rationale", "points", "needs", "steps")
_WITH_STEP = {"send": ("to",), "expect": ("from", "within")}  # what a step of a verb may have beside it
_OF_STEP = (*VERBS, "to", "from", "within")
_OF_EXPECT = ("text", "regex", "hex", "end")
_OF_FAULT = ("drop", "duplicate", "delay")
_WITH_FAULT = ("link", "by")
LINKS = (f"{CHECKER}:{PROGRAM}", f"{PROGRAM}:{CHECKER}", f"{CHECKER}-{PROGRAM}", f"{PROGRAM}-{CHECKER}")
_LISTENS = "it listens where other hosts can reach it, and not on 127.0.0.1 alone"


def read(file: Path) -> Subject:
    """Raises LabError `file-unreadable`, `spec-invalid`."""
    return _subject(load(file, f"the file is a mapping with {', '.join(_OF_FILE)}"), file)


def _subject(top: At, file: Path) -> Subject:
    found = top.mapping("the file", _OF_FILE)
    transport = found["transport"].text("transport") if "transport" in found else "tcp"
    if transport not in ("tcp", "udp"):
        raise found["transport"].bad("transport is tcp or udp")
    if "checks" not in found:
        raise top.bad("checks are missing")
    name = found["name"].text("name") if "name" in found else file.stem
    port = found["port"].number("port", 1, 65535) if "port" in found else 0
    checks = {"listens": Check("listens", _LISTENS, 1, (), "listens")}
    for one in found["checks"].sequence("checks"):
        check = _check(one, checks, transport)
        checks[check.name] = check
    if len(checks) == 1:
        raise found["checks"].bad("there is no check")
    return Subject(name, name, "udp" if transport == "udp" else "tcp", tuple(checks.values()), "steps", port)


def _check(at: At, before: Mapping[str, Check], transport: str) -> Check:
    found = at.mapping("a check", _OF_CHECK)
    for key in ("name", "steps"):
        if key not in found:
            raise at.bad(f"a check has a {key}")
    name = found["name"].text("a name")
    if name in before:
        raise found["name"].bad(f"{brief(name)} is another check's name already")
    needs = ["listens"]
    for one in found["needs"].sequence("needs") if "needs" in found else []:
        needs.append(one.text("what it needs"))
        if needs[-1] not in before:
            raise one.bad(f"no check {brief(needs[-1])} stands before this one{nearest(needs[-1], before)}")
    steps, faults, wire = _steps(found["steps"], transport)
    return Check(
        name,
        found["rationale"].text("a rationale") if "rationale" in found else name,
        found["points"].number("points", 0, 1000) if "points" in found else 1,
        tuple(needs),
        faults=tuple(faults),
        steps=tuple(steps),
        wire=wire,
    )


def _steps(at: At, transport: str) -> tuple[list[dict[str, Any]], list[Breaking], str]:
    steps: list[dict[str, Any]] = []
    faults: list[Breaking] = []
    wire = ""
    there: set[str] = set()
    for one in at.sequence("steps"):
        found = one.mapping("a step", _OF_STEP)
        verbs = [key for key in found if key in VERBS]
        if len(verbs) != 1:
            raise one.bad(f"a step has one of {', '.join(VERBS)}")
        verb = verbs[0]
        for key, value in found.items():
            if key != verb and key not in _WITH_STEP.get(verb, ()):
                raise value.bad(f"{verb} has no {key}")
        if verb == "fault":
            faults.append(_fault(found[verb]))
        elif verb == "wire":
            if wire:
                raise found[verb].bad("a check has one wire: a pattern of all that was sent")
            wire = _pattern(found[verb])
        else:
            steps.append(_step(one, verb, found, there, transport))
    if not steps:
        raise at.bad("there is no step that a client takes: connect, send, expect ...")
    return steps, faults, wire


def _step(at: At, verb: str, found: dict[str, At], there: set[str], transport: str) -> dict[str, Any]:
    if transport == "udp" and verb in ("half-close", "reset"):
        raise at.bad(f"{verb} is TCP's alone")
    if verb in ("send", "expect"):
        place = found.get("to" if verb == "send" else "from")
        client = place.text("a client's name") if place else (next(iter(there)) if len(there) == 1 else "")
        if not client:
            raise at.bad(f"whose {verb} is it? say {'to' if verb == 'send' else 'from'}: a client that connected")
    else:
        client = found[verb].text("a client's name")
    if verb == "connect":
        if client in there:
            raise at.bad(f"{brief(client)} is connected already")
        there.add(client)
    elif client not in there:
        raise at.bad(f"{brief(client)} isn't connected{nearest(client, there)}")
    step: dict[str, Any] = {"verb": verb, "client": client}
    if verb in ("close", "reset"):
        there.discard(client)
    if verb == "send":
        step["data"] = _bytes(found[verb].text("what is sent"))
    if verb == "expect":
        step |= _expect(found[verb], transport)
        if "within" in found:
            step["within"] = found["within"].number("within (seconds)", 1, 30)
    return step


def _expect(at: At, transport: str) -> dict[str, Any]:
    if isinstance(at.value, Scalar):
        return {"kind": "text", "data": _bytes(at.text("what is expected"))}
    found = at.mapping("expect", _OF_EXPECT)
    if len(found) != 1:
        raise at.bad(f"expect is a text, or one of {', '.join(_OF_EXPECT)}")
    ((kind, value),) = found.items()
    if kind == "end":
        if not value.is_true:
            raise value.bad("end is true: the connection closes")
        if transport == "udp":
            raise value.bad("end is TCP's alone")
        return {"kind": "end", "data": ""}
    if kind == "hex":
        try:
            return {"kind": "text", "data": bytes.fromhex(value.text("hex")).decode("latin-1")}
        except ValueError:
            raise value.bad("hex is two digits for each byte") from None
    text = value.text(kind)
    if kind == "regex":
        _refuse_no_regex(value, text)
    return {"kind": kind, "data": _bytes(text)}


def _refuse_no_regex(at: At, text: str) -> None:
    import re
    import warnings

    try:
        with warnings.catch_warnings(action="ignore"):  # of what a later Python may read in another way
            re.compile(text.encode())
    except re.error as problem:
        raise at.bad(f"it is no regular expression: {brief(str(problem))}") from None
    except (OverflowError, ValueError):  # ValueError: Python reads no number of thousands of digits
        raise at.bad("it is no regular expression: a number in it is too large") from None
    except (RecursionError, MemoryError):
        raise at.bad("it is no regular expression: its groups are nested too deep") from None


def _bytes(text: str) -> str:
    """As JSON can carry bytes: a character for each."""
    return text.encode().decode("latin-1")


def _fault(at: At) -> Breaking:
    found = at.mapping("fault", (*_OF_FAULT, *_WITH_FAULT))
    verbs = [key for key in found if key in _OF_FAULT]
    if len(verbs) != 1:
        raise at.bad(f"a fault is one of {', '.join(_OF_FAULT)}, with what it is for: drop: tcp data 1")
    verb, value = verbs[0], found[verbs[0]]
    from labctl.faults import match
    from labctl.faults.measures import Malformed

    text = value.text("what a fault is for")
    try:
        match.parse(text)
    except Malformed as problem:
        raise value.bad(str(problem)) from None
    breaking = Breaking("drop" if verb == "drop" else "duplicate" if verb == "duplicate" else "delay", text)
    if "by" in found:
        if verb != "delay":
            raise found["by"].bad("by is how long a delay is")
        breaking = replace(breaking, by=_time(found["by"]))
    return replace(breaking, link=_link(found["link"])) if "link" in found else breaking


def _time(at: At) -> str:
    from labctl.faults.measures import Malformed, seconds

    text = at.text("by")
    try:
        seconds("by", text)
    except Malformed as problem:
        raise at.bad(str(problem)) from None
    return text


def _link(at: At) -> str:
    text = at.text("link")
    if text not in LINKS:
        raise at.bad(f"there is no link {brief(text)}{nearest(text, LINKS)}; there are {', '.join(LINKS)}")
    return text


def _pattern(at: At) -> str:
    from labctl.packets.pattern import BadPattern, parse

    text = at.text("a pattern")
    try:
        parse(text)
    except BadPattern as problem:
        raise at.bad(f"line {problem.row}, column {problem.column} of the pattern: {problem.why}") from None
    return text
