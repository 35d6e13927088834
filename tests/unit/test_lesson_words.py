"""What the player itself says: in each language the same, and in lines that fit a terminal of 80 columns."""

import shlex
import string

import pytest

from labctl.lesson.prose import broken, typed_lines
from labctl.lesson.words import WORDS, said
from labctl.render.text import width

ASKED = ("which", "number", "look", "act", "go")  # stand before what is typed: nothing breaks them
VALUES = {
    "lab": "lesson-tutorial",
    "title": "t" * 60,
    "answer": "a word " * 30,
    "hint": "a word " * 30,
    "unit": "",
    "ways": "h: a hint, q: leave",
}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_each_language_says_the_same():
    wanted, *others = ({key: fields(text) for key, text in words.items()} for words in WORDS.values())
    assert all(other == wanted for other in others)


@pytest.mark.parametrize("language", WORDS)
def test_all_that_is_said_fits_80_columns(language):
    for key, text in WORDS[language].items():
        told = said(language, key, **{name: VALUES.get(name, "7") for name in fields(text)})
        lines = [told] if key in ASKED else broken(told, 80)
        assert max(map(width, lines)) <= 80, key


@pytest.mark.parametrize("language", WORDS)
def test_commands_are_not_cut_in_two(language):
    for key in ("lab", "left"):
        lines = broken(said(language, key, lab="lesson-tutorial", step="three-thousand", name="udp-or-tcp"), 80)
        assert any(line.count("`") == 2 for line in lines), lines


def test_a_command_line_is_cut_between_words_as_a_shell_takes_it():
    line = """labctl wait cli --event 'log "send raised BlockingIOError: nothing fits any more"' --since 10s"""
    lines = typed_lines(line, 80)
    assert lines == [
        "$ labctl wait cli --event \\",
        """   'log "send raised BlockingIOError: nothing fits any more"' --since 10s""",
    ]
    assert shlex.split("\n".join(lines).removeprefix("$ ").replace("\\\n", "")) == shlex.split(line)
    assert typed_lines("labctl chat send alice 'hi there'", 80) == ["$ labctl chat send alice 'hi there'"]
    assert typed_lines("labctl send a 'it" + "s" * 90, 80)[1].endswith("s" * 90), "also a quote that isn't closed"
