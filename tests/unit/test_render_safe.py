"""Whatever others wrote, nothing of it makes a terminal act, and no line looks like two."""

import json
from types import SimpleNamespace

import pytest
from traffic import packet, udp

from labctl.events.codec import decode
from labctl.events.model import Event
from labctl.lab.roles.chat_log import Said
from labctl.packets.matching.live import Seen
from labctl.render import cells, chat_log, sending, tables, validation
from labctl.render.inside import sockets, syscalls
from labctl.render.packets import lines
from labctl.render.timeline import Timeline

TS = "2026-01-01T00:00:00Z"
NASTY = "\x1b[2J\n00:00:00  alice\x9b\u202e"


def is_safe(text: str) -> bool:
    return text.isprintable() and "\\u001b[2J" in text


@pytest.mark.parametrize(
    "fields",
    [
        {"event": NASTY},
        {"peer": [NASTY, 1]},
        {"local": [NASTY, 1]},
        {NASTY: 1},
        {"data": NASTY},
        {"bytes": NASTY},
        {"cut": NASTY},
        {"error": NASTY},
        {"listening": [["tcp", NASTY, 1]]},
        {"listening": [NASTY]},
    ],
    ids=lambda fields: next(iter(fields)).strip(NASTY) or "key",
)
def test_a_line_of_a_journal(fields):
    event = decode(json.dumps({"ts": TS, "event": "x", **fields}).encode(), node="n")
    assert is_safe(Timeline(["n"], columns=None, colour=False).line(event))
    narrow = Timeline(["n"], columns=60, colour=False).line(event)
    assert narrow.isprintable()
    coloured = Timeline(["n"], columns=None, colour=True).line(event)
    assert "\x1b[2J" not in coloured
    assert "\n" not in coloured


def test_what_was_said_and_sent():
    assert is_safe(chat_log.line(Said(TS, "ended", "n", "m", reason=NASTY), columns=None, colour=False))
    ends = {"sender": "n", "receiver": "m", "local": (NASTY, 1), "peer": ("10.0.0.1", 1)}
    delivery = SimpleNamespace(**ends, seen_from=None, answer=None, seconds=0.1, text="hi")
    train = SimpleNamespace(**ends, sent=1, received=1, lost=1, overflowed=1, duplicated=0, reordered=0, seconds=0.1)
    assert is_safe(sending.delivery(delivery))
    assert is_safe(sending.train(train))


def test_states_and_system_calls():
    for fields in ({"proto": NASTY}, {"to": NASTY}):
        event = Event(TS, "n", "socket-state", ("10.0.0.1", 1), None, fields)
        assert is_safe(sockets.Changes(["n"], columns=None, colour=False).line(event))
    for name, fields in (
        ("syscall", {"call": "send", "args": [], "result": -1, "error": "E", "reason": NASTY}),
        ("syscall", {"call": "send", "args": [NASTY], "result": 1, "more": NASTY}),
        ("process", {"state": "ended", "signal": NASTY}),
        ("signal", {"signal": NASTY}),
        ("trouble", {"reason": NASTY}),
    ):
        event = Event(TS, "n", name, None, None, fields)
        assert is_safe(syscalls.Calls(["n"], columns=None, colour=False).line(event))


def test_tables_keep_the_lines_of_a_cell_and_nothing_else():
    drawn = cells.laid_out(("A", "B"), [("one\ntwo", NASTY.replace("\n", ""))], None, False)
    assert [line.split()[0] for line in drawn.split("\n")] == ["A", "one", "two"]
    assert all(map(str.isprintable, drawn.split("\n")))
    bad = SimpleNamespace(check="c", level="bad", what=NASTY, mend=NASTY)
    assert all(map(str.isprintable, tables.findings([bad], columns=None, colour=False).split("\n")))


def test_problems_of_a_file_and_packets():
    problem = SimpleNamespace(shown=lambda files: f"{files[0]}:1:1: \x1b[2J\n  a hint")
    report = SimpleNamespace(file="x\x1b[2J", files=("x\x1b[2J",), problems=[problem], errors=1, warnings=0)
    assert validation.text(report).split("\n") == ["x\\u001b[2J:1:1: \\u001b[2J", "  a hint"]
    assert validation.verdict(report) == "x\\u001b[2J: 1 error"
    seen = Seen(
        packet(udp("10.0.0.1", 1, "10.0.0.2", 2, b"hi"), node="n"), "in", (SimpleNamespace(action="drop", rule=NASTY),)
    )
    assert is_safe(lines.Lines(["n"], columns=None, colour=False).line(seen))
