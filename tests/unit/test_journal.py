"""Reading and following journals on the in-memory engine: what is written by whom and with whichever time."""

import json

import pytest
from memory_lab import event

from labctl.engine.memory import MemoryEngine
from labctl.engine.model import Line, Stream
from labctl.events.codec import stamp_of
from labctl.lab import gaps, journal
from labctl.lab.model import of_containers


class Counting(MemoryEngine):
    """Counts the lines that it gives out."""

    given = 0

    def logs(self, container: str, **options) -> Stream:
        stream = super().logs(container, **options)
        self.given += len(stream.pending)  # type: ignore[attr-defined]
        return stream


def lab(engine):
    return of_containers("lab", engine.containers())


def numbers(events) -> list:
    return [item.get("bytes") for item in events]


def future(container, **fields) -> None:
    """An event with a time that is yet to come: anything that writes to a journal can make one."""
    line = {"ts": "2999-01-01T00:00:00.000000000Z", "node": "x", "event": "input", **fields}
    container.print(json.dumps(line))


def test_an_event_from_the_future_mutes_nobody():
    engine = MemoryEngine()
    a = engine.add("lab", "a")
    event(a, "input", bytes=0)
    future(a, bytes=1)
    engine.later(lambda: event(a, "input", bytes=2))
    engine.later(lambda: future(a, bytes=3))
    engine.later(lambda: event(a, "input", bytes=4))
    engine.later(a.end)
    assert sorted(numbers(journal.follow(engine, lab(engine)))) == [0, 1, 2, 3, 4]


def test_a_clock_that_is_set_back_mutes_nobody():
    engine = MemoryEngine()
    a = engine.add("lab", "a")
    event(a, "input", bytes=0)
    a.output[0] = a.output[0]._replace(stamp="2999-01-01T00:00:00.000000000Z")
    engine.later(lambda: event(a, "input", bytes=1))
    engine.later(a.end)
    assert numbers(journal.follow(engine, lab(engine), tail=5)) == [0, 1]


def test_what_comes_while_the_past_is_read_comes_once():
    engine = MemoryEngine()
    a = engine.add("lab", "a")
    event(a, "input", bytes=0)
    begun = engine.logs

    def logs(container, **options):
        stream = begun(container, **options)
        if options.get("follow"):
            event(a, "input", bytes=1)  # between the begin of listening and that of reading
        return stream

    engine.logs = logs  # type: ignore[method-assign]
    engine.later(lambda: event(a, "input", bytes=2))
    engine.later(a.end)
    assert numbers(journal.follow(engine, lab(engine))) == [0, 1, 2]


def test_a_node_that_starts_again_is_heard_again(monkeypatch):
    monkeypatch.setattr(journal, "LOOK_FOR_MORE", 0.0)
    engine = MemoryEngine()
    a, b = engine.add("lab", "a"), engine.add("lab", "b")

    def restart() -> None:
        engine.change("start", a.record.id)
        event(a, "input", bytes=2)
        event(b, "input", bytes=11)
        engine.later(lambda: event(a, "input", bytes=3))
        engine.later(lambda: (a.end(), b.end()))

    engine.later(lambda: event(a, "input", bytes=1))
    engine.later(a.end)
    engine.later(lambda: event(b, "input", bytes=10))
    engine.later(restart)
    assert {2, 3, 10, 11} <= set(numbers(journal.follow(engine, lab(engine))))


def test_the_last_events_are_read_from_the_end():
    engine = Counting()
    a, b = engine.add("lab", "a", role="echo"), engine.add("lab", "b")
    for number in range(2000):
        event(a, "input", bytes=number)
        b.print("no event at all")
    a.print("a stray line")
    engine.given = 0
    events = journal.read(engine, lab(engine), tail=3)
    assert [(item.node, item.name) for item in events][1:] == [("b", "log"), ("a", "log")]
    assert engine.given < 20


def test_a_line_that_is_cut_in_two_by_the_end_of_reading_is_not_shown():
    """The engine counts pieces of a long line; the last ones of them may be the end of one alone."""
    engine = Counting()
    a = engine.add("lab", "a", role="echo")
    for number in range(100):
        event(a, "input", bytes=number)
    a.output.append(Line(b'of a line that began before"}', stamp="2026-01-01T00:00:00Z"))
    event(a, "input", bytes=100)
    a.output[-1] = a.output[-1]._replace(entries=2)
    assert numbers(journal.read(engine, lab(engine), tail=1)) == [100]
    assert numbers(journal.read(engine, lab(engine), tail=3))[-1] == 100


def test_the_oldest_part_that_is_gone_is_told():
    engine = MemoryEngine()
    a = engine.add("lab", "a", role="echo")
    a.log = (1000, 3)
    for number in range(100):
        event(a, "input", bytes=number)
    first, second, *_ = journal.read(engine, lab(engine))
    assert (first.node, first.name, first.ts) == ("a", "missing", second.ts)
    assert first.get("reason") == "the oldest part of this journal is gone, and the log keeps 0.003 MB"
    assert "missing" not in [item.name for item in journal.read(engine, lab(engine), tail=5)]
    assert "missing" not in [item.name for item in journal.read(engine, lab(engine), since=second.ts)][1:]


def test_a_journal_that_is_whole_is_called_nothing_else():
    engine = MemoryEngine()
    own, theirs, endless = engine.add("lab", "own", role="echo"), engine.add("lab", "b"), engine.add("lab", "c")
    own.log = theirs.log = (1000, 3)
    event(own, "bind")
    for number in range(100):
        event(own, "input", bytes=number)
        event(endless, "input", bytes=number)
    event(theirs, "input", bytes=0)
    assert "missing" not in {item.name for item in journal.read(engine, lab(engine))}


def test_of_somebody_elses_program_it_can_only_be_guessed():
    engine = MemoryEngine()
    theirs = engine.add("lab", "theirs")
    theirs.log = (1000, 3)
    for number in range(40):
        theirs.print(f"line {number}")
    first = journal.read(engine, lab(engine))[0]
    assert "may be gone" in first.get("reason")


@pytest.mark.parametrize(("jump", "behind", "told"), [(1.0, True, True), (1.0, False, False), (0.001, True, False)])
def test_what_is_written_faster_than_read_may_be_missing(monkeypatch, jump, behind, told):
    """A jump in the engine's times while we are behind: the file that held what was between is gone."""
    begun = 1_800_000_000_000_000_000
    clock = [begun]
    monkeypatch.setattr(gaps.time, "time_ns", lambda: clock[0])
    found = gaps.Gaps()

    def missing(written: int, read: int) -> bool:
        clock[0] = read
        return found.before(Line(b"x" * 1000, stamp=stamp_of(written)))

    assert not missing(begun, begun)
    late = 2_000_000_000 if behind else 1_000_000
    said = [missing(begun + number * 10_000, begun + number * 10_000 + late) for number in range(1, 2000)]
    assert not any(said)
    assert missing(begun + 20_000_000 + int(jump * 1e9), begun + 20_000_000 + late + int(jump * 1e9)) is told
