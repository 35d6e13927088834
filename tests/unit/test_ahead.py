"""What is imported before it is needed."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import labctl

LOADED = "import sys, threading; from labctl.ahead import imported; imported({name!r}); {then}"
JOINED = "[thread.join(10) for thread in threading.enumerate()[1:]]; "


def python(text, folder):
    return subprocess.run(
        [sys.executable, "-c", text], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=60
    )


def test_it_is_there_in_the_end(tmp_path):
    (tmp_path / "needed.py").write_text("")
    done = python(LOADED.format(name="needed", then=JOINED + "print('needed' in sys.modules)"), tmp_path)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize(("text", "error"), [("raise ValueError(7)", "ValueError: 7"), ("1 +", "SyntaxError")])
def test_what_is_wrong_with_it_hears_who_needs_it(tmp_path, text, error):
    (tmp_path / "needed.py").write_text(text)
    told = python(LOADED.format(name="needed", then=JOINED), tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    needed = python(LOADED.format(name="needed", then=JOINED + "import needed"), tmp_path)
    assert needed.returncode == 1
    assert error in needed.stderr


def test_pytest_imports_nothing_in_two_threads(tmp_path):
    """It makes a syntax tree of each module, and CPython 3.11 can't make two at once."""
    (tmp_path / "needed.py").write_text("")
    (tmp_path / "test_it.py").write_text(
        "import sys, threading\nfrom labctl.ahead import imported\n\n"
        "def test_it():\n    imported('needed')\n    assert threading.active_count() == 1\n"
        "    assert 'needed' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def named_ahead():
    """Each module that the sources name to `imported`, in the call or by a constant of the same file."""
    for file in sorted(Path(labctl.__file__).parent.rglob("*.py")):
        tree = ast.parse(file.read_text())
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "imported":
                for given in call.args:
                    given = given.value if isinstance(given, ast.Starred) else given
                    given = constants[given.id] if isinstance(given, ast.Name) else given
                    package = ".".join(file.relative_to(Path(labctl.__file__).parents[1]).parent.parts)
                    found = eval(compile(ast.Expression(given), str(file), "eval"), {"__package__": package})
                    yield from ((file.name, name) for name in ([found] if isinstance(found, str) else found))


def test_all_that_is_named_is_there():
    """Who names a module that isn't would hear nothing of it."""
    named = list(named_ahead())
    assert len(named) >= 7
    assert [one for one in named if importlib.util.find_spec(one[1]) is None] == []
