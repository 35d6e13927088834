"""Expressions over the evidence: what they give, what they refuse, and that nothing else can be reached by them."""

import pytest

from labctl.lesson.seen.evidence import Evidence, Misplaced, Values
from labctl.lesson.seen.rows import Row
from labctl.lesson.written.expressions import Evaluation, asked_of, parse
from labctl.lesson.written.model import Expression
from labctl.lesson.written.problems import Wrong
from labctl.topology.check.problems import Place

ROWS = [
    Row({"seq": 1, "length": 3, "flags": "P.", "source": ("10.77.0.5", 12345), "text": "hi\n"}, ("fate",)),
    Row({"seq": 4, "length": 0, "flags": ".", "source": ("10.77.0.6", 41786), "text": ""}, ("fate",)),
]


def value(text, **names):
    names = {"rows": ROWS, "none": None, "empty": [], "large": 10**1000, "long": "a" * (1 << 20), **names}
    sources = {"packets": lambda *nodes, **wanted: [row for row in ROWS if row.has(wanted)]}
    return Evaluation(names, sources).value(parse(text, names))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 + 2 * 3", 7),
        ("-3 // 2", -2),
        ("len(rows) == 2 and rows[0].seq == 1", True),
        ("[p.length for p in rows if p.length > 0]", [3]),
        ("any(p.flags == 'P.' for p in rows)", True),
        ("sum(p.length for p in rows)", 3),
        ('"." in rows[0].flags and "S" not in rows[0].flags', True),
        ("rows[0].source == ['10.77.0.5', 12345]", True),
        ("rows[0].source[1]", 12345),
        ("rows[-1].seq", 4),
        ("rows[0].text[:2]", "hi"),
        ("first(empty)", None),
        ("'yes' if rows else 'no'", "yes"),
        ("max([3, None, 5])", 5),
        ("bytes('字')", 3),
        ("word('tcp took 12 ms', 2)", 12),
        ("len([a.seq + b.seq for a in rows for b in rows])", 4),
        ("1 < 2 < 3", True),
        ("first(packets('alice', 'bob', flags='.')).seq", 4),
    ],
)
def test_values(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "none.seq",
        "rows[7].seq",
        "empty[0].source[1]",
        "none + 1",
        "rows[0].fate",
        "max(empty)",
        "none[3]",
        "word('one', 1)",
        "word('one', -2)",
        "word(1, 1)",
    ],
)
def test_what_is_not_there_is_none(text):
    assert value(text) is None


@pytest.mark.parametrize("text", ["none < 1", "none > 1", "1 < none < 3", "rows[7].seq >= 0", "'x' in none"])
def test_nothing_compares_with_what_is_not_there(text):
    assert value(text) is False


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("1 +", "this is no expression", None),
        ("row[0]", "there is no row; did you mean", 0),
        ("rows[0] == nine", "there is no nine", 11),
        ("pakets('a', 'b')", "there is no function pakets; did you mean", 0),
        ("packets('a')", "packets takes 2 names", 0),
        ("packets(rows, 'b')", "packets takes names in quotes", 8),
        ("lambda: 1", "lambda can't stand", 0),
        ("rows.__class__()", "there is no function rows.__class__", 0),
        ("(1).real()", "there is no function", 0),
        ("[x for x, y in rows]", "one name after `for`", 0),
        ("f'{rows}'", "joinedstr can't stand", 0),
        ("{1: 2}", "dict can't stand", 0),
        ("2 ** 99", "pow can't stand", None),
        ("len(rows, key=1)", "len takes no named values", 0),
        ("x := 1", "this is no expression", None),
        ("1" * 3000, "at most 2000 characters", 0),
        ("len(rows" + ".a" * 900 + ")", "at most 64 levels", 0),
        ("rows" + ".a" * 900 + "()", "at most 64 levels", 0),
        ("-" * 1990 + "1", "at most 64 levels", 0),
        ("1" + "+1" * 990, "at most 64 levels", 0),
        ("(" * 990 + "1" + ")" * 990, "this is no expression", None),
        ("row" * 300, "there is no rowrow", 0),
    ],
)
def test_what_is_refused(text, message, offset):
    with pytest.raises(Wrong) as problem:
        parse(text, ["rows", "none", "empty"])
    assert message in problem.value.message
    assert offset is None or problem.value.offset == offset


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows[0].sequence", "there is no field sequence"),
        ("rows[0].flag", "did you mean"),
        ("(5).real", "a number has no fields, such as .real"),
        ("rows.append", "a list has no fields"),
        ("'a' * 999999", "only numbers can be multiplied"),
        ("1 / 0", "division by zero"),
        ("len(5)", "has no len"),
        ("[a for a in 5]", "not iterable"),
        ("'%999999999d' % 1", "only numbers have a remainder"),
        ("large * large", "too large"),
        ("long + long", "too large"),
    ],
)
def test_what_can_not_be_worked_out(text, message):
    with pytest.raises(Wrong) as problem:
        value(text)
    assert message in problem.value.message


def test_an_endless_joke_ends():
    with pytest.raises(Wrong, match="too long"):
        value("len([1 for a in many for b in many for c in many])", many=list(range(100)))


def test_evidence_that_asks_for_evidence_ends():
    names = [f"e{number}" for number in range(100)]
    texts = ["1", *(f"{name}{' + 1' * 50}" for name in names)]
    asked = {name: Expression(text, parse(text, names), Place(1, 1)) for name, text in zip(names, texts, strict=False)}
    with pytest.raises(Misplaced, match="nested too deep"):
        Values(Evidence(lab=None, began=0), asked)["e99"]


def test_what_must_be_recorded_is_read_from_the_text():
    tree = parse("packets('alice', 'bob')[0].seq + len([c for c in calls('web', call='recv')])", [])
    assert [(source, names) for source, names, _ in asked_of(tree)] == [
        ("packets", ["alice", "bob"]),
        ("calls", ["web"]),
    ]
