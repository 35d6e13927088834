"""How wide text is on a terminal, and in which direction it runs there."""

import unicodedata

import pytest
from traffic import Wire, packet, udp

from labctl.packets.ladder.ladder import one_sided, two_sided
from labctl.packets.matching.live import Seen
from labctl.render.ladder import document, mermaid, svg, text
from labctl.render.packets import layers as packet_drawing
from labctl.render.packets import lines, listing
from labctl.render.text import fitted, left_to_right, quoted, width

A, B = "10.77.0.11", "10.77.0.12"
HEBREW, ARABIC = "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "\u0645\u0631\u062d\u0628\u0627"
MARK = "\u200e"
STRONG = ("L", "R", "AL")


@pytest.mark.parametrize(
    ("shown", "columns"),
    [
        ("\u2764\ufe0f", 2),
        ("1\ufe0f\u20e3", 2),
        ("\u2139\ufe0f", 2),
        ("\u00a9\ufe0f", 2),
        ("\U0001f600\ufe0f", 2),  # wide already
        ("a\ufe0f", 1),
        ("\u2500\ufe0f", 1),
        ("\ufe0f", 0),
        (unicodedata.normalize("NFD", "\uac01"), 2),
        ("\u1160\u11ff\ud7b0\ud7fb", 0),
        ("\uac01", 2),
        (MARK + HEBREW + MARK, 9),
    ],
)
def test_columns(shown, columns):
    assert width(shown) == columns


def test_fitting_counts_an_emoji_s_second_column():
    hearts = "\u2764\ufe0f" * 4
    assert fitted(hearts, 8) == hearts
    assert width(fitted(hearts, 7)) <= 7
    assert fitted(hearts, 7).startswith("\u2764\ufe0f" * 3)


def runs_on(line):
    """A number or a drawn line is never behind a text that runs from right to left: a terminal would turn it around."""
    direction = "L"
    for character in line:
        kind = unicodedata.bidirectional(character)
        if kind in STRONG:
            direction = kind
        elif (kind == "EN" or character in "─>│") and direction != "L":
            return False
    return True


def saying(*words):
    wire = Wire()
    for word in words:
        wire.send(udp(A, 1, B, 2, word.encode(), id=wire.id()))
        wire.send(udp(B, 2, A, 1, word.encode(), id=wire.id()), lost=True)
    return two_sided(*wire.sides())


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_an_arrow_points_where_it_did_whatever_is_said(columns, colour):
    found = saying(HEBREW, ARABIC, f'"{HEBREW}', f"{ARABIC}\u2026{HEBREW}" * 9, "\u0663")
    drawn = text.draw(found, columns=columns, colour=colour)
    assert all(map(runs_on, drawn.split("\n")))
    assert drawn.count(MARK) >= 10
    roll = text.Roll(columns=columns, colour=colour)
    assert all(map(runs_on, roll.lines(found, found.arrows)))
    plain = text.draw(saying("hello"), columns=columns, colour=colour)
    assert MARK not in plain


def test_marks_are_for_terminals_only():
    found = saying(HEBREW)
    assert MARK not in svg.draw(found) + mermaid.draw(found) + str(document.document(found))
    assert "direction:ltr" in svg.draw(found)
    assert MARK not in quoted(HEBREW)


def test_lists_of_packets_run_from_left_to_right():
    one = packet(udp(A, 1, B, 2, HEBREW.encode()), node="n")
    drawn = [*listing.listed([one], columns=80, colour=False), *packet_drawing.draw(one).split("\n")]
    drawn += [lines.Lines(["n"], columns=None, colour=True).line(Seen(one, "in"))]
    assert sum(MARK in line for line in drawn) == 3
    assert all(map(runs_on, drawn))
    assert HEBREW in text.draw(one_sided([one]))


def test_a_line_of_its_own_direction_stays_in_it():
    assert left_to_right(f"x={HEBREW}  y={ARABIC}  1") == f"{MARK}x={HEBREW}{MARK}  y={ARABIC}{MARK}  1"
    assert left_to_right(f'say "{HEBREW}, 1!"  2') == f'{MARK}say "{HEBREW}, 1!"{MARK}  2'
    assert left_to_right("grüße ── 1") == "grüße ── 1"


@pytest.mark.parametrize("seconds", [0, 999, 1000, 10_000, 99_999, 100_000, 100_000_000])
def test_a_ladder_that_grows_for_days_keeps_its_lifelines_in_place(seconds):
    wire = Wire()
    wire.send(udp(A, 1, B, 2, b"one", id=1))
    wire.wait(seconds * 1000)
    wire.send(udp(A, 1, B, 2, b"two", id=2))
    found = two_sided(*wire.sides())
    roll = text.Roll(columns=80)
    drawn = roll.lines(found, found.arrows[:1]) + roll.lines(found, found.arrows[1:])
    first, last = (line for line in drawn if "UDP" in line)
    assert [at for at, character in enumerate(last) if character == "│"] == [
        at for at, character in enumerate(first) if character == "│"
    ]
    assert max(map(width, drawn)) <= 80
    assert f"{seconds}.0" in last
