"""What a learner may type at a question, and what the lesson makes of it; evidence as it is told."""

from pathlib import Path

import pytest

from labctl.events.codec import decode
from labctl.lesson import judging, playing
from labctl.lesson.finding import find
from labctl.lesson.progress import Store
from labctl.lesson.seen.rows import Row
from labctl.lesson.seen.showing import Screen, _said, shown
from labctl.lesson.written.model import Shown
from labctl.topology.check.problems import Place


class Typed:
    columns, colour = 80, False

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []

    def say(self, text):
        self.seen.append(text)

    def ask(self, question):
        self.seen.append(question)
        return self.answers.pop(0)


def asked(name, step, *answers, language="en"):
    lesson, talk = find(name), Typed(*answers)
    player = playing.Player(lesson, None, language, talk, Store(Path("/nonexistent")))
    section = lesson.prose[language].sections[step]
    return talk, lambda: player._predicted(lesson.step(step), section)


@pytest.mark.parametrize(("language", "hint"), [("en", "Hint: "), ("zh", "提示：")])
def test_a_question_has_a_hint_which_is_no_answer(language, hint):
    talk, ask = asked("tcp", "handshake", "", "h", "z", " C) ", language=language)
    assert ask() == "three"
    assert sum(line.startswith(hint) for line in talk.seen) == 1


@pytest.mark.parametrize(("step", "typed"), [("handshake", "q"), ("data", "quit"), ("data", "Q")])
def test_a_question_can_be_left(step, typed):
    _, ask = asked("tcp", step, "x", typed)
    with pytest.raises(playing.Left):
        ask()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (["10.77.0.5", 7], "10.77.0.5:7"),
        ([["10.77.0.5", 7], ["fd00::5", 8]], "10.77.0.5:7, [fd00::5]:8"),
        (["hi", "ho"], "hi, ho"),
        (["one ", "two three\n"], '"one ", "two three\\n"'),
        ([], "none"),
    ],
)
def test_the_two_ends_of_a_segment_are_told_as_addresses_are_written(value, told):
    assert _said(value) == told


FIELDS = judging.Answer("", values=(40000, "10.77.0.5", 7))


def filled(*answers, language="en", questions=True):
    """The fields of the last step of `names`, in which a hint is there."""
    lesson, talk = find("names"), Typed(*answers)
    step = lesson.step("yours")
    player = playing.Player(lesson, None, language, talk, Store(Path("/nonexistent")), questions)
    player._judge(step, lesson.prose[language].sections["yours"], NAMED, {}, None)
    return talk, player


class NAMED:
    """Evidence in which the fields of a packet are what they are."""

    @staticmethod
    def value(expression, values):
        return dict(zip(["syn.source[1]", "syn.target[0]", "syn.target[1]"], FIELDS.values, strict=True))[
            expression.text
        ]


@pytest.mark.parametrize(("language", "hint"), [("en", "Hint: "), ("zh", "提示：")])
def test_a_field_has_a_hint_too_which_is_no_answer(language, hint):
    talk, player = filled("40000", "h", "10.77.0.5", "", language=language)
    assert sum(line.startswith(hint) for line in talk.seen) == 1
    assert player._asked == 1
    assert sum(line in ("Right.", "对了。") for line in talk.seen) == 2
    assert any(line in ("No. The answer: 7", "不对。答案：7") for line in talk.seen)


def test_a_field_can_be_left():
    with pytest.raises(playing.Left):
        filled("40000", "q")


def test_fields_that_are_not_asked_are_told_one_a_line():
    talk, _ = filled(language="zh", questions=False)
    assert talk.seen == ["答案：", "  - 源端口 = 40000", "  - 目的地址 = 10.77.0.5", "  - 目的端口 = 7"]


@pytest.mark.parametrize(("language", "unit"), [("en", " (bytes)"), ("zh", "（字节）")])
def test_a_number_has_its_unit_in_the_language_of_the_lesson(language, unit):
    talk, ask = asked("recv", "three-thousand", "1,024", language=language)
    assert ask() == "1,024"
    assert unit in talk.seen[-1]
    section = find("recv").prose[language].sections["three-thousand"]
    step = find("recv").step("three-thousand")

    class Seen:
        @staticmethod
        def value(expression, values):
            return 1024

    assert judging.right(step.predict, section, Seen(), {}).text == f"1024 {unit.strip(' ()（）')}"


class Told:
    """Evidence of two events alone."""

    def __init__(self, *lines):
        self._rows = [Row({}, source=decode(line.encode(), node="web")) for line in lines]

    def events(self, *nodes):
        return self._rows


def test_an_event_says_what_it_is_about_also_where_its_line_is_long():
    ends = '"local":["10.78.10.11",8080],"peer":["10.78.10.12",56688]'
    stamp = '"ts":"2026-01-31T12:00:00.000000001Z","node":"web"'
    asked = (
        f'{{{stamp},"event":"request",{ends},"proto":"tcp","method":"GET","target":"/","agent":"{"Mozilla " * 60}"}}'
    )
    brief = f'{{{stamp},"event":"accept",{ends},"proto":"tcp"}}'
    lines = shown(Shown("journal", ("web",), Place(1, 1)), Told(asked, brief), {}, Screen(80, False)).split("\n")
    assert any("method=GET  target=/" in line for line in lines)
    assert [len(line) <= 80 for line in lines] == [True] * 5, "three of the long one, its end, and the short one"
    assert lines[3].strip() == "…"
