"""Before labctl's first own line, and around it: ^C while it is still importing, and shells' completion."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

LABCTL = str(Path(sys.executable).parent / "labctl")
EARLY = """
import os, signal, sys
sys.argv[0] = {name!r}
import labctl
os.kill(os.getpid(), signal.SIGINT)
import labctl.__main__
"""


def python(code: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.mark.parametrize("name", [LABCTL, "/usr/local/bin/wirelab"])
def test_an_interrupt_while_it_imports_ends_it_without_a_word(name):
    got = python(EARLY.format(name=name))
    assert (got.returncode, got.stderr) == (-signal.SIGINT, "")


def test_a_program_that_imports_it_keeps_its_interrupts():
    got = python(EARLY.format(name="/usr/bin/something"))
    assert "KeyboardInterrupt" in got.stderr


def test_an_interrupt_that_is_ignored_stays_so():
    """As `nohup` and shells' background jobs have it."""
    got = python(EARLY.format(name=LABCTL), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert (got.returncode, got.stderr) == (0, "")


def test_an_interrupt_in_a_class_that_is_being_made_is_one():
    """Python tells of it as of an error of that class."""
    code = """
import os, signal
from labctl.__main__ import _status

class Name:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)

def run():
    class Owner:
        name = Name()

os._exit(_status(run))
"""
    got = python(code)
    assert (got.returncode, got.stderr) == (130, "")


@pytest.mark.parametrize("home", ["/proc", "/dev/null"])
def test_completion_where_home_can_not_be_written(home):
    environment = {**os.environ, "HOME": home, "SHELL": "/bin/bash"}
    # The shell that is asked for is the one that labctl was started from; it must not become labctl itself.
    command = ["bash", "-c", f"{LABCTL} --install-completion; exit $?"]
    got = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert got.returncode == 1, got
    assert got.stderr.startswith("labctl: the completion can't be installed: ")
    assert "labctl --show-completion" in got.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_says_why_it_failed(number, status):
    """It asks the engine what became of the nodes, which takes its time."""
    code = f"""
import os
import labctl.__main__ as labctl
from labctl.errors import LabError

def run():
    raise LabError("no-lab")

labctl._explain = lambda problem: os.kill(os.getpid(), {int(number)})
labctl.main(run)
"""
    got = python(code)
    assert (got.returncode, got.stderr) == (status, "")


FILES = "import resource; from labctl import __main__; {then}; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"


@pytest.mark.parametrize(
    ("soft", "hard", "then", "left"),
    [
        (64, 4000, "__main__._status(lambda: 0)", "4000 4000"),
        (64, 64, "__main__._status(lambda: 0)", "64 64"),
        (64, 4000, "import labctl.api.labs", "64 4000"),  # a library leaves a program's limits alone
    ],
)
def test_it_may_have_as_many_files_as_there_may_be(soft, hard, then, left):
    """A lab of a thousand nodes is as many journals at once, where 1024 are usual."""
    lower = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))  # noqa: E731
    got = python(FILES.format(then=then), preexec_fn=lower)
    assert (got.stdout.strip(), got.stderr) == (left, "")
