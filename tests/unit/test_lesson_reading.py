"""A lesson's files: what is read of them, and what is said of mistakes, with file, line and column."""

import os
import pickle

import pytest
from click.testing import CliRunner

from labctl.cli.app import command_line
from labctl.errors import LessonError, LessonInvalid
from labctl.lesson import finding
from labctl.lesson.written import reading

EN = """---
title: A lesson
topology: hello
minutes: 3
functions: [recv]
claims: [something is so]
steps:
  - id: one
    predict:
      ask: What happens?
      choices:
        this: {text: "This", when: n == 1}
        that: {text: "That", when: n != 1}
    evidence:
      sent: packets("alice", "bob", sender="alice")
      n: len(sent)
    show: [ladder alice bob sent, calls web, values n]
    check: n == 1
    hint: Look.
  - id: two
    evidence:
      now: counters("web").ListenOverflows
      then: before("one").n
    check: now == 0 and then == 1
    solve: [labctl restart bob]
---
Introduction.

## One {#one}

Before.

```console
$ labctl chat send alice "hi" \\
>   --timeout 3
alice -> bob
...
$ labctl ps
```

After.

## Two {#two}

Do it.
"""
ZH = """---
title: 一课
steps:
  - {id: one, ask: "会怎样？", choices: {this: "这样", that: "那样"}, hint: "看。"}
  - {id: two}
---
介绍。

## 一 {#one}

之前。

```console
$ labctl chat send alice "hi" --timeout 3
...
$ labctl ps
...
```

## 二 {#two}

做吧。
"""


@pytest.fixture
def lesson(tmp_path):
    """`lesson(en, zh)` reads a lesson made of the two texts; None leaves one out."""

    def read(en=EN, zh=ZH):
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        for name, text in (("en.md", en), ("zh.md", zh)):
            if text is not None:
                (folder / name).write_text(text)
        return reading.read(folder)

    return read


def problems(lesson, en=EN, zh=ZH):
    with pytest.raises(LessonInvalid) as refused:
        lesson(en, zh)
    return [str(problem).split("/mine/")[-1] for problem in refused.value.values["found"]]


def test_all_of_it_is_read(lesson):
    found = lesson()
    one, two = found.steps
    assert (found.name, found.topology, found.minutes, found.functions) == ("mine", "hello", 3, ("recv",))
    assert [typed.arguments for typed in one.acts] == [("chat", "send", "alice", "hi", "--timeout", "3"), ("ps",)]
    assert one.acts[0].expected == ("alice -> bob", "...")
    assert one.acts[1].expected == ()
    assert one.solve == one.acts
    assert two.acts == ()
    assert two.solve[0].arguments == ("restart", "bob")
    assert one.packets == {"alice", "bob"}
    assert one.calls == {"web"}
    assert two.counters == {"web"}
    assert found.prose["en"].sections["one"].before.startswith("Before.")
    assert found.prose["en"].sections["one"].after == "After."
    assert found.prose["zh"].sections["one"].choices == {"this": "这样", "that": "那样"}
    assert found.prose["zh"].title == "一课"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("minutes: 3", "minutes: 30", "en.md:4:10: minutes are 1 to 10"),
        ("title: A lesson\n", "", "en.md:2:1: title is missing"),
        ("topology: hello", "topology: helo", "en.md:3:11: there is no topology helo; did you mean hello?"),
        ("topology: hello", "topology: lab.yaml", "en.md:3:11: "),
        ("topology: hello", "topolgy: hello", "en.md:3:1: a lesson has no topolgy; did you mean topology?"),
        ("functions: [recv]", "functions: [recv, receive]", "en.md:5:19: functions: there is no receive"),
        ("n == 1\n    hint", "m == 1\n    hint", "en.md:18:12: there is no m; did you mean"),
        ("    check: n == 1\n", "", "en.md:8:5: check is missing"),
        ("when: n != 1", "wen: n != 1", "en.md:13:30: a choice has no wen; did you mean"),
        ("n: len(sent)", 'n: "len(sennt)"', "en.md:16:15: there is no sennt; did you mean"),
        ('before("one")', 'before("zero")', "en.md:23:13: there is no earlier step zero"),
        (
            "ladder alice bob sent",
            "lader alice bob sent",
            "en.md:17:12: there is nothing to show called lader; did you",
        ),
        ("ladder alice bob sent", "ladder alice", "en.md:17:12: ladder takes 2 to 3 names"),
        ("values n", "values m", "en.md:17:46: there is no evidence m"),
        ("$ labctl ps", "$ rm -rf /", "en.md:38:3: a lesson's command lines are labctl's"),
        ("$ labctl ps", "$ labctl lesson run tcp", "en.md:38:3: a lesson plays no lesson"),
        ('"hi" \\\n', '"hi \\\n', "en.md:34:3: this is no command line: No closing quotation"),
        ("## Two {#two}", "## Two", "en.md:43:1: a section's heading ends with the id of its step"),
        ("## Two {#two}", "## Two {#too}", "en.md:43:1: there is no step too; did you mean two?"),
        ("## Two {#two}", "## Two {#too}", "en.md:20:5: step two has no section"),
        ("  - id: two", "  - id: one", "en.md:20:5: there are two steps one"),
        ("    solve: [labctl restart bob]\n", "", "en.md:20:5: step two has no act"),
        ("title: A lesson", "title: [A lesson", "en.md:3:"),
        ("title: A lesson", "title: A lesson\ntitle: B", "en.md:3:1: "),
        ("when: n == 1}", "when: n =}", "en.md:12:"),
        ("```console\n$ ", "```console\nno dollar\n$ ", "en.md:34:1: a console block begins with a line"),
        ("minutes: 3", "minutes: ²", "en.md:4:10: minutes are 1 to 10"),
        ("minutes: 3", "minutes: " + "9" * 5000, "en.md:4:10: minutes are 1 to 10"),
        ("topology: hello", "topology: " + "a" * 300, "en.md:3:11: there is no topology aaa"),
        ("topology: hello", "topology: line:" + "9" * 5000, "en.md:3:11: there is no topology line:999"),
        ("topology: hello", 'topology: "a\\0"', "en.md:3:11: there is no topology a"),
        ("check: n == 1", "check: len(sent" + ".a" * 990 + ")", "en.md:18:12: an expression is nested at most 64"),
        ("[labctl restart bob]", '["labctl restart b\\0b"]', "en.md:25:13: this is no command line"),
        ("ask: What happens?", "within: 1", "en.md:10:15: within is how far from a `number`"),
    ],
)
def test_mistakes_are_told_with_their_place(lesson, old, new, wanted):
    assert old in EN
    found = problems(lesson, EN.replace(old, new, 1))
    assert any(wanted in problem for problem in found), found


CHOICES = """      choices:
        this: {text: "This", when: n == 1}
        that: {text: "That", when: n != 1}
"""


@pytest.mark.parametrize("within", ["nan", "1e999", "-1", "inf%", "-nan%", "-5%", "x%", "9" * 4200])
def test_within_is_how_far_an_answer_may_be(lesson, within):
    en = EN.replace(CHOICES, f"      number: n\n      within: {within}\n")
    assert problems(lesson, en, None)[0] == "en.md:12:15: within is a number from 0, or a share such as 20%"


@pytest.mark.parametrize(("within", "wanted"), [("0", (0, 0)), ("2.5", (2.5, 0)), ("10%", (0, 0.1))])
def test_within_is_a_number_or_a_share(lesson, within, wanted):
    zh = ZH.replace(', choices: {this: "这样", that: "那样"}', "")
    predict = lesson(EN.replace(CHOICES, f"      number: n\n      within: {within}\n"), zh).steps[0].predict
    assert (predict.within, predict.share) == wanted


@pytest.mark.timeout(60)
def test_what_is_compared_with_all_others_has_a_limit(lesson):
    many = range(20_000)
    steps = "".join(f"  - id: a{number}\n" for number in many)
    sections = "".join(f"## {{#a{number}}}\n" for number in many)
    evidence = "".join(f"      e{number}: 1\n" for number in many)
    en = EN.replace("      n: len", f"{evidence}      n: len")
    assert any("a step has at most 100 names of evidence" in one for one in problems(lesson, en, None))
    en = EN.replace("---\nIntroduction", f"{steps}---\nIntroduction") + sections
    found = problems(lesson, en, None)
    assert any("a lesson has at most 100 steps" in one for one in found)
    assert any("a lesson has at most 100 sections" in one for one in found)


@pytest.mark.timeout(60)
def test_blanks_in_a_heading_take_no_time(lesson):
    assert lesson(EN.replace("## One {#one}", f"## One{' ' * 100}{{#one}}")).prose["en"].sections["one"].title == "One"
    found = problems(lesson, EN + f"## One{' ' * 200_000}two\n", None)
    assert any("a section's heading ends with the id" in one for one in found)


@pytest.mark.parametrize(
    ("old", "new"),
    [("id: two", "id: {}"), ("functions: [recv]", "functions: [{}]"), ("title: A", "{}: A"), ("check: n", "check: {}")],
)
def test_messages_repeat_no_more_than_the_head_of_a_name(lesson, old, new):
    for problem in problems(lesson, EN.replace(old, new.format("a" * 900))):
        assert len(problem) < 400


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda file: file.symlink_to("/dev/zero"), "zh.md: it is no regular file"),
        (lambda file: os.mkfifo(file), "zh.md: it is no regular file"),
        (lambda file: file.mkdir(), "zh.md: it is no regular file"),
        (lambda file: file.write_text("a" * (1 << 20) + "b"), "zh.md: it is larger than 1 MiB"),
        (lambda file: file.write_bytes("é".encode() * ((1 << 19) + 1)), "zh.md: it is larger than 1 MiB"),
        (lambda file: file.write_bytes(b"\xff"), "zh.md: it is no text in UTF-8"),
    ],
)
def test_a_file_that_is_none_is_not_read_to_its_end(tmp_path, make, wanted):
    (tmp_path / "en.md").write_text(EN)
    make(tmp_path / "zh.md")
    with pytest.raises(LessonInvalid) as refused:
        reading.read(tmp_path, parity=False)
    assert [str(one).split("/")[-1] for one in refused.value.values["found"]] == [wanted]


@pytest.mark.parametrize(
    ("zh", "wanted"),
    [
        (None, "zh.md: the translation is missing: mine has no zh.md"),
        (ZH.replace('that: "那样"', 'thet: "那样"'), "step one has the choices this, that, here this, thet"),
        (ZH.replace(', hint: "看。"', ""), "step one: hint is missing here"),
        (ZH.replace('ask: "会怎样？", ', ""), "step one: ask is missing here"),
        (ZH.replace("$ labctl ps", "$ labctl ls"), "step one has other command lines than en.md"),
        (ZH.replace("## 二 {#two}\n\n做吧。\n", ""), "the section of step two is missing"),
        (ZH.replace("title: 一课", "title: 一课\nminutes: 3"), "zh.md:3:1: a translation has no minutes"),
        ("no front matter", "zh.md:1:1: a lesson begins with a line ---"),
    ],
)
def test_a_translation_says_the_same(lesson, zh, wanted):
    found = problems(lesson, zh=zh)
    assert any(wanted in problem for problem in found), found


def test_all_mistakes_are_told_at_once(lesson):
    found = problems(lesson, EN.replace("minutes: 3", "minutes: x").replace("hint: Look.", "hnt: Look."))
    assert len(found) >= 2


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"---\n- a list\n---\n", b"---\n" + b"[" * 5000 + b"\n---\n"])
def test_what_is_no_lesson_is_refused(tmp_path, content):
    (tmp_path / "en.md").write_bytes(content)
    with pytest.raises(LessonInvalid) as refused:
        reading.read(tmp_path, parity=False)
    assert pickle.loads(pickle.dumps(refused.value)).message == refused.value.message


def test_a_single_file_is_a_lesson(tmp_path):
    file = tmp_path / "my own.md"
    file.write_text(EN)
    assert finding.find(str(file)).name == "my own"


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + ".md", "a/" * 3000, "a\0b", "/dev/zero"])
@pytest.mark.parametrize("command", [("validate", "--read"), ("run",), ("check",), ("solve",)])
def test_a_name_that_no_file_can_have_is_no_lesson(command, name):
    done = CliRunner().invoke(command_line(), ["lesson", *command, name])
    assert isinstance(done.exception, LessonError), done.exception
    assert len(done.exception.message) < 200
    assert done.exception.message.startswith("there is no lesson ")


def test_an_unknown_lesson_is_told_with_those_near():
    with pytest.raises(LessonError, match="there is no lesson tpc; did you mean tcp"):
        finding.find("tpc")
