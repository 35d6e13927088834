"""Lines to events and back, merging, and what of it a person sees."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.events.codec import decode, encode, normalise
from labctl.events.merge import Window, merge
from labctl.events.model import Event
from labctl.render.text import address, fitted, quoted, width
from labctl.render.timeline import Timeline

TS = "2026-11-22T14:04:20.123456789Z"
SEND = {
    "ts": TS,
    "node": "x",
    "event": "send",
    "local": ["10.0.0.1", 7],
    "peer": ["fd00::2", 9],
    "bytes": 2,
    "text": "hi",
}


def line(**fields) -> bytes:
    return json.dumps({"ts": TS, "node": "x", "event": "send", **fields}).encode()


def test_an_event_is_read_whole_under_the_name_that_labctl_knows():
    event = decode(json.dumps(SEND).encode(), node="alice")
    assert event == Event(TS, "alice", "send", ("10.0.0.1", 7), ("fd00::2", 9), {"bytes": 2, "text": "hi"})
    assert encode(event) == {**SEND, "node": "alice"}
    assert event.nanoseconds % 1_000_000_000 == 123456789


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"{",
        b"{}",
        b"[1]",
        b'{"ts":"yesterday","event":"x"}',
        b'{"ts":"2026-11-22T14:04:20Z"}',
        b'{"ts":"2026-11-22T14:04:20Z","event":5}',
        b'{"ts":"2026-02-30T14:04:20Z","event":"x"}',
        b'{"ts":"2026-11-22T24:04:20Z","event":"x"}',
        line(rtt=float("nan")),
        line(rtt=float("-inf")),
        line().replace(b"send", b'send","bytes":1e999,"x":"'),
        line(local="10.0.0.1:7"),
        line(local=["10.0.0.1", "7"]),
        line(peer=["10.0.0.1", True]),
        b"\xff\xfe\x00",
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_event_is_kept_as_a_log(raw):
    event = decode(raw, node="a", stamp="2026-01-01T00:00:00.5Z")
    assert (event.name, event.ts) == ("log", "2026-01-01T00:00:00.500000000Z")
    assert event.get("text") == raw.decode(errors="replace")


@given(st.binary())
def test_no_line_ever_fails(raw):
    assert decode(raw, node="a").node == "a"


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)))
def test_fields_survive(fields):
    reserved = {"ts", "node", "event", "local", "peer"}
    fields = {key: value for key, value in fields.items() if key not in reserved}
    assert encode(decode(line(**fields), node="x")) == json.loads(line(**fields))


def test_stamps_have_one_length():
    assert normalise("2026-01-01T00:00:00Z") == "2026-01-01T00:00:00.000000000Z"
    assert normalise("2026-01-01T00:00:00+01:00") is None
    assert normalise(5) is None


def at(second: float, node: str = "a") -> Event:
    return Event(f"2026-01-01T00:00:{second:012.9f}Z", node, "input")


def test_merging_is_by_time_and_stable():
    one, two = [at(1), at(3), at(3, "x")], [at(2, "b"), at(3, "b")]
    assert [(e.ts[17:19], e.node) for e in merge([one, two])] == [
        ("01", "a"),
        ("02", "b"),
        ("03", "a"),
        ("03", "x"),
        ("03", "b"),
    ]


def test_the_window_orders_what_arrives_late():
    window = Window(0.1)
    window.add(at(2), now=0)
    window.add(at(1), now=0.05)
    assert window.take(0.09) == []
    assert window.take(0.1) == [at(1), at(2)]  # the older one goes with the newer that is due
    assert window.due is None
    window.add(at(3), now=1)
    assert window.take() == [at(3)]


def test_text_is_quoted_so_that_no_terminal_acts_on_it():
    assert quoted('a"b\\') == '"a\\"b\\\\"'
    assert quoted("\x1b[31m\x9b\u202e\ud800") == '"\\u001b[31m\\u009b\\u202e\\ud800"'
    assert quoted("é 😀 日本") == '"é 😀 日本"'
    assert json.loads(quoted("\U000e0001\x7f")) == "\U000e0001\x7f"


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0), ("😀", 2)])
def test_width(text, columns):
    assert width(text) == columns


def test_fitting_never_cuts_a_wide_character_in_half():
    assert fitted("日本語", 6) == "日本語"
    assert fitted("日本語", 5) == "日本…"
    assert fitted("日本語", 4) == "日…"
    assert width(fitted("a日本語", 4)) <= 4


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_a_line_fits_its_terminal(columns):
    timeline = Timeline(["alice", "bob"], columns=columns, colour=False)
    event = decode(json.dumps({**SEND, "text": "日" * 300}).encode(), node="bob")
    shown = timeline.line(event)
    assert width(shown) <= columns
    assert shown.startswith("14:04:20.123456Z  bob    send      10.0.0.1:7 -> [fd")


def test_lines_of_a_timeline():
    timeline = Timeline(["alice"], columns=None, colour=False)

    def shown(**fields):
        return timeline.line(decode(line(**fields), node="alice"))[25:]

    ends = {"local": ["1.2.3.4", 5], "peer": ["1.2.3.5", 6]}
    assert shown(**ends, bytes=2, text="hi", id="1", offset=0) == 'send      1.2.3.4:5 -> 1.2.3.5:6  2 B  "hi"'
    assert shown(**ends, event="recv", bytes=0).endswith("1.2.3.4:5 <- 1.2.3.5:6  0 B")
    assert "base64:AP8=" in shown(bytes=2, data="AP8=")
    assert "(and 10 B more)" in shown(bytes=12, text="ab", cut=10)
    assert "ECONNRESET  recv: reset" in shown(error="ECONNRESET", reason="recv: reset", call="recv")
    assert "listening on 0.0.0.0:7/tcp, [::]:7/udp" in shown(listening=[["tcp", "0.0.0.0", 7], ["udp", "::", 7]])
    assert shown(event="ready", listening=[], target="echo:7") == "ready     target=echo:7"
    assert "\x1b" not in shown(name="\x1b[2J")
    coloured = Timeline(["alice"], columns=None, colour=True).line(decode(line(event="error"), node="alice"))
    assert "\x1b[31m" in coloured


def test_addresses():
    assert address(("10.0.0.1", 7)) == "10.0.0.1:7"
    assert address(("fd00::5", 7)) == "[fd00::5]:7"
