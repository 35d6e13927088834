"""The forms of a grade, each against what its own documents ask; and hostile text in all of them."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import jsonschema
import pytest

from labctl.grade import many
from labctl.grade.model import Check, Grade, Outcome, Subject
from labctl.grade.reports import NAMES, text, writer
from labctl.grade.subjects import SUBJECTS

HOSTILE = '\x1b[31mred\x07 </pre><script>alert(1)</script> ]]> & \x00 \u202e\ud800 {"passed": true}'
CHECKS = (
    Check("listens", "it listens", 1, ()),
    Check("answers", "each line comes back", 2),
    Check("half-close", "the end comes last", 3, ("answers",)),
    Check("restart", "it can be restarted"),
)
SUBJECT = Subject("echo", "TCP echo server", "tcp", CHECKS, "echo")


@pytest.fixture
def grade():
    outcomes = (
        Outcome(CHECKS[0], "passed", seconds=0.5),
        Outcome(
            CHECKS[1], "failed", HOSTILE, HOSTILE, "help", ladder="alice > bob", again="labctl grade", seconds=1.25
        ),
        Outcome(CHECKS[2], "skipped", why="it needs answers"),
        Outcome(CHECKS[3], "error", why="labctl's own check failed"),
    )
    return Grade(SUBJECT, ("python3", "server.py"), "5eed", outcomes, HOSTILE, 2.5, ("a note",))


def string(**more):
    return {"type": "string", **more}


NUMBER = {"type": "number", "minimum": 0}
WHOLE = {"type": "integer", "minimum": 0}
VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}


def closed(required, optional=None):
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


TEST = {
    "status": {"enum": ["passed", "failed"]},
    "name": string(),
    "name_format": FORMAT,
    "number": string(),
    "output": string(),
    "output_format": FORMAT,
    "tags": {"type": "array"},
    "visibility": VISIBILITY,
    "extra_data": {"type": "object"},
}
TOP = {
    "score": NUMBER,
    "execution_time": NUMBER,
    "output": string(),
    **dict.fromkeys(("output_format", "test_output_format", "test_name_format"), FORMAT),
    **dict.fromkeys(("visibility", "stdout_visibility"), VISIBILITY),
    "extra_data": {"type": "object"},
    "leaderboard": {"type": "array"},
}
SCORES = {"score": NUMBER, "max_score": NUMBER}
GRADESCOPE = closed({"tests": {"type": "array", "items": closed(SCORES, TEST)}}, TOP)
TEXTS = ("classroom", "assignment", "assignment_type", "owner", "submission", "commit", "release", "review", "datetime")
MARKS = {"test-name": string(), "passed": {"type": "boolean"}, "score": WHOLE, "max-score": WHOLE}
CLASSROOM50 = closed(
    {
        "schema": {"const": "classroom50/result/v1"},
        **dict.fromkeys(TEXTS, string()),
        "score": WHOLE,
        "max-score": WHOLE,
        "tests": {"type": "array", "items": {"type": "object", "required": list(MARKS), "properties": MARKS}},
    },
    {"graded_at": string(), "submitted_by": string()},
)
OR_NULL = {"type": ["string", "null"]}
CAUSE = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": dict.fromkeys(("rationale", "help", "expected", "actual", "error"), OR_NULL),
}
RESULT = {
    "name": string(pattern=r"^\w+$"),
    "description": string(),
    "passed": {"type": ["boolean", "null"]},
    "log": {"type": "array", "items": string()},
    "cause": CAUSE,
    "data": {"type": "object"},
    "dependency": OR_NULL,
}
CHECK50 = closed(
    {"slug": string(), "version": string(), "results": {"type": "array", "items": closed(RESULT)}},
)


@pytest.mark.parametrize(
    ("name", "schema"), [("gradescope", GRADESCOPE), ("classroom50", CLASSROOM50), ("check50", CHECK50)]
)
def test_form_is_what_its_documents_ask(grade, name, schema):
    found = json.loads(writer(name)(grade))
    jsonschema.Draft202012Validator(schema).validate(found)


def test_gradescope(grade):
    found = json.loads(writer("gradescope")(grade))
    assert [(test["score"], test["max_score"], test.get("status")) for test in found["tests"]] == [
        (1, 1, "passed"), (0, 2, "failed"), (0, 3, None), (0, 1, None),
    ]  # fmt: skip
    assert (found["score"], found["execution_time"]) == (1, 2.5)


def test_classroom50_takes_its_places_from_the_environment(grade, monkeypatch):
    for name in ("CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL", "REVIEW_URL"):
        monkeypatch.setenv(name, f"the {name}")
    found = json.loads(writer("classroom50")(grade))
    assert (found["classroom"], found["submission"], found["review"]) == (
        "the CLASSROOM", "the SUBMISSION_TAG", "the REVIEW_URL",
    )  # fmt: skip
    assert (found["score"], found["max-score"]) == (1, 7)


def test_check50_knows_what_could_not_be_said(grade):
    results = json.loads(writer("check50")(grade))["results"]
    assert [one["passed"] for one in results] == [True, False, None, None]
    assert [one["dependency"] for one in results] == [None, "listens", "answers", "listens"]
    assert results[1]["cause"]["help"] == "help"


def test_junit(grade):
    suite = ET.fromstring(writer("junit")(grade))[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "2.500",
    }  # fmt: skip
    cases = suite.findall("testcase")
    assert [case.get("time") for case in cases][:2] == ["0.500", "1.250"]
    assert [[child.tag for child in case] for case in cases] == [[], ["failure"], ["skipped"], ["error"]]


def strings(value):
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(part)


@pytest.mark.parametrize("name", NAMES)
def test_no_form_lets_a_program_write_into_it(grade, name):
    written = writer(name)(grade)
    written.encode()  # no lone surrogate
    for found in [written] if name in ("html", "junit") else list(strings(json.loads(written))):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", found)
    if name == "html":
        assert "<script" not in written
        assert "default-src 'none'" in written


def test_terminal_text_is_safe_and_complete(grade):
    lines = [line for one in grade.outcomes for line in text.lines(one, 10, columns=80)]
    joined = "\n".join(lines)
    assert "\x1b" not in joined
    assert [line.split()[:2] for line in lines if re.match(r"(pass|FAIL|skip|error)\b", line)] == [
        ["pass", "listens"], ["FAIL", "answers"], ["skip", "half-close"], ["error", "restart"],
    ]  # fmt: skip
    assert "      why     it needs answers" in lines
    assert text.summary(grade) == "1 of 7 points: 1 passed, 1 failed, 1 skipped, 1 error (seed 5eed, 2.5 s)"


def test_table_of_a_class(grade):
    rows = [many.Row("=cmd|x", grade), many.Row("ana\x1b", None, "it can't be run")]
    table = list(csv.DictReader(io.StringIO(many.as_csv(SUBJECT, rows))))
    assert [(row["submission"], row["score"], row["answers"]) for row in table] == [
        ("'=cmd|x", "1", "FAIL"),
        ("ana\x1b", "0", ""),
    ]
    assert not any("\x1b" in line for line in many.table(SUBJECT, rows, 80))
    assert "<script" not in many.as_html(SUBJECT, rows)


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=lambda one: one.name)
def test_checks_come_after_what_they_need_and_are_there(subject):
    """Each is a function of the client's file, and a row of the table; none is left out."""
    import ast

    from labctl.grade.hosts import INSIDE

    tree = ast.parse((INSIDE / f"{subject.module}.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
    functions |= {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}
    before = set()
    for check in subject.checks:
        assert set(check.needs) <= before, check
        before.add(check.name)
        if check.act == "inside":
            assert check.name.replace("-", "_") in functions, check
    made = {name.replace("-", "_") for name in before}
    rest = {name for name in functions if name.islower()} - made
    assert rest <= {"again", "hold"}, rest
