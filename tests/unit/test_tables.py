"""Tables at every width of a terminal: nothing of them is cut, and no name and no address is broken in the middle."""

import re
import subprocess
import sys

import pytest

from labctl.render import cells
from labctl.render.text import width

HEADS = ("NODE", "ROLE", "STATE", "ADDRESS", "LISTENS", "ROUTES, PORTS")
ROWS = [
    (
        "client",
        "echo-client",
        "ready",
        "lab 10.204.0.4\nedge fd00:1234:5678:9abc::4",
        "12345/tcp 5005/udp",
        "127.0.0.1:18080",
    ),
    ("a-rather-long-name-1", "http", "exited (137)", "10.204.0.2", "-", "default via router"),
    ("漢字の名前", "chat", cells.Cell("ready", 32), "10.204.0.5", "-", "-"),
]
WORDS = {word for row in ROWS for cell in row for word in (cell if isinstance(cell, str) else cell.plain).split()} | {
    word for head in HEADS for word in head.split()
}


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("columns", [1, 20, 40, 60, 80, 100, 120, 200, None])
def test_no_word_is_cut(columns, colour):
    shown = cells.laid_out(HEADS, ROWS, columns, colour)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert set(plain.split()) == WORDS
    # Only where a word has no room beside its head is a line wider than the terminal.
    longest = max(map(width, WORDS)) + max(map(len, HEADS)) + cells.GAP
    assert max(map(width, plain.split("\n"))) <= max(columns or 500, longest)


def test_a_table_that_fits_is_one():
    lines = cells.laid_out(HEADS, ROWS, 200, False).split("\n")
    assert lines[0].split()[:3] == ["NODE", "ROLE", "STATE"]
    assert len(lines) == 5


def test_a_row_that_does_not_fit_is_a_list():
    shown = cells.laid_out(("NODE", "ADDRESS"), [("alice", "10.204.0.2"), ("bob", "10.204.0.3")], 12, False)
    assert shown == "NODE     alice\nADDRESS  10.204.0.2\n\nNODE     bob\nADDRESS  10.204.0.3"


def test_an_empty_table_is_its_head():
    assert cells.laid_out(("NODE", "ADDRESS"), [], 80, False) == "NODE  ADDRESS"


def test_wide_characters_and_heads_keep_their_places():
    cell = cells.Cell("漢字の名前 12345/tcp", 32, " (why)")
    lines = cells.laid_out(("A HEAD", "B"), [(cell, "-")], 23, False).split("\n")
    assert lines == ["A HEAD                B", "漢字の名前 12345/tcp  -", "(why)"]
    two = cells.laid_out(("WHAT WAS FOUND", "B"), [("x", "y")], 11, True)
    assert two == "\x1b[1mWHAT WAS\x1b[0m\n\x1b[1mFOUND\x1b[0m     \x1b[1mB\x1b[0m\nx         y"


def test_nothing_heavy_is_imported():
    program = "import sys; import labctl.render.tables; print(*sorted({'rich', 'typer', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "\n"
