"""Lines of a timeline: programs' own lines as they are, and on terminals of any width."""

import pytest

from labctl.events.codec import decode
from labctl.lab.roles.chat_log import Said
from labctl.render import chat_log
from labctl.render.text import folded, width
from labctl.render.timeline import Timeline

TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/app/server.py", line 12, in <module>',
    "    sock.bind((HOST, PORT))",
    "OSError: [Errno 98] Address already in use",
]
STAMP = "2026-11-22T14:04:20.123456789Z"


def shown(text: str, *, stderr: bool = True, columns: int | None = None, **options) -> str:
    timeline = Timeline(["mine"], columns=columns, colour=False, **options)
    return timeline.line(decode(text.encode(), node="mine", stamp=STAMP, stderr=stderr))


def test_a_traceback_is_shown_as_it_was_written_and_marked():
    head = "14:04:20.123456Z  mine  stderr    "
    assert [shown(line) for line in TRACEBACK] == [head + line for line in TRACEBACK]
    assert shown("listening", stderr=False) == "14:04:20.123456Z  mine  log       listening"


def test_what_a_terminal_would_act_on_is_not_printed():
    assert shown("\x1b[1;31mred\x1b[0m\ttab").endswith("  red     tab")
    assert "\x1b" not in shown("\x1b[2J\x1b]0;title\x07")
    assert shown('{"a": "b"}', stderr=False).endswith('{"a": "b"}')


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
@pytest.mark.parametrize("text", ["a word and another " * 30, "x" * 500, "日本" * 200, "", "    " + "indented " * 40])
def test_wrapping_cuts_nothing(columns, text):
    lines = shown(text, columns=columns, wrap=True).split("\n")
    assert all(width(line) <= columns for line in lines)
    indent = len("14:04:20.123456Z  mine  stderr    ")
    assert all(line[:indent].strip() == "" for line in lines[1:])
    assert "".join(line[indent:] for line in lines).replace(" ", "") == text.replace(" ", "")
    assert "…" not in "".join(lines)
    assert "\n" not in shown(text, columns=columns)


def test_a_colour_for_what_failed():
    timeline = Timeline(["mine"], columns=None, colour=True)
    assert "\x1b[31mstderr" in timeline.line(decode(b"x", node="mine", stamp=STAMP, stderr=True))


def test_folding_breaks_behind_a_space_where_one_is_in_reach():
    assert folded("one two three four", 10) == ["one two", "three four"]
    assert folded("    deep indented", 10) == ["    deep", "indented"]
    assert folded("abcdefghijkl", 5) == ["abcde", "fghij", "kl"]
    assert folded("", 5) == [""]
    assert folded("how=SHUT_WR  sent=197", 12) == ["how=SHUT_WR", "sent=197"], "no line begins with what is between two"
    assert folded("one two", 3) == ["one", "two"]
    assert folded("one   ", 3) == ["one"]


def test_a_conversation_goes_by_seconds_and_says_what_is_missing():
    said = Said(STAMP, "message", "alice", "bob", text="hi")
    assert chat_log.line(said, columns=None, colour=False) == "14:04:20Z  alice: hi"
    forged = Said(STAMP, "message", "x\n14:04:20Z  bob", "bob", text="hi")
    assert chat_log.line(forged, columns=None, colour=False) == "14:04:20Z  x\\u000a14:04:20Z  bob: hi"
    gone = Said(STAMP, "missing", "bob", "bob", reason="the oldest part is gone")
    assert chat_log.line(gone, columns=None, colour=False) == "14:04:20Z  -- of bob: the oldest part is gone"
