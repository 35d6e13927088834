"""What is seen, against what a lesson says is seen."""

import pytest

from labctl.lesson.written.console import first_difference, generalised, matches


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (["hello"], ["hello"]),
        (["hello", ""], ["hello"]),
        (["..."], []),
        (["..."], ["a", "b"]),
        (["a", "...", "z"], ["a", "z"]),
        (["a", "...", "z"], ["a", "z", "b", "z"]),
        (["...", "b", "..."], ["a", "b", "c"]),
        (["it took <time>"], ["it took 12.5 ms"]),
        (["at <time>"], ["at 0.001016"]),
        (["10.77.0.5:<port> -> 10.77.0.6"], ["10.77.0.5:41786 -> 10.77.0.6"]),
        (["from 10.77.0.5 on"], ["from 10.123.9.5 on"]),
        (["<number> of <number>"], ["1,024 of -3.5"]),
        (["to <address>"], ["to fd00:77::2"]),
        (["NAME     STATE"], ["NAME  STATE"]),
        (["│── SYN ────>│"], ["│── SYN ──────────>│"]),
        (["a ... z"], ["a whole text z"]),
        (["a.b*c"], ["a.b*c"]),
    ],
)
def test_what_may_be_seen(expected, seen):
    assert matches(expected, seen)


@pytest.mark.parametrize(
    ("expected", "seen", "place"),
    [
        (["hello"], ["hullo"], 0),
        (["a", "b"], ["a"], 1),
        (["a"], ["a", "b"], 1),
        (["from 10.77.0.5"], ["from 10.77.0.6"], 0),
        (["<port>"], ["123456"], 0),
        (["took <time>"], ["took long"], 0),
        (["a", "...", "z"], ["a", "b"], 2),
        (["a.c"], ["abc"], 0),
        (["[exit 1]"], [], 0),
        ([], ["[exit 1]"], 0),
    ],
)
def test_where_it_differs(expected, seen, place):
    assert first_difference(expected, seen) == place


def test_many_ellipses_take_no_time():
    assert not matches(["...", "x"] * 200 + ["never"], ["x"] * 2000)


def test_what_varies_becomes_a_pattern():
    seen = [
        'alice -> bob  "hi"  10.77.0.5:12345 -> 10.77.0.6:41786  delivered in 0.5 ms',
        "06:27:07.603557Z  srv",
        "took 2 s ",
    ]
    written = generalised(seen)
    assert written == [
        'alice -> bob  "hi"  10.77.0.5:12345 -> 10.77.0.6:<port>  delivered in <time>',
        "<time>  srv",
        "took <time>",
    ]
    assert matches(written, seen)
