"""The lessons, from their first step to their last: a share of them checked, and another one played in Chinese.

They share labs: each topology's is brought up once. `make lessons` plays all of them in both languages.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from outside import run
from sampling import seed, share

import labctl
from labctl.api.labs import LESSONS
from labctl.errors import LabNotFound
from labctl.lesson import finding, grounds
from labctl.lesson.validating import validate

SLOW = 60.0  # seconds that a lesson may take with --yes
TRIED, PLAYED = share(finding.names(), 4, seed()), share(finding.names(), 7, seed())


@pytest.fixture(scope="module", autouse=True)
def labs(engine, tmp_path_factory):
    """Nothing of the lessons' labs is left afterwards; progress is kept elsewhere than the user's."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
    ours = [lab for lab in labctl.labs() if lab.name.startswith(LESSONS)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(labctl.Lab.down, ours))
    run("down", "lesson-empty", timeout=60)  # without a host it is in no list, and its network is still there


@pytest.mark.parametrize("name", TRIED)
@pytest.mark.timeout(600)  # the first of http builds the browser's image
def test_checks_fail_before_their_acts_and_pass_after_them(name):
    done = run("lesson", "validate", name, timeout=500)
    assert done.returncode == 0, done


@pytest.mark.parametrize("name", PLAYED)
def test_a_lesson_is_played_in_chinese(name):
    done = run("lesson", "run", name, "--yes", "--lang", "zh", timeout=SLOW)
    assert done.returncode == 0, done
    assert "看到的证据" in done.stdout
    assert "答案：" in done.stdout


@pytest.mark.turn(3)
def test_predictions_are_judged_by_the_evidence():
    """Somebody who sits there, and is right, wrong, and unsure: answers are typed, and one is none of the choices."""
    answers = ["x", "c", "", "", "5", "", "", "a", "", "", "", "12345", "10.9.9.9", "1", "1", "P.", "10", "", "h", "s"]
    played = run("lesson", "run", "tcp", "--lang", "en", input="\n".join(answers) + "\n", timeout=SLOW)
    assert played.returncode == 0, played
    assert "That is none of them: a, b, c" in played.stdout
    assert "Right. Three" in played.stdout
    assert "No. The answer: 4" in played.stdout
    assert "No. The answer: The line, once" in played.stdout
    assert played.stdout.count("its source port = Right.") == 1
    assert "its target address = No. The answer: 10." in played.stdout
    assert "Hint: `labctl fault drop bob:alice" in played.stdout
    assert "Done: the evidence shows it." in played.stdout
    assert "You foresaw 1 of 4" in played.stdout


@pytest.mark.turn(3)
def test_who_leaves_comes_back_to_where_they_were(tmp_path):
    file = tmp_path / "two.md"
    file.write_text(TWO)
    left = run("lesson", "run", str(file), input="\n\nq\n", timeout=SLOW)
    assert left.returncode == 0, left
    assert "You left at step second;\n`labctl lesson run two --from second` goes on there." in left.stdout
    again = run("lesson", "run", str(file), "--from", "second", "--yes", timeout=SLOW)
    assert again.returncode == 0, again
    assert "It arrives once more" in again.stdout
    assert "It arrives\n" not in again.stdout, "an earlier act is done, and not shown"
    assert labctl.find("lesson-hello").name in again.stderr
    unknown = run("lesson", "run", "tcp", "--from", "nowhere")
    assert (unknown.returncode, "it has no step nowhere" in unknown.stderr) == (1, True), unknown


TWO = """---
title: Two lines
topology: hello
minutes: 1
steps:
  - id: first
    check: len(events("bob", event="message", text="one")) == 1
  - id: second
    check: len(events("bob", event="message", text="two")) == 1
---
## It arrives {#first}

```console
$ labctl chat send alice "one"
...
```

## It arrives once more {#second}

```console
$ labctl chat send alice "two"
...
```
"""
YOURS = """---
title: Your turn
topology: hello
minutes: 1
steps:
  - id: type
    predict:
      ask: How many bytes does bob get?
      number: first(events("bob", event="message")).bytes
    check: len(events("bob", event="message", text="typed by me")) == 1
    hint: Type at alice.
    solve: [labctl chat send alice "typed by me"]
---
## Type {#type}

Say something.
"""


@pytest.mark.turn(3)
def test_a_step_of_ones_own_is_checked_and_solved_from_another_terminal(tmp_path):
    file = tmp_path / "yours.md"
    file.write_text(YOURS)
    command = [sys.executable, "-m", "labctl", "lesson", "run", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as player:
        assert player.stdin is not None
        assert player.stdout is not None
        player.stdin.write("12\n")
        seen = ""
        while "Your turn, in another terminal" not in seen:
            character = player.stdout.read(1)
            assert character, seen
            seen += character
        undone = run("lesson", "check", str(file))
        assert undone.returncode == 1, undone
        assert "Hint: Type at alice." in undone.stderr
        solved = run("lesson", "solve", str(file))
        assert solved.returncode == 0, solved
        assert '$ labctl chat send alice "typed by me"' in solved.stdout
        done = run("lesson", "check", str(file))
        assert done.returncode == 0, done
        player.stdin.write("\n")
        rest, _ = player.communicate(timeout=SLOW)
    assert player.returncode == 0
    assert "Right. 12" in rest


@pytest.mark.turn(3)
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("== 1\n    hint", ">= 0\n    hint", "yours.md:10:12: step type: its check is true before anything was done"),
        ("== 1\n    hint", "== 2\n    hint", "yours.md:10:12: step type: its check is false after its act"),
        ('chat send alice "typed by me"', "chat send nobody hi", "a command failed"),
        (").bytes", ").text", "yours.md:8:7: step type: the evidence gives no number"),
    ],
)
def test_validate_tells_what_is_not_so(tmp_path, old, new, said):
    assert old in YOURS
    file = tmp_path / "yours.md"
    file.write_text(YOURS.replace(old, new))
    lesson = finding.find(str(file))
    lab = grounds.ready(lesson)
    found = validate(lesson, lab, ["en"], settle=0.5)
    assert any(said in str(problem) for problem in found.problems), found


def test_validate_fails_where_a_lesson_has_no_lab(tmp_path):
    file = tmp_path / "yours.md"
    file.write_text(YOURS.replace("topology: hello", "topology: helo"))
    done = run("lesson", "validate", str(file))
    assert done.returncode == 1, done
    assert "yours.md:3:11: there is no topology helo; did you mean hello?" in done.stdout


@pytest.mark.turn(3)
def test_console_blocks_are_written_anew_from_a_run(tmp_path):
    file = tmp_path / "yours.md"
    act = 'Say something.\n\n```console\n$ labctl chat send alice "typed by me"\nsomething else\n```\n'
    file.write_text(YOURS.replace("Say something.\n", act).replace("== 1", ">= 1"))
    differs = run("lesson", "validate", str(file), timeout=SLOW)
    assert differs.returncode == 1, differs
    assert "yours.md:20:1: `labctl chat send alice" in differs.stdout
    written = run("lesson", "validate", "--update", str(file), timeout=SLOW)
    assert written.returncode == 0, written
    assert '"typed by me"  10.' in file.read_text()
    assert "delivered in <time>" in file.read_text()
    assert run("lesson", "validate", str(file), timeout=SLOW).returncode == 0


def test_all_are_listed():
    listed = run("lesson", "ls", "--lang", "zh")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == list(finding.names())
    assert "握手" in listed.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "tpc"], "there is no lesson tpc; did you mean tcp"),
        (["run", "tcp", "--lang", "fr"], "lesson tcp is not there in fr"),
        (["run", "/dev/null"], "there is no lesson /dev/null"),
        (["run", "tcp", "--lab", "no-such-lab"], "no-such-lab"),
        (["check", "udp"], "no step of it has begun"),
        (["solve", "tcp", "nowhere"], "it has no step nowhere"),
    ],
)
def test_what_can_not_be_played_is_told(arguments, said):
    done = run("lesson", *arguments)
    assert done.returncode == 1, done
    assert said in done.stderr, done
    with pytest.raises(LabNotFound):
        __import__("labctl").find("no-such-lab")
