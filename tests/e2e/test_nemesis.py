"""A chat under kills, pauses, partitions and resets: what each send was told is compared with what the journals hold.

What is delivered is there once, and in order; what may still go out, at most once; and what was not taken can be typed
again, which is done here, and still is there once. `make test-nemesis` says ten times as much for ten times as long.
"""

import itertools
import os
import random
import secrets
import threading

import pytest
from outside import parse

from labctl.engine.docker import DockerEngine
from labctl.errors import EngineRefused, LabError, LineRefused, NotRunning, NotTaken
from labctl.lab.model import find
from labctl.lab.roles.chat import send

MESSAGES = int(os.environ.get("LABCTL_NEMESIS_MESSAGES") or 500)  # each way
SEED = int(os.environ.get("LABCTL_NEMESIS_SEED") or secrets.randbelow(10**6))
BLOWS = max(6, MESSAGES * 8 // 500)  # each kind of them at least once
EVERY = 20  # messages, both ways together, from one blow to the next
WAIT = 1.0  # seconds that a send waits, which some blows outlast
PARTNERS = {"alice": "bob", "bob": "alice"}

pytestmark = pytest.mark.timeout(max(600, MESSAGES))


class Said:
    """What was typed, and what became of it as labctl told it: `delivered`, or `maybe`."""

    def __init__(self, lab):
        self.lab, self.told = lab, {name: {} for name in PARTNERS}
        self.again = 0  # lines that were refused and typed again
        self.changed = threading.Condition()
        self.failures: list[BaseException] = []
        self.calm = False  # no more blows will come

    @property
    def total(self) -> int:
        return sum(map(len, self.told.values()))

    def say_all(self, name: str) -> None:
        try:
            engine = DockerEngine()
            for number in itertools.count():
                if number >= MESSAGES and self.calm:
                    return
                text = f"{name} says {number}"
                outcome = self._say(engine, name, text)
                with self.changed:
                    self.told[name][text] = outcome
                    self.changed.notify_all()
        except BaseException as problem:  # noqa: BLE001 - told by the test itself
            with self.changed:
                self.failures.append(problem)
                self.changed.notify_all()

    def _say(self, engine, name: str, text: str) -> str:
        while True:
            try:
                found = send(engine, find(engine, self.lab.name), name, text, timeout=WAIT)
            except LabError as problem:
                if problem.values.get("may_go_out"):
                    return "maybe"
                if not isinstance(problem, NotRunning | LineRefused | EngineRefused | NotTaken):
                    raise
                with self.changed:
                    self.again += 1
                    self.changed.wait(0.05)  # the other one says something, or time passes
            else:
                assert (found.sender, found.receiver, found.text) == (name, PARTNERS[name], text)
                return "delivered"

    def wait_for(self, total: int) -> None:
        """Until so much was said."""
        with self.changed:
            self.changed.wait_for(lambda: self.total >= total or self.failures)
            assert not self.failures, self.failures


class Nemesis:
    """Breaks what can be broken, and mends it again."""

    def __init__(self, lab, said: Said):
        self._lab, self._said, self._random = lab, said, random.Random(SEED)
        self.blows: list[str] = []

    def rage(self) -> None:
        kinds = [self.kill, self.pause, self.partition, self.reset, self.restart, self.kill_in_a_partition]
        try:
            for number in range(BLOWS):
                if number % len(kinds) == 0:
                    self._random.shuffle(kinds)  # each of them, and in another order each time
                kind, victim = kinds[number % len(kinds)], self._random.choice(sorted(PARTNERS))
                self._said.wait_for(self._said.total + EVERY)
                self.blows.append(f"{kind.__name__} {victim} at {self._said.total}")
                kind(victim)
        finally:
            self._said.calm = True

    def _last(self, least: float, most: float) -> None:
        """A blow lasts: there is nothing to wait for but that time passes."""
        threading.Event().wait(self._random.uniform(least, most))

    def kill(self, victim: str) -> None:
        self._lab.ok("kill", victim)
        self._last(0, 0.5)
        self._lab.ok("start", victim)

    def restart(self, victim: str) -> None:
        self._lab.ok("restart", victim)

    def pause(self, victim: str) -> None:
        self._lab.ok("pause", victim)
        self._last(0.1, 1.8)
        self._lab.ok("unpause", victim)

    def partition(self, victim: str) -> None:
        self._lab.ok("partition", victim, PARTNERS[victim])
        self._last(0.2, 2.5)
        self._lab.ok("heal")

    def kill_in_a_partition(self, victim: str) -> None:
        self._lab.ok("partition", victim, PARTNERS[victim])
        self._lab.ok("kill", victim)
        self._last(0.2, 1.5)
        self._lab.ok("heal")
        self._lab.ok("start", victim)

    def reset(self, victim: str) -> None:
        self._lab.ok("fault", "reset", f"{victim}:{PARTNERS[victim]}", "tcp data 1")


def arrived(lab, name: str) -> list[str]:
    """The texts of all messages that a node's journal shows."""
    lines = lab.container(name).logs(stdout=True, stderr=False).split(b"\n")
    return [found["text"] for line in lines if (found := parse(line)) and found["event"] == "message"]


def test_what_labctl_told_of_each_line_is_true(own_lab):
    own_lab.heal()
    said = Said(own_lab)
    nemesis = Nemesis(own_lab, said)
    speakers = [threading.Thread(target=said.say_all, args=(name,), daemon=True) for name in PARTNERS]
    for speaker in speakers:
        speaker.start()
    print(f"LABCTL_NEMESIS_SEED={SEED}")
    nemesis.rage()
    for speaker in speakers:
        speaker.join(300)
        assert not speaker.is_alive()
    about = f"LABCTL_NEMESIS_SEED={SEED}: {', '.join(nemesis.blows)}"
    print(about)
    assert not said.failures, (about, said.failures)
    # What waits at either end goes out, in order, before a line that is said now.
    for name in PARTNERS:
        own_lab.ok("chat", "send", name, "that was all", "--timeout", "60")
    for name, partner in PARTNERS.items():
        told, there = said.told[name], [text for text in arrived(own_lab, partner) if text in said.told[name]]
        times = {text: there.count(text) for text in told}
        delivered = [text for text, outcome in told.items() if outcome == "delivered"]
        print(f"{name}: {len(delivered)} delivered, {len(told) - len(delivered)} maybe, {len(there)} arrived")
        assert [text for text in there if told[text] == "delivered"] == delivered, about
        assert {text: many for text, many in times.items() if many > 1} == {}, about
        assert len(delivered) > MESSAGES / 2, about
    print(f"{said.again} lines were not taken, and typed again")
