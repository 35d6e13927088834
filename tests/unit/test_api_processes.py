"""Sockets and system calls as a program has them, on the in-memory engine."""

import pytest
from test_processes_lab import SEND, TABLE, TS, fakes, in_python, lab  # noqa: F401  the latter are fixtures

import labctl


@pytest.fixture
def seen(engine, fakes):  # noqa: F811
    return in_python(engine)


def test_changes_of_sockets_are_told_until_the_nodes_have_ended(engine, seen, fakes):  # noqa: F811
    fakes.watching(lambda node: seen.node(node).stop())
    found = [(one.node, one.name) for one in seen.follow_sockets("alice")]
    assert found == [("alice", "watching"), ("alice", "socket-state")]
    with pytest.raises(labctl.NodeNotFound):
        next(iter(seen.follow_sockets("alcie")))
    with pytest.raises(labctl.NotRunning):
        next(iter(seen.follow_sockets("alice")))


def test_sockets_of_a_node_and_of_a_lab(seen, fakes):  # noqa: F811
    assert [one.state for one in seen.node("alice").sockets()].count("LISTEN") == 1
    assert len(seen.sockets()) == 2 * len(TABLE)


def test_system_calls_are_recorded_followed_and_forgotten(seen, fakes):  # noqa: F811
    alice = seen.node("alice")
    with pytest.raises(labctl.NotRecorded):
        alice.syscalls()
    assert alice.record_syscalls()
    assert not alice.record_syscalls(), "they are already"
    fakes.lines = {"calls": [{**SEND, "ts": TS}]}
    assert [one.get("call") for one in alice.syscalls()] == ["sendto"]
    assert (alice.recording().cut, alice.recording().since is None) == (4, False)
    assert [(one.name, one.get("call")) for one in alice.follow_syscalls(last=60)] == [
        ("syscall", "sendto"),
        ("recording", None),
    ]
    assert alice.forget_syscalls()
    assert not alice.forget_syscalls()
    assert alice.recording().since is None
