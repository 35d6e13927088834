"""What leaves labctl: no character that a terminal acts on, and none that the output's encoding doesn't have."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sampling import seed, share

from labctl.cli import output
from labctl.render import text

LABCTL = str(Path(sys.executable).parent / "labctl")
NASTY = "\x1b[2J\x9b31m\x7f\u202eevil\udcff"
ENCODINGS = ["iso-8859-1", "gbk", "ascii", "shift_jis"]


def run(*args: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock", **variables}
    got = subprocess.run([LABCTL, *args], capture_output=True, timeout=60, check=False, env=environment)
    assert b"bug in labctl" not in got.stderr, got
    assert b"Traceback" not in got.stderr, got
    return got


@pytest.fixture
def limited():
    """`limited(encoding)`: the output has that one."""
    yield text.limit_to
    text.limit_to("utf-8")


def test_nothing_acts_on_a_terminal():
    shown = text.outgoing(f"a\n{NASTY}\x1b[31mred\x1b[0m", colour=False)
    assert shown.replace("\n", "").isprintable()
    assert shown.startswith("a\n\\u001b[2J\\u009b31m\\u007f\\u202eevil\\udcff")
    assert text.outgoing("\x1b[31mred\x1b[0m\x1b[2J", colour=True) == "\x1b[31mred\x1b[0m\\u001b[2J"


def test_json_is_the_same_value_with_nothing_raw():
    value = {"text": NASTY.replace("\udcff", ""), "中": "é\u2028"}
    shown = text.json_safe(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(shown) == value
    assert "中" in shown
    assert all(line.isprintable() for line in shown.split("\n"))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_for_another_encoding_is_ascii(limited, encoding):
    limited(encoding)
    value = {"text": "é─中\x7f😀"}
    shown = text.json_safe(json.dumps(value, ensure_ascii=False))
    assert shown.isascii()
    assert json.loads(shown) == value


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_somebody_wrote_is_told_from_what_is_drawn(limited, encoding):
    limited(encoding)
    shown = text.outgoing(f"│ {text.quoted('─ 😀')} ─→…", colour=False)
    assert shown == '| "\\u2500 \\ud83d\\ude00" ->~'
    assert text.printable("é") == {"iso-8859-1": "é", "gbk": "é"}.get(encoding, "\\u00e9")


# Without an engine, each of them draws, or says why it can't.
EVERY = [["--help"], [], ["nosuch"], ["up", "--help"]]
EVERY += [["ps"], ["ps", "--json"], ["doctor"], ["graph", "two-subnets"], ["graph", "nat", "--format", "svg"]]
EVERY += [["graph", "dns", "--format", form] for form in ("mermaid", "dot", "json")]
EVERY += [["validate", "中.yaml"], ["up", "é.yaml", "--json"], ["schema"], ["packet", "中.pcap"]]


@pytest.mark.parametrize("encoding", ["iso-8859-1", "gbk", "ascii"])
def test_every_page_and_picture_in_another_encoding(encoding):
    """Nothing fails, nothing is lost, and drawings are ASCII."""
    for args in share(EVERY, 3, seed() and f"{seed()} {encoding}"):
        got = run(*args, PYTHONIOENCODING=encoding)
        for stream in (got.stdout, got.stderr):
            shown = stream.decode(encoding)
            assert not set(shown) & set(text._DRAWING), (args, shown)


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_c_and_posix_are_utf_8_as_for_python(locale):
    assert "┌" in run("graph", "two-subnets", LC_ALL=locale, LANG=locale).stdout.decode()


@pytest.mark.turn(2)
@pytest.mark.parametrize(
    "args",
    [
        ["up", NASTY],
        ["validate", NASTY],
        ["packet", NASTY],
        ["ps", "--lab", NASTY],
        ["ps", "--lab", "x\nlabctl: all is well"],
        ["packet", "x\nlabctl: all is well"],
        [NASTY],
        ["--color", NASTY, "ps"],
        ["logs", "--since", NASTY],
        ["logs", "--tail", NASTY],
        ["chat", "send", "alice", "x", "--timeout", NASTY],
        ["fault", "drop", "alice:bob", NASTY],
        ["graph", "hello", "--output", f"/nowhere/{NASTY}"],
        ["ladder", "a", "b", "--last", NASTY],
    ],
    ids=lambda args: args[0] if args[0].isprintable() else "command",
)
def test_errors_repeat_nothing_raw(args):
    given = [arg.encode("utf-8", "surrogateescape") for arg in args]
    for more in ([], [b"--json"]):
        got = run(*given, *more, DOCKER_HOST=f"unix:///{NASTY}".encode("utf-8", "surrogateescape"))
        assert got.returncode in (1, 2), got
        for stream in (got.stdout, got.stderr):
            lines = stream.decode().split("\n")
            assert all(line.isprintable() for line in lines), lines
            assert not any(line.startswith("labctl: all is well") for line in lines)


def test_a_note_beside_a_spinner_acts_on_no_terminal(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(said, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setenv("TERM", "xterm")
    with output.Progress("working") as report:
        report(f"note: {NASTY.removesuffix(chr(0xDCFF))}")
    assert "\\u001b[2J\\u009b31m\\u007f\\u202eevil" in said.getvalue()
    assert NASTY[:4] not in said.getvalue()


@pytest.mark.parametrize("args", [["chat", "send", "a", "x"], ["wait"], ["up"]])
def test_a_limit_that_is_no_number(args):
    got = run(*args, "--timeout", "nan")
    assert got.returncode == 2
    assert b"nan is no number of seconds" in got.stderr


@pytest.mark.parametrize(("columns", "wide"), [(None, 100), ("80", 80), ("", 100), ("0", 100), ("many", 100)])
def test_a_drawing_that_goes_to_no_terminal_is_as_wide_as_columns_says(monkeypatch, columns, wide):
    monkeypatch.setattr(output.sys, "stdout", io.StringIO())
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert output.width(100) == wide
