"""What labctl sends, told in one line each; compared with what Docker says of the addresses and with both journals."""

import json
import os
import re
import socket
import struct
from pathlib import Path

import pytest
from lacking import lacking
from outside import PATIENCE, begin_command, finish, json_lines, read_until

from labctl.engine.docker import DockerEngine
from labctl.lab.keyboard import send
from labctl.lab.model import find
from labctl.lab.roles import chat, echo, udp

pytestmark = pytest.mark.turn(2)

MS = r"-?\d+\.\d ms"


def line_of(text: str, pattern: str) -> re.Match:
    found = re.fullmatch(pattern + "\n", text)
    assert found, f"{text!r} is not {pattern}"
    return found


def test_chat_send_prints_exactly_one_line(lab):
    said = lab.ok("chat", "send", "alice", "hi")
    alice, bob = re.escape(lab.address("alice")), re.escape(lab.address("bob"))
    found = line_of(said.stdout, rf'alice -> bob  "hi"  {alice}:12345 -> {bob}:(\d+)  delivered in {MS}')
    assert said.stderr == ""
    assert lab.events("bob", "connect")[-1]["local"] == [lab.address("bob"), int(found[1])]


def test_chat_send_from_the_caller(lab):
    said = lab.ok("chat", "send", "bob", "hi yourself")
    alice, bob = re.escape(lab.address("alice")), re.escape(lab.address("bob"))
    line_of(said.stdout, rf'bob -> alice  "hi yourself"  {bob}:\d+ -> {alice}:12345  delivered in {MS}')


def test_chat_send_as_json_is_what_both_journals_hold(lab):
    with lab.journal("alice", "bob") as journal:
        told = lab.json("chat", "send", "alice", "matched by place")
        sent = journal.wait("alice", "send", id=told["id"])
        message = journal.wait("bob", "message", offset=told["offset"])
    assert told["schema_version"] == 1
    assert (told["from"], told["to"], told["text"]) == ("alice", "bob", "matched by place")
    assert (told["local"], told["peer"]) == (sent["local"], sent["peer"]) == (message["peer"], message["local"])
    assert told["bytes"] == sent["bytes"] == message["bytes"] == len("matched by place\n")
    assert (message["offset"], message["text"]) == (sent["offset"], "matched by place")
    assert told["delivered_ms"] == round((nanoseconds(message) - nanoseconds(sent)) / 1e6, 3)


def nanoseconds(event: dict) -> int:
    """Of a day: both events are of the same one, or of two that follow each other at midnight."""
    hours, minutes, seconds = event["ts"][11:29].split(":")
    return (int(hours) * 60 + int(minutes)) * 60 * 10**9 + int(seconds.replace(".", ""))


def test_chat_log_tells_who_said_what(lab):
    lab.ok("chat", "send", "alice", "one for the log")
    lab.ok("chat", "send", "bob", "and one back")
    shown = lab.ok("chat", "log").stdout.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\dZ  alice: one for the log", shown[-2])
    assert re.fullmatch(r"\d\d:\d\d:\d\dZ  bob: and one back", shown[-1])
    told = json_lines(lab.ok("chat", "log", "--json").stdout)
    assert [item["kind"] for item in told if item["kind"] == "open"], "it begins with a conversation"
    assert {key: told[-1][key] for key in ("from", "to", "text")} == {
        "from": "bob",
        "to": "alice",
        "text": "and one back",
    }
    assert [item["ts"] for item in told] == sorted(item["ts"] for item in told)


def test_byebye_ends_a_conversation_and_the_next_begins_by_itself(lab):
    with lab.journal("alice", "bob") as journal:
        lab.ok("chat", "send", "alice", "byebye")
        for node, by in (("alice", "local"), ("bob", "peer")):
            journal.wait(node, "session", state="ended", by=by, reason="byebye")
            journal.wait(node, "session", state="open")
    lab.ok("chat", "send", "bob", "there you are again")
    assert "it ends (alice, byebye)" in lab.ok("chat", "log").stdout


def test_echo_send_prints_the_answer(lab):
    said = lab.ok("echo", "send", "client", "echo this")
    client, echo = re.escape(lab.address("client")), re.escape(lab.address("echo"))
    ends = rf"{client}:\d+ -> {echo}:7"
    line_of(said.stdout, rf'client -> echo  "echo this"  {ends}  answered "echo this" in {MS}')
    told = lab.json("echo", "send", "client", "echo this")
    assert (told["answer"], told["to"]) == ("echo this", "echo")


def test_echo_client_talks_http(lab):
    """The tutorial's client asks the web server: each line of the response answers one that was typed."""
    with lab.journal("client", "web") as journal:
        first = lab.begin("echo", "send", "client", "GET / HTTP/1.0", "--to", "web:8080", "--timeout", "30", "--json")
        sent = journal.wait("client", "send", text="GET / HTTP/1.0\n")
        second = lab.json("echo", "send", "client", "", "--to", "web:8080", "--timeout", "30")
        told = json.loads(finish(first).stdout)
        journal.wait("web", "request", method="GET", target="/", peer=sent["local"])
        journal.wait("client", "close")
    assert told["answer"] == "HTTP/1.1 200 OK\r"
    assert re.fullmatch(r"[A-Z][\w-]*: .*\r", second["answer"]), "the second line is the first header"
    assert told["to"] == second["to"] == "web"
    assert told["peer"] == [lab.address("web"), 8080]


def test_echo_exit_closes_and_the_next_line_opens_a_new_connection(lab):
    before = lab.json("echo", "send", "client", "before")["local"]
    with lab.journal("client") as journal:
        assert lab.ok("echo", "send", "client", "exit").stdout == ""
        journal.wait("client", "close", local=before)
    assert lab.json("echo", "send", "client", "after")["local"] != before


def test_echo_send_where_nobody_listens(lab):
    message = lab.refused("echo", "send", "client", "hello", "--to", "udp1:81")
    assert message.startswith("client refused the line: connect: Connection refused (ECONNREFUSED)")


def test_udp_send(lab):
    said = lab.ok("udp", "send", "udp1", "udp2", "a datagram")
    one, two = re.escape(lab.address("udp1")), re.escape(lab.address("udp2"))
    line_of(said.stdout, rf'udp1 -> udp2  "a datagram"  {one}:5005 -> {two}:5005  delivered in {MS}')
    arrived = lab.events("udp2", "recv")[-1]
    assert (arrived["text"], arrived["peer"]) == ("a datagram", [lab.address("udp1"), 5005])


def test_udp_train_counts_every_datagram(lab):
    told = lab.json("udp", "send", "udp1", "udp2", "--count", "40", "--size", "200", "--rate", "400")
    assert {key: told[key] for key in ("sent", "received", "lost", "duplicated", "reordered")} == {
        "sent": 40,
        "received": 40,
        "lost": 0,
        "duplicated": 0,
        "reordered": 0,
    }
    assert 39 / 400 <= told["seconds"] < 5
    numbers = [event["seq"] for event in lab.events("udp2", "recv", bytes=200) if "train" in event]
    assert numbers[-40:] == list(range(40))
    one, two = re.escape(lab.address("udp1")), re.escape(lab.address("udp2"))
    counts = r"sent 3, received 3, lost 0, duplicated 0, reordered 0  in \S+ s"
    said = lab.ok("udp", "send", "udp2", "udp1", "--count", "3", "--rate", "0")
    line_of(said.stdout, rf"udp2 -> udp1  {two}:5005 -> {one}:5005  {counts}")


def test_send_types_at_any_node(lab):
    with lab.journal("client", "udp1") as journal:
        told = lab.json("send", "client", "typed")
        assert told["taken"] is True
        assert journal.wait("client", "input", id=told["id"])["text"] == "typed"
        told = lab.json("send", "udp1", "typed as well")
        assert journal.wait("udp1", "send", id=told["id"])["text"] == "typed as well"
    assert lab.ok("send", "udp1", "a line").stderr == 'udp1 took the line "a line"\n'


def test_http_get_from_here_and_from_a_node(lab):
    with lab.journal("web") as journal:
        here = lab.ok("http", "get", "web")
        host, port = lab.published("web", 8080)
        told = line_of(here.stderr, rf"GET http://{host}:{port}/  200 OK  (\S+) -> {host}:{port}  22 B in {MS}")
        assert told[1].startswith("127.0.0.1:")
        journal.wait("web", "request")
        there = lab.json("http", "get", "web", "/", "--from", "udp1")
        request = journal.wait("web", "request", count=2)
    assert here.stdout == "Hello World, Michael!\n"
    assert (there["status"], there["body"]) == (200, "Hello World, Michael!\n")
    assert (there["local"], there["peer"]) == (request["peer"], request["local"])
    assert there["local"][0] == lab.address("udp1")


def test_http_get_of_what_is_not_there(lab):
    missing = lab.run("http", "get", "web", "/nowhere")
    assert (missing.returncode, missing.stdout) == (1, "404 Not Found\n")
    assert "404 Not Found" in missing.stderr
    assert "publishes no port" in lab.refused("http", "get", "echo")
    assert "only http://" in lab.refused("http", "get", "web", "https://web/")
    assert "Connection refused" in lab.refused("http", "get", "web", "http://web:81/", "--from", "udp1")


def test_exec_passes_streams_and_exit_status(lab):
    run = lab.run("exec", "alice", "--", "sh", "-c", "cat; echo on stderr >&2; exit 7", input="on stdin\n")
    assert run == (7, "on stdin\n", "on stderr\n")
    assert lab.run("exec", "bob", "--", "hostname") == (0, "bob\n", "")
    assert lab.run("exec", "bob", "--", "sh", "-c", "kill -9 $$").returncode == 128 + 9
    # Docker's client has said 126 of a command that isn't there, and says 127 now.
    assert lab.run("exec", "bob", "--", "no-such-command").returncode in (126, 127)


def test_attach_at_a_terminal(lab):
    with lab.journal("bob") as journal, lab.terminal("attach", "alice") as terminal:
        terminal.wait("at alice's keyboard")
        terminal.type("typed at a terminal\n")
        journal.wait("bob", "message", text="typed at a terminal")
        terminal.wait("typed at a terminal", within=PATIENCE)
        lab.ok("chat", "send", "bob", "and shown there")
        terminal.wait("and shown there")
        terminal.type("\x04")
        assert terminal.end() == 0
        assert "Traceback" not in terminal.shown
    assert lab.json("ps")["nodes"][0]["state"] == "ready", "the node goes on"


def test_attach_ends_at_control_c(lab):
    with lab.terminal("attach", "udp1") as terminal:
        terminal.wait("at udp1's keyboard")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.shown
    assert lab.container("udp1").status == "running"


def test_attach_through_a_pipe(lab):
    with lab.journal("bob") as journal:
        said = lab.ok("attach", "alice", input="first line\nsecond line, without a newline at its end")
        texts = [journal.wait("bob", "message", count=number)["text"] for number in (1, 2)]
    assert texts == ["first line", "second line, without a newline at its end"]
    sends = [line for line in said.stdout.splitlines() if " send " in line]
    assert len(sends) == 2, said.stdout
    assert said.stderr == ""


def test_docker_attach_by_a_person(lab):
    """Without labctl: the container's own keyboard."""
    with lab.journal("alice", "bob") as journal:
        person = begin_command(["docker", "attach", "--sig-proxy=false", lab.container("alice").id])
        person.stdin.write(b"by hand\n")
        person.stdin.flush()
        journal.wait("bob", "message", text="by hand")
        read_until(person.stdout, b'"event":"send"')
        # The person's end of input is not the keyboard's.
        person.stdin.close()
        lab.ok("chat", "send", "alice", "still at the keyboard")
        journal.wait("bob", "message", text="still at the keyboard")
        person.kill()
        person.wait(10)


@pytest.mark.alone
def test_typed_lines_leave_nothing_open_in_the_engine(lab):
    """Each of them attaches to one or two containers; dockerd must not keep what labctl has let go of."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("/var/run/docker.sock")
        pid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    there = Path(f"/proc/{pid}/fd")
    if not os.access(there, os.R_OK):
        lacking("the engine is another user's or another machine's: its descriptors can't be counted")
    engine = DockerEngine()
    found = find(engine, lab.name)

    def type_all() -> None:
        chat.send(engine, found, "alice", "hi", timeout=20)
        echo.send(engine, found, "client", "hi", timeout=20)
        udp.send(engine, found, "udp1", "udp2", "hi", timeout=20)
        send.send(engine, found, "client", "hi", timeout=20)

    type_all()
    before = len(list(there.iterdir()))
    for _ in range(15):
        type_all()
    # The engine has more to do than this: its descriptors come and go by a few, and not by each line.
    assert len(list(there.iterdir())) - before < 10
