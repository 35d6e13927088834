"""A beginner's own programs as hosts: they do what they should, and each of their mistakes can be seen."""

import contextlib
import subprocess
import time

import pytest
from outside import LABCTL, run, until

from labctl import LabError, find

pytestmark = pytest.mark.turn(2)


@pytest.fixture(scope="module")
def lab(tutorial):
    """The same, as a program has it; all packets are recorded."""
    found = find(tutorial.name)
    found.record("alice", "bob", "udp1", "udp2", "client", "echo", "web")
    return found


@pytest.fixture
def chat(lab):
    """alice and bob at the beginning of a conversation; when it began."""
    for name in ("bob", "alice"):
        lab.node(name).stop()
    begun = time.time_ns()
    lab.node("alice").start()
    lab.node("alice").wait("healthy")
    lab.node("bob").start()
    said(lab, "alice", "已连接", begun)
    return begun


def logs(lab, name, begun):
    return [event.get("text") for event in lab.journal(name) if event.nanoseconds >= begun]


def said(lab, name, text, begun=0):
    """The first line of a host that holds a text, once it is there."""
    return found(
        lambda: next((line for line in logs(lab, name, begun) if line and text in line), None), f"{text} at {name}"
    )


def found(look, what):
    """What a look gives, once it gives something."""
    seen = []
    until(lambda: seen.append(look()) or seen[-1], what)
    return seen[-1]


def calls(lab, name, call, begun):
    return [one for one in lab.node(name).syscalls() if one.nanoseconds >= begun and one.get("call") == call]


def listening(lab, name, port):
    return next(one for one in lab.sockets(name) if one.state == "LISTEN" and one.local[1] == port)


def test_they_do_what_they_are_for(tutorial, lab, chat):
    lab.node("bob").type("hi")
    said(lab, "alice", "对方说：hi", chat)
    lab.node("alice").type("hello")
    said(lab, "bob", "对方说：hello", chat)
    lab.node("client").type("over TCP")
    said(lab, "client", "收到：over TCP", chat)
    lab.node("udp2").type("a datagram")
    said(lab, "udp2", "A DATAGRAM", chat)
    page = lab.node("web").get("/", source="bob")
    assert page.status == 200
    assert b"Hello World, Michael!" in page.content
    lab.node("bob").type("byebye")
    lab.node("alice").wait("exited")
    lab.node("bob").wait("exited")
    assert {lab.node(name).status().node.container.exit_code for name in ("alice", "bob")} == {0}


def test_the_second_caller_waits(tutorial, lab, chat):
    assert listening(lab, "alice", 12345).receive_queue == 0
    assert run("wait", "--answers", "alice:12345", "--from", "udp2", "--lab", tutorial.name).returncode == 0
    assert listening(lab, "alice", 12345).receive_queue == 1


def test_1024_is_not_a_message(lab, chat):
    lab.node("bob").type("a" * 1500)
    assert said(lab, "alice", "aaa", chat).count("a") == 1024
    lab.node("alice").type("go on")
    said(lab, "bob", "go on", chat)
    rest = found(lambda: [line.count("a") for line in logs(lab, "alice", chat) if "aaa" in line][1:], "the rest")
    assert rest == [476]


def test_a_character_is_cut_in_two(lab, chat):
    lab.node("bob").type("字" * 400)
    said(lab, "alice", "UnicodeDecodeError", chat)
    lab.node("alice").wait("exited")
    assert lab.node("alice").status().node.container.exit_code == 1


def test_both_wait_for_each_other(lab, chat):
    lab.record("bob", syscalls=True)
    lab.node("bob").type("")
    sent = found(lambda: [one for one in calls(lab, "bob", "sendto", chat) if one.get("result") == 0], "an empty send")
    assert len(sent) == 1
    lab.node("bob").type("is anybody there?")
    carried = [
        arrow for arrow in lab.ladder("alice", "bob").arrows if arrow.at_ns >= chat and arrow.crossing.packet.payload
    ]
    assert carried == []


MUCH = 8_000_000  # bytes, more than the buffers of both ends


def test_send_sends_less_than_it_was_given(lab, chat):
    """alice reads nothing, so bob's send waits for room; whatever interrupts it then has it return with what it had."""
    lab.record("bob", syscalls=True)
    lab.node("alice").pause()
    try:
        lab.node("bob").type("0" * MUCH)
        until(
            lambda: any(one.send_queue > 100_000 for one in lab.sockets("bob") if one.state == "ESTAB"), "a full buffer"
        )
        lab.node("bob").pause()
        lab.node("bob").unpause()
        sent = found(
            lambda: [one.get("result") for one in calls(lab, "bob", "sendto", chat) if one.get("result")], "it"
        )
        assert len(sent) == 1
        assert 0 < sent[0] < MUCH
    finally:
        lab.node("alice").unpause()


TWO = """
import socket, sys
caller = socket.create_connection(("alice", 12345))
caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for word in ("one", "two", "three"):
    caller.send(word.encode())
print("said", flush=True)
sys.stdin.read()
"""
SILENT = """
import socket, sys
caller = socket.create_connection(("web", 8080))
print("there", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def caller(lab, node, program):
    """A program in a node, which has done its work when it prints a line, and stays until the block ends."""
    command = [LABCTL, "exec", "--lab", lab.name, node, "python3", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline()
            yield
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def test_two_messages_are_read_as_one(lab):
    """Both have come while alice thinks of her answer to the first one."""
    for name in ("bob", "alice"):
        lab.node(name).stop()
    begun = time.time_ns()
    lab.node("alice").start()
    lab.node("alice").wait("healthy")
    with caller(lab, "udp2", TWO):
        first = said(lab, "alice", "对方说", begun)
        if first.endswith("one"):
            until(
                lambda: any(one.receive_queue == 8 for one in lab.sockets("alice") if one.state == "ESTAB"), "8 bytes"
            )
            lab.node("alice").type("an answer")
            said(lab, "alice", "twothree", begun)
        else:  # more than one had come before her first recv
            assert "onetwo" in first


def test_who_says_nothing_keeps_the_hello_server_from_all_others(lab):
    assert lab.node("web").get("/", source="udp2").status == 200
    with caller(lab, "udp1", SILENT):
        with pytest.raises(LabError, match="web"):
            lab.node("web").get("/", source="udp2", timeout=1.0)
        until(lambda: listening(lab, "web", 8080).receive_queue > 0, "who waits to be accepted")
    assert lab.node("web").get("/", source="udp2", timeout=10.0).status == 200
