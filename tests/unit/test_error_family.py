"""The errors that labctl explains: their table, their classes, and the page about them."""

import ast
import copy
import pickle
import string
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from trees import nodes

from labctl import errors
from labctl.errors import LabError, LabTimeout, NodeError, NotConfirmed
from labctl.errors.family import nearest
from labctl.errors.page import as_markdown
from labctl.errors.tables import ERRORS, PARTS

ROOT = Path(__file__).parents[2]
FAMILY = [found for found in map(vars(errors).get, errors.__all__) if isinstance(found, type)]


def made(code: str) -> LabError:
    """An error with something for each word in braces."""
    kind = ERRORS[code]
    fields = {name for text in (kind.message, kind.hint) for _, name, _, _ in string.Formatter().parse(text) if name}
    return LabError(code, **{name: 3 if name in ("seconds", "memory", "minutes") else f"<{name}>" for name in fields})


def raised(module: Iterable[ast.AST]) -> Iterator[str]:
    """The codes that a module makes errors of: the texts in the first argument of such a call."""
    names = {family.__name__ for family in FAMILY}
    for node in module:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args:
            yield from (item.value for item in ast.walk(node.args[0]) if isinstance(item, ast.Constant))
        if isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == ["code"]:
            yield from (item.value for item in ast.walk(node.value) if isinstance(item, ast.Constant))


@pytest.mark.parametrize("code", ERRORS)
def test_every_code_has_its_class_and_can_be_pickled(code):
    problem = made(code)
    assert type(problem) is ERRORS[code].family
    assert type(problem) in FAMILY
    assert (problem.code, str(problem)) == (code, problem.message)
    problem.add_note("while it was tried")
    problem.message += ", as was seen later"
    for again in (pickle.loads(pickle.dumps(problem)), copy.copy(problem)):
        assert type(again) is type(problem)
        assert (again.as_json(), again.values) == (problem.as_json(), problem.values)
        assert again.__notes__ == problem.__notes__


def test_every_code_is_raised_somewhere_and_no_other():
    modules = [path for path in (ROOT / "labctl").rglob("*.py") if "tables" not in path.parts]
    found = {code for path in modules for code in raised(nodes(path)) if isinstance(code, str)}
    assert set(ERRORS) - found == set()
    calls = [node for path in modules for node in nodes(path) if isinstance(node, ast.Call)]
    first = [call.args[0] for call in calls if getattr(call.func, "id", None) == "LabError"]
    assert {argument.value for argument in first if isinstance(argument, ast.Constant)} <= set(ERRORS)


def test_no_code_stands_twice():
    assert sum(map(len, PARTS)) == len(ERRORS)


def judged(module: Iterable[ast.AST]) -> Iterator[int]:
    """The lines in which something is decided by a `.code`: it is compared, matched, looked up, or asked as a text is.
    ICMP's is a number."""
    for node in module:
        match node:
            case ast.Compare():
                asked = [node.left, *node.comparators]
            case ast.Match():
                asked = [node.subject]
            case ast.Call(func=ast.Attribute(value=owner)):
                asked = [owner, *node.args] if node.func.attr in ("get", "index", "count") else [owner]
            case ast.Subscript():
                asked = [node.slice]
            case _:
                continue
        parts = [part for one in asked for part in ([*one.elts] if isinstance(one, ast.Tuple) else [one])]
        codes = [part for part in parts if isinstance(part, ast.Attribute) and part.attr == "code"]
        if any(ast.unparse(code) != "icmp.code" for code in codes):
            yield node.lineno


def test_nothing_is_decided_by_a_code():
    """A class says it of an error, and a trait of what is wrong in a topology's file (labctl/topology/check/kinds.py),
    whose table `Problem.kind` alone reads."""
    files = [path for room in ("labctl", "bench", "services") for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 500
    found = [f"{path.relative_to(ROOT)}" for path in files for _ in judged(nodes(path))]
    assert found == ["labctl/topology/check/problems.py"]


@pytest.mark.parametrize(
    "text",
    [
        "problem.code == 'no-lab'",
        "'no-lab' != stop.problem.code",
        "one.code in KNOWN",
        "(one.code, 1) == ('no-lab', 1)",
        "one.code.startswith('trap-')",
        "KNOWN[one.code]",
        "KNOWN.get(one.code)",
        "match one.code:\n    case 'no-lab': pass",
    ],
)
def test_a_decision_by_a_code_is_seen(text):
    assert list(judged(ast.walk(ast.parse(text)))) == [1]
    assert not list(judged(ast.walk(ast.parse(text.replace(".code", ".trait")))))


def test_a_class_takes_only_its_codes():
    with pytest.raises(TypeError, match="no-lab is a LabNotFound, and no NodeError"):
        NodeError("no-lab")
    assert type(NodeError("node-stopped", node="alice")) is errors.NodeStopped


def test_several_classes_fit_one_error():
    assert isinstance(made("engine-timeout"), (errors.EngineError, LabTimeout))
    for code in ("maybe-taken", "no-partner", "not-confirmed", "not-shown", "no-answer"):
        assert isinstance(made(code), NotConfirmed)
    assert not isinstance(made("not-taken"), NotConfirmed)


def test_the_same_error_with_another_value():
    problem = LabError("engine-refused", action="start it", why="it is gone")
    other = problem.having(action="start alice")
    assert (type(other), other.message) == (type(problem), "the Docker engine would not start alice: it is gone")


def fails(code: str) -> None:
    raise LabError(code, name="lab", near="", about=Path("/x"))


def test_it_comes_whole_from_another_process():
    with ProcessPoolExecutor(1) as pool, pytest.raises(errors.LabNotFound) as caught:
        pool.submit(fails, "unknown-lab").result(60)
    assert (caught.value.code, caught.value.values["about"]) == ("unknown-lab", Path("/x"))


def test_what_cannot_be_pickled_goes_as_its_text():
    problem = LabError("unknown-lab", name="lab", near="", lock=threading.Lock())
    assert pickle.loads(pickle.dumps(problem)).values["lock"].startswith("<unlocked")


def test_the_page_is_what_the_table_says():
    assert (ROOT / "docs" / "errors.md").read_text() == as_markdown(), "python -m labctl.errors.page > docs/errors.md"
    for family in FAMILY:
        assert family.__doc__, family


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("alcie", "; did you mean alice?"),
        ("bo", "; did you mean bob?"),
        ("ali", "; did you mean alice?"),
        ("missing.py", ""),
        ("/etc", ""),
        ("", ""),
    ],
)
def test_a_name_is_suggested_where_it_is_near(typed, wanted):
    assert nearest(typed, ["alice", "bob", "raise.py", "tcp", "recv"]) == wanted
