"""The engine in memory while nothing happens: who waits hears of what other threads do, and costs next to nothing."""

import threading

import pytest
from memory_lab import event

import labctl
from labctl.engine.memory.containers import IDLE


@pytest.fixture
def engine():
    return labctl.MemoryEngine()


class Counted(labctl.MemoryEngine):
    """Counts how often it is waited with."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, streams, deadline):
        self.waits.append(deadline)
        yield from super().wait(streams, deadline)


def test_who_follows_a_silent_lab_does_not_spin():
    engine = Counted()
    engine.add("lab", "alice", role="chat")
    lab = labctl.find("lab", engine=engine)
    assert list(lab.journal(follow=True, timeout=0.5)) == []
    assert len(engine.waits) <= 0.5 / IDLE + 10


def test_what_another_thread_prints_is_heard(engine):
    alice = engine.add("lab", "alice", role="chat")
    lab, heard, over = labctl.find("lab", engine=engine), [], labctl.Cancel()
    follows = threading.Event()

    def follow():
        for one in lab.journal(follow=True, until=over, timeout=30.0, ready=follows.set):
            heard.append(one.name)
            if one.name == "second":
                over.cancel()

    thread = threading.Thread(target=follow)
    thread.start()
    assert follows.wait(10)
    event(alice, "first")
    event(alice, "second")
    thread.join(10)
    assert (thread.is_alive(), heard) == (False, ["first", "second"])


def test_who_follows_ends_with_the_last_node(engine):
    alice = engine.add("lab", "alice", role="chat")
    lab, follows = labctl.find("lab", engine=engine), threading.Event()
    thread = threading.Thread(target=lambda: list(lab.journal(follow=True, timeout=30.0, ready=follows.set)))
    thread.start()
    assert follows.wait(10)
    alice.end()
    thread.join(10)
    assert not thread.is_alive()
