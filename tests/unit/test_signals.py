"""Names and numbers of signals, as `kill -l` of bash has them."""

import subprocess
import sys

import pytest

from labctl import signals
from labctl.engine.compose.last_words import killed_by


def listed() -> list[tuple[int, str]]:
    done = subprocess.run(["bash", "-c", "kill -l"], capture_output=True, text=True, timeout=20, check=True)
    words = done.stdout.replace(")", "").split()
    return [(int(number), name) for number, name in zip(words[::2], words[1::2], strict=True)]


def test_each_has_the_name_that_a_shell_gives_it():
    """Docker knows the same ones."""
    found = listed()
    assert len(found) > 60
    for number, name in found:
        assert signals.name_of(number) == name
        assert signals.number_of(name) == signals.number_of(name[3:].lower()) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "65", "SIG9", "nosuch", "RTMIN+31", "RTMAX-31", "RTMIN+x", "\u00b2"])
def test_what_is_none(text):
    with pytest.raises(ValueError, match=r".*"):
        signals.number_of(text)
    assert signals.name_of(65) == "signal 65"


@pytest.mark.parametrize(("status", "name"), [(-9, "SIGKILL"), (-35, "SIGRTMIN+1"), (-64, "SIGRTMAX")])
def test_compose_may_be_ended_by_any(status, name):
    assert killed_by(status, "") == name


BEGINS = """
import os, signal, sys, threading, time
from labctl import __main__ as main
"""
ENDS = """
main._watch_signals()
held = Held()
try:
    del held
    threading.Event().wait()  # for ever, where it is lost
except {raised}:
    print("told")
"""
GOES_UNHEARD = """
class Held:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        while True:  # until the handler raises: of an exception here Python only says that it is ignored
            pass
"""
# On a busy machine, who starts a thread may go on long after it: here, once the thread has found that it has to wait.
IS_SLOW = """
waits = threading.Event()
start, sleep = threading.Thread.start, time.sleep

def start_slowly(thread):
    start(thread)
    waits.wait()

def sleep_seen(seconds):
    waits.set()
    sleep(seconds)

threading.Thread.start, time.sleep = start_slowly, sleep_seen
"""
COMES_IN_THE_HOOK = """
class Held:
    def __del__(self):
        raise ValueError("an ordinary one")

heard = []
handler = main.{handler}

def hear(number, frame):
    heard.append(number)
    handler(number, frame)

def shown(unraisable):
    print(unraisable.exc_value, flush=True)
    os.kill(os.getpid(), signal.{name})
    while not heard:
        pass

main.{handler} = hear
sys.__unraisablehook__ = shown
"""
SIGNALS = pytest.mark.parametrize(
    ("name", "raised", "handler"),
    [
        ("SIGTERM", "main.Terminated", "_terminate"),
        ("SIGHUP", "main.Terminated", "_terminate"),
        ("SIGINT", "KeyboardInterrupt", "_interrupt"),
    ],
)


def said(*parts, **words):
    code = "".join([BEGINS, *parts, ENDS]).format(**words)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@SIGNALS
def test_a_signal_that_comes_while_another_failure_is_written_down_is_not_lost(name, raised, handler):
    told = said(COMES_IN_THE_HOOK, name=name, raised=raised, handler=handler)
    assert told == (0, "an ordinary one\ntold\n", "")


@SIGNALS
@pytest.mark.parametrize("more", [(), (IS_SLOW,)], ids=["as fast as it is", "slow"])
def test_a_signal_that_comes_where_no_exception_gets_out_is_not_lost(name, raised, handler, more):
    assert said(GOES_UNHEARD, *more, name=name, raised=raised) == (0, "told\n", "")
