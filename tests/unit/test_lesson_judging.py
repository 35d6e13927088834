"""Whether a prediction was right, how far somebody is, and what becomes of broken files."""

import ast

import pytest

from labctl.lesson import judging
from labctl.lesson.acts import Output
from labctl.lesson.progress import Progress, Store
from labctl.lesson.seen.evidence import Evidence
from labctl.lesson.written.model import Choice, Expression, Predict, Section, Typed
from labctl.topology.check.problems import Place

PLACE = Place(1, 1)
EVIDENCE = Evidence(lab=None, began=0)


def expression(text):
    return Expression(text, ast.parse(text, mode="eval").body, PLACE)


def section(**more):
    return Section("", "", "", (), "?", **more)


def test_the_right_choice_is_the_one_that_the_evidence_makes_true():
    predict = Predict(PLACE, choices=(Choice("a", expression("n == 1")), Choice("b", expression("n == 2"))))
    answer = judging.right(predict, section(choices={"a": "one", "b": "two"}), EVIDENCE, {"n": 2})
    assert (answer.key, answer.text) == ("b", "two")
    assert judging.is_right(predict, answer, "b")
    assert not judging.is_right(predict, answer, "a")


@pytest.mark.parametrize(
    ("n", "said"), [(3, "none of the choices is right"), (1, "more than one choice is right: a, b")]
)
def test_a_question_without_one_answer_is_the_lessons_mistake(n, said):
    predict = Predict(PLACE, choices=(Choice("a", expression("n == 1")), Choice("b", expression("n < 2"))))
    with pytest.raises(judging.Undecided, match=said):
        judging.right(predict, section(choices={"a": "", "b": ""}), EVIDENCE, {"n": n})


@pytest.mark.parametrize(("n", "decided"), [(2, True), (3, False), (None, False)])
def test_evidence_that_is_not_all_there_decides_nothing_yet(n, decided):
    choices = Predict(PLACE, choices=(Choice("a", expression("n == 1")), Choice("b", expression("n == 2"))))
    assert judging.is_decided(choices, EVIDENCE, {"n": n}) is decided
    for predict in (Predict(PLACE, number=expression("n")), Predict(PLACE, blanks=(expression("n"),))):
        assert judging.is_decided(predict, EVIDENCE, {"n": n}) is (n is not None)


@pytest.mark.parametrize(
    ("within", "share", "given", "right"),
    [
        (0, 0, "200", True),
        (0, 0, "2e2", True),
        (0, 0, "201", False),
        (5, 0, "204", True),
        (5, 0, "206", False),
        (0, 0.1, "181", True),
        (0, 0.1, "170", False),
        (0, 0, "1,00", False),
        (0, 0, "many", False),
    ],
)
def test_numbers(within, share, given, right):
    predict = Predict(PLACE, number=expression("n"), within=within, share=share)
    answer = judging.right(predict, section(), EVIDENCE, {"n": 200})
    assert judging.is_right(predict, answer, given) is right


@pytest.mark.parametrize("value", [None, "text", True])
def test_no_number_is_the_lessons_mistake(value):
    with pytest.raises(judging.Undecided, match="gives no number"):
        judging.right(Predict(PLACE, number=expression("n")), section(), EVIDENCE, {"n": value})


@pytest.mark.parametrize(
    ("value", "given", "right"),
    [
        (12345, "12345", True),
        (12345, " 12345 ", True),
        (0x800, "0x800", True),
        (7, "8", False),
        (7, "", False),
        (7, "9" * 400, False),
        ("10.77.0.6", "10.77.0.6", True),
        ("SYN, ACK", "syn,ack", True),
        (["10.77.0.6", 7], "10.77.0.6:7", True),
        ("10.77.0.6", "10.77.0.5", False),
        ("P.", ".p", True),
        ("P.", "P", False),
        ("S", ".", False),
        ("fur.", "ruf.", True),
        ("lo", "ol", False),
    ],
)
def test_fields(value, given, right):
    assert judging.fills(value, given) is right


def test_a_number_that_is_too_large_decides_nothing():
    with pytest.raises(judging.Undecided, match="too large"):
        judging.right(Predict(PLACE, number=expression("n")), section(), EVIDENCE, {"n": 10**400})


def test_what_a_command_prints_is_json_or_not():
    typed = Typed("labctl x", ("x",), PLACE)
    assert [Output(typed, "", data, 0, 0.0).json for data in ("[1]", "[", "[" * 100_000)] == [[1], None, None]


def test_progress_is_kept(tmp_path):
    store = Store(tmp_path / "new" / "folder")
    told = Progress("lost", 17, "lesson-hello", ("one", "two"), ("one",), {"web": {"InErrors": 3}})
    store.write("tcp", told)
    assert store.read("tcp") == told
    assert store.read("udp") == Progress()


ENDLESS = b'{"step": "a", "began": Infinity}'


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"step": 3}', b"\xff", b'{"step":"a","began":"x"}', b"[" * 100_000, ENDLESS],
)
def test_a_broken_file_is_as_good_as_none(tmp_path, content):
    (tmp_path / "tcp.json").write_bytes(content)
    assert Store(tmp_path).read("tcp") == Progress()


def test_where_nothing_can_be_written_the_lesson_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    Store(tmp_path / "file" / "below").write("tcp", Progress())
