"""What is imported before it is needed."""

import subprocess
import sys

import pytest

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
