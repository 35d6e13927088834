"""Reads somebody's own protocol from a file: checks as steps, with points. docs/grade.md has an example."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from labctl.errors import LabError, nearest
from labctl.grade.model import CHECKER, PROGRAM, Breaking, Check, Subject

VERBS = ("connect", "send", "expect", "half-close", "close", "reset", "fault", "wire")
_OF_FILE = ("name", "transport", "port", "checks")
_OF_CHECK = ("name", "rationale", "points", "needs", "steps")
_OF_STEP = (*VERBS, "to", "from", "within")
_OF_EXPECT = ("text", "regex", "hex", "end")
_OF_FAULT = ("drop", "duplicate", "delay")
_WITH_FAULT = ("link", "by")
LINKS = (f"{CHECKER}:{PROGRAM}", f"{PROGRAM}:{CHECKER}", f"{CHECKER}-{PROGRAM}", f"{PROGRAM}-{CHECKER}")
_LARGEST = 1 << 20  # bytes of a file
_LISTENS = "it listens where other hosts can reach it, and not on 127.0.0.1 alone"


class _At:
    """A part of the file, and where it stands."""

    def __init__(self, file: Path, node: yaml.Node) -> None:
        self.file, self.node = file, node

    def bad(self, why: str) -> LabError:
        mark = self.node.start_mark
        return LabError("spec-invalid", file=self.file, row=mark.line + 1, column=mark.column + 1, why=why)

    def mapping(self, what: str, keys: tuple[str, ...]) -> dict[str, _At]:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.bad(f"{what} is a mapping with {', '.join(keys)}")
        found: dict[str, _At] = {}
        for key, value in self.node.value:
            at = _At(self.file, key)
            name = str(key.value)
            if name not in keys:
                raise at.bad(f"{what} has no {name}{nearest(name, keys)}; it has {', '.join(keys)}")
            if name in found:
                raise at.bad(f"{name} stands twice")
            found[name] = _At(self.file, value)
        return found

    def sequence(self, what: str) -> list[_At]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.bad(f"{what} is a list")
        return [_At(self.file, one) for one in self.node.value]

    def text(self, what: str) -> str:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag not in (
            "tag:yaml.org,2002:str",
            "tag:yaml.org,2002:int",
        ):
            raise self.bad(f"{what} is a text")
        return str(self.node.value)

    def number(self, what: str, least: int, most: int) -> int:
        text = str(self.node.value) if isinstance(self.node, yaml.ScalarNode) else ""
        if not text.isdecimal() or not least <= int(text) <= most:
            raise self.bad(f"{what} is a whole number from {least} to {most}")
        return int(text)


def read(file: Path) -> Subject:
    """Raises LabError `file-unreadable`, `spec-invalid`."""
    try:
        data = file.read_bytes()[: _LARGEST + 1]
    except OSError as problem:
        raise LabError("file-unreadable", file=file, why=problem.strerror or str(problem)) from None
    if len(data) > _LARGEST:
        raise LabError("spec-invalid", file=file, row=1, column=1, why="it is larger than a mebibyte")
    try:
        node = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise LabError("spec-invalid", file=file, row=1, column=1, why="it is no UTF-8 text") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        why = str(getattr(problem, "problem", None) or "it is no YAML")
        row, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise LabError("spec-invalid", file=file, row=row, column=column, why=why) from None
    if node is None:
        raise LabError("spec-invalid", file=file, row=1, column=1, why="it is empty")
    return _subject(_At(file, node), file)


def _subject(top: _At, file: Path) -> Subject:
    found = top.mapping("the file", _OF_FILE)
    transport = found["transport"].text("transport") if "transport" in found else "tcp"
    if transport not in ("tcp", "udp"):
        raise found["transport"].bad("transport is tcp or udp")
    if "checks" not in found:
        raise top.bad("checks are missing")
    name = found["name"].text("name") if "name" in found else file.stem
    port = found["port"].number("port", 1, 65535) if "port" in found else 0
    checks = [Check("listens", _LISTENS, 1, (), "listens")]
    for one in found["checks"].sequence("checks"):
        checks.append(_check(one, [check.name for check in checks], transport))
    if len(checks) == 1:
        raise found["checks"].bad("there is no check")
    return Subject(name, name, "udp" if transport == "udp" else "tcp", tuple(checks), "steps", port)


def _check(at: _At, before: list[str], transport: str) -> Check:
    found = at.mapping("a check", _OF_CHECK)
    for key in ("name", "steps"):
        if key not in found:
            raise at.bad(f"a check has a {key}")
    name = found["name"].text("a name")
    if name in before:
        raise found["name"].bad(f"{name} is another check's name already")
    needs = ["listens"]
    for one in found["needs"].sequence("needs") if "needs" in found else []:
        needs.append(one.text("what it needs"))
        if needs[-1] not in before:
            raise one.bad(f"no check {needs[-1]} stands before this one{nearest(needs[-1], before)}")
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


def _steps(at: _At, transport: str) -> tuple[list[dict[str, Any]], list[Breaking], str]:
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
        if verb == "fault":
            faults.append(_fault(found[verb]))
        elif verb == "wire":
            wire = _pattern(found[verb])
        else:
            steps.append(_step(one, verb, found, there, transport))
    if not steps:
        raise at.bad("there is no step that a client takes: connect, send, expect ...")
    return steps, faults, wire


def _step(at: _At, verb: str, found: dict[str, _At], there: set[str], transport: str) -> dict[str, Any]:
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
            raise at.bad(f"{client} is connected already")
        there.add(client)
    elif client not in there:
        raise at.bad(f"{client} isn't connected{nearest(client, there)}")
    step: dict[str, Any] = {"verb": verb, "client": client}
    if verb in ("close", "reset"):
        there.discard(client)
    if verb == "send":
        step["data"] = _bytes(found[verb], found[verb].text("what is sent"))
    if verb == "expect":
        step |= _expect(found[verb])
        if "within" in found:
            step["within"] = found["within"].number("within (seconds)", 1, 30)
    return step


def _expect(at: _At) -> dict[str, Any]:
    if isinstance(at.node, yaml.ScalarNode):
        return {"kind": "text", "data": _bytes(at, at.text("what is expected"))}
    found = at.mapping("expect", _OF_EXPECT)
    if len(found) != 1:
        raise at.bad(f"expect is a text, or one of {', '.join(_OF_EXPECT)}")
    ((kind, value),) = found.items()
    if kind == "end":
        return {"kind": "end", "data": ""}
    if kind == "hex":
        try:
            return {"kind": "text", "data": bytes.fromhex(value.text("hex")).decode("latin-1")}
        except ValueError:
            raise value.bad("hex is two digits for each byte") from None
    text = value.text(kind)
    if kind == "regex":
        import re

        try:
            re.compile(text.encode())
        except re.error as problem:
            raise value.bad(f"it is no regular expression: {problem}") from None
    return {"kind": kind, "data": _bytes(value, text)}


def _bytes(at: _At, text: str) -> str:
    """As JSON can carry bytes: a character for each."""
    return text.encode().decode("latin-1")


def _fault(at: _At) -> Breaking:
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


def _time(at: _At) -> str:
    from labctl.faults.measures import Malformed, seconds

    text = at.text("by")
    try:
        seconds("by", text)
    except Malformed as problem:
        raise at.bad(str(problem)) from None
    return text


def _link(at: _At) -> str:
    text = at.text("link")
    if text not in LINKS:
        raise at.bad(f"there is no link {text}{nearest(text, LINKS)}; there are {', '.join(LINKS)}")
    return text


def _pattern(at: _At) -> str:
    from labctl.packets.pattern import BadPattern, parse

    text = at.text("a pattern")
    try:
        parse(text)
    except BadPattern as problem:
        raise at.bad(f"line {problem.row}, column {problem.column} of the pattern: {problem.why}") from None
    return text
