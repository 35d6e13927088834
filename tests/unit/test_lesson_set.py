"""The built-in lessons: all there, in both languages, alike; and the page that lists what they show."""

import re
from pathlib import Path

import pytest

from labctl.lesson import claims, finding, prose, words
from labctl.lesson.written.reading import FUNCTIONS
from labctl.render.text import width

ROOT = Path(__file__).parents[2]


def test_all_of_them_are_there_in_order():
    assert finding.names() == finding.ORDER
    assert len(finding.ORDER) == 20


@pytest.mark.parametrize("name", finding.ORDER)
def test_both_languages_say_the_same(name):
    found = finding.find(name, parity=True)
    assert set(found.prose) == {"en", "zh"}
    chinese = found.prose["zh"]
    for text in (chinese.title, chinese.introduction, *(section.before for section in chinese.sections.values())):
        assert not text or re.search("[\u4e00-\u9fff]", text), text


@pytest.mark.parametrize("name", finding.ORDER)
def test_a_lesson_has_something_that_the_learner_does(name):
    steps = finding.find(name).steps
    assert any((not step.acts and step.solve) or (step.predict and step.predict.blanks) for step in steps)


@pytest.mark.parametrize("name", finding.ORDER)
def test_a_function_that_is_named_is_called_and_shown(name):
    found = finding.find(name)
    assert set(found.functions) <= claims.called_in(found)
    text = re.sub("^functions:.*$", "", (found.folder / "en.md").read_text(), flags=re.M)
    for function in found.functions:
        assert re.search(rf"\b{function}\b", text), f"{name} doesn't show {function}"


def test_all_twenty_functions_are_used():
    assert len(FUNCTIONS) == 20
    assert {function for lesson in finding.every() for function in lesson.functions} == set(FUNCTIONS)


def test_the_page_of_claims_is_as_the_lessons_are():
    page = (ROOT / "docs" / "claims.md").read_text()
    assert page == claims.page() + "\n", "python -m labctl.lesson.claims > docs/claims.md"


def test_the_player_says_the_same_in_both_languages():
    english, chinese = words.WORDS["en"], words.WORDS["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"{(\w+)}", text)) == sorted(re.findall(r"{(\w+)}", chinese[key])), key


@pytest.mark.parametrize("columns", [40, 60, 80])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_prose_keeps_to_its_columns(columns, language):
    for lesson in finding.every():
        said = lesson.prose[language]
        parts = [
            said.introduction,
            *(part for section in said.sections.values() for part in (section.before, section.after)),
        ]
        for part in parts:
            for line in prose.rendered(part, columns=columns, colour=False).split("\n"):
                assert width(line) <= columns or " " not in line.strip(), (lesson.name, line)


def test_prose_is_as_it_is_written():
    text = "# Head\n\nOne *two*\nthree `four`.\n\n- a\n- b\n  c\n\n1. x\n2. y\n\n```\ncode\n```\n\n> said\n\n"
    text += "| a | b |\n| - | - |\n| 1 | 2 |\n"
    assert prose.rendered(text, columns=80, colour=False).split("\n") == [
        "Head", "", "One two three `four`.", "", "- a", "- b c", "", "1. x", "2. y", "", "    code", "", "| said", "",
        "a  b", "1  2",
    ]  # fmt: skip


def test_chinese_is_broken_between_its_characters_and_punctuation_stays():
    lines = prose.rendered("一二三四五。六七八九十，一二三", columns=12, colour=False).split("\n")
    assert all(width(line) <= 12 for line in lines)
    assert not any(line[0] in "，。" for line in lines)
    assert "".join(lines) == "一二三四五。六七八九十，一二三"
