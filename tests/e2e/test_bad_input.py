"""Many at once, nodes that die in the middle, partners that aren't there: nothing is lost, mixed or told wrong."""

import http.client
import json
import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from outside import PATIENCE, end_group, finish, read_until

pytestmark = pytest.mark.turn(3)

LONG = 60_000  # characters: over 32 KiB, which is what the engine forwards at once


def deliver(lab, node: str, texts: list[str]) -> list[str]:
    """One after the other; the JSON of each."""
    return [lab.json("chat", "send", node, "-", "--timeout", "60", input=text, timeout=120) for text in texts]


@pytest.mark.turn(1)
def test_200_sends_from_8_processes(lab):
    """Each is delivered exactly once, none is mixed with another: told by bob's journal."""
    texts = [[f"process {who} line {number}" for number in range(25)] for who in range(8)]
    for lines in texts:
        lines[7] += " and long " + lines[7][8] * LONG
    with lab.journal("bob") as journal:
        with ThreadPoolExecutor(8) as pool:
            told = [item for items in pool.map(lambda lines: deliver(lab, "alice", lines), texts) for item in items]
        journal.wait("bob", "message", count=200)
        messages = journal.events("bob", "message")
    assert Counter(message["text"] for message in messages) == Counter(text for lines in texts for text in lines)
    assert len({item["id"] for item in told}) == 200
    # Each process was told of its own line: the place in the stream that bob saw it at.
    places = {message["offset"]: message["text"] for message in messages}
    assert all(places[item["offset"]] == item["text"] for item in told)
    for lines in texts:
        assert [text for text in (message["text"] for message in messages) if text in lines] == lines


def test_both_ends_and_other_tools_at_once(lab):
    """Both keyboards of one conversation, `send` beside `chat send`, and a person who types half a line meanwhile."""
    lines = {"alice": [f"from alice {n}" for n in range(12)], "bob": [f"from bob {n}" for n in range(12)]}
    with lab.journal("alice", "bob") as journal, lab.terminal("attach", "alice") as person:
        person.wait("at alice's keyboard")
        person.type("half a li")
        with ThreadPoolExecutor(3) as pool:
            sends = [pool.submit(deliver, lab, node, texts) for node, texts in lines.items()]
            sends.append(pool.submit(lambda: [lab.ok("send", "alice", f"plain {n}") for n in range(6)]))
            for send in sends:
                send.result()
        person.type("ne\n")
        journal.wait("bob", "message", text="half a line")
        to_bob = [event["text"] for event in journal.events("bob", "message")]
        to_alice = [event["text"] for event in journal.events("alice", "message")]
    assert to_alice == lines["bob"]
    assert [text for text in to_bob if text.startswith("from")] == lines["alice"]
    assert Counter(to_bob) == Counter([*lines["alice"], *(f"plain {n}" for n in range(6)), "half a line"])


def test_person_at_the_containers_own_keyboard_meanwhile(lab):
    """Half a line that was typed without labctl stays whole: labctl's line comes out of its middle."""
    person = lab.container("alice").attach_socket(params={"stdin": 1, "stream": 1})
    raw = getattr(person, "_sock", person)
    with lab.journal("alice", "bob") as journal:
        raw.sendall(b"a person types ")
        said = [lab.json("chat", "send", "alice", f"{n} " + "x" * LONG) for n in range(3)]
        raw.sendall(b"slowly\n")
        journal.wait("bob", "message", text="a person types slowly")
        texts = [event["text"] for event in journal.events("bob", "message")]
    raw.close()
    assert texts == [*(item["text"] for item in said), "a person types slowly"]


def test_kill_in_a_conversation(fragile):
    """The line that was typed meanwhile waits, and is said once the partner is there again."""
    with fragile.journal("alice") as journal:
        fragile.container("bob").kill()
        journal.wait("alice", "session", state="ended")
        said = fragile.refused("chat", "send", "alice", "are you there?", "--timeout", "2")
        assert re.fullmatch(
            r"bob exited \(137\) .+ ago; alice has no partner: nobody is there to talk to, and 2 s have passed", said
        )
        fragile.ok("start", "bob")
        journal.wait("alice", "session", state="open")
        sent = journal.wait("alice", "send", text="are you there?")
    told = fragile.json("chat", "send", "alice", "there you are", "--timeout", str(PATIENCE))
    assert told["peer"] == sent["peer"]
    assert told["offset"] == sent["bytes"], "what waited was said first"
    texts = [event["text"] for event in fragile.events("bob", "message")]
    assert texts[-2:] == ["are you there?", "there you are"]


def test_restart_of_the_listener_while_the_caller_talks(fragile):
    """What labctl calls delivered was delivered once; what it could not confirm, once at most."""
    stop = threading.Event()
    told: dict[str, int] = {}

    def talk():
        number = 0
        while not stop.is_set():
            number += 1
            text = f"on and on {number}"
            told[text] = fragile.run("chat", "send", "bob", text, "--timeout", "3").returncode

    with ThreadPoolExecutor(1) as pool, fragile.journal("bob") as journal:
        talking = pool.submit(talk)
        journal.wait("bob", "send", count=5)
        fragile.ok("restart", "alice")
        journal.wait("bob", "session", state="open")
        journal.wait("bob", "send", count=len(journal.events("bob", "send")) + 5)
        stop.set()
        talking.result()
    fragile.ok("chat", "send", "bob", "the end", "--timeout", str(PATIENCE))
    heard = Counter(event["text"] for event in fragile.events("alice", "message"))
    assert list(told.values())[:4] == [0, 0, 0, 0]
    assert list(told.values())[-4:] == [0, 0, 0, 0]
    assert {text: heard[text] for text, status in told.items() if status == 0 and heard[text] != 1} == {}
    assert {text: heard[text] for text in told if heard[text] > 1} == {}


def test_partner_is_stopped(fragile):
    with fragile.journal("alice") as journal:
        fragile.ok("stop", "bob")
        journal.wait("alice", "session", state="ended")
    got = fragile.run("chat", "send", "alice", "hello?", "--timeout", "2")
    assert got.returncode == 1
    message, hint = got.stderr.splitlines()
    assert re.fullmatch(
        r"labctl: bob exited \(0\) .+ ago; alice has no partner: nobody is there to talk to, and 2 s have passed",
        message,
    )
    assert hint == (
        "  `labctl logs bob` shows its last lines; `labctl start bob`; the line waits at alice and is sent when it can "
        "be; `labctl chat log` shows the conversation"
    )


def test_partner_is_paused(fragile):
    """His kernel took the line, but he did not: that is not delivered. He gets it when he goes on."""
    with fragile.journal("bob") as journal:
        fragile.ok("pause", "bob")
        got = fragile.run("chat", "send", "alice", "wake up", "--timeout", "2")
        assert (got.returncode, got.stdout) == (1, "")
        assert got.stderr.startswith("labctl: sent, not confirmed: ")
        assert journal.events("bob", "message") == []
        fragile.ok("unpause", "bob")
        journal.wait("bob", "message", text="wake up")


def test_sender_is_not_running(fragile):
    logs = "`labctl logs alice` shows its last lines; "
    for verb, state, mend in (
        ("stop", r"exited \(0\) .+ ago", f"{logs}`labctl start alice`"),
        ("start", None, None),
        ("pause", "is paused", "`labctl unpause alice`"),
    ):
        fragile.ok(verb, "alice")
        if state:
            got = fragile.run("chat", "send", "alice", "x")
            assert got.returncode == 1
            said = f"labctl: alice {state}, so nothing can be typed at it\n  {mend}\n"
            assert re.fullmatch(said, got.stderr)


def test_partner_is_no_node_of_the_lab(fragile, clients):
    """Somebody else's client talks with alice: she sends, and nobody's journal can show that it arrived."""
    fragile.ok("stop", "bob")
    with fragile.journal("alice") as journal:
        stranger = clients.begin("ncat", "alice", "12345")
        journal.wait("alice", "session", state="open")
        got = fragile.run("chat", "send", "alice", "hello, stranger")
        assert (got.returncode, got.stdout) == (1, "")
        assert got.stderr.startswith(f"labctl: sent, not confirmed: alice talks to {clients.address}, which is no ")
        assert read_until(stranger.stdout, b"\n") == b"hello, stranger\n"
        stranger.stdin.write("grüß dich\n".encode())
        stranger.stdin.flush()
        journal.wait("alice", "message", text="grüß dich")
        stranger.stdin.close()
        journal.wait("alice", "session", state="ended")
        stranger.wait(10)
    assert f"{clients.address}: grüß dich" in fragile.ok("chat", "log").stdout


def test_node_dies_while_labctl_waits_for_it(fragile):
    with fragile.journal("alice") as journal:
        fragile.ok("pause", "bob")
        waiting = fragile.begin("chat", "send", "alice", "a line without an end", "--timeout", "60")
        journal.wait("alice", "send", text="a line without an end")
        fragile.container("alice").kill()
        got = finish(waiting, PATIENCE)
    assert got.returncode == 1
    assert got.stderr.startswith("labctl: alice stopped while labctl waited for it\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_send_is_interrupted(fragile, number, status):
    """The keyboard is free again for the next one."""
    with fragile.journal("alice") as journal:
        fragile.ok("pause", "bob")
        waiting = fragile.begin("chat", "send", "alice", "never mind", "--timeout", "60")
        journal.wait("alice", "send", text="never mind")
        end_group(waiting, number)
        got = finish(waiting, PATIENCE)
        assert (got.returncode, got.stdout) == (status, "")
        assert got.stderr == "labctl: it was typed at alice: the line may have gone out, or may still\n"
        fragile.ok("unpause", "bob")
    fragile.ok("chat", "send", "alice", "next")


OPEN = """
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
idle = [socket.create_connection(("web", 8080), timeout=20) for _ in range(2000)]
print("open", flush=True)
sys.stdin.read()
print(sum(sock.send(b"GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n") > 0 for sock in idle[:50]), flush=True)
print(sum(sock.recv(4096).startswith(b"HTTP/1.1 200 ") for sock in idle[:50]), flush=True)
"""


@pytest.mark.alone
def test_2000_idle_connections_hold_nobody_up(lab, clients):
    idle = clients.begin("python3", "-c", OPEN)
    read_until(idle.stdout, b"open\n", within=60)
    took = clients.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", "http://web:8080/")
    status, seconds = took.stdout.split()
    assert status == "200"
    assert float(seconds) < 1
    host, port = lab.published("web", 8080)
    begun = time.monotonic()
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"Hello World, Michael!\n"
    connection.close()
    assert time.monotonic() - begun < 1
    # The idle ones were not thrown out for it.
    got = finish(idle)
    assert got.stdout.split() == ["50", "50"], got
    assert lab.container("web").attrs["State"]["OOMKilled"] is False


def test_node_without_a_keyboard(spare, tmp_path):
    lab = spare("mute")
    file = tmp_path / "compose.yaml"
    service = {"image": "labctl/echo-client", "hostname": "mute", "stdin_open": False}
    file.write_text(json.dumps({"services": {"mute": service}}))
    lab.ok("up", str(file), "--lab", lab.name)
    for command in (["send", "mute", "x"], ["attach", "mute"], ["echo", "send", "mute", "x"]):
        got = lab.run(*command, input="" if command[0] == "attach" else None)
        assert got.returncode == 1
        assert got.stderr.startswith("labctl: mute has no keyboard: its container was started without stdin_open\n")
        assert "`labctl exec mute -- COMMAND`" in got.stderr
    assert lab.ok("exec", "mute", "--", "hostname").stdout == "mute\n"


def test_somebodys_own_image_is_a_node(spare, tmp_path, debian):
    """No role, no journal: it is typed at as a person would, and nothing is claimed about what it did with it."""
    lab = spare("own")
    file = tmp_path / "compose.yaml"
    own = {
        "image": debian,
        "stdin_open": True,
        "init": True,
        "command": ["sh", "-c", 'echo up; while read l; do echo "got $$l"; done'],
    }
    file.write_text(json.dumps({"services": {"own": own}}))
    lab.ok("up", str(file), "--lab", lab.name)
    node = lab.json("ps")["nodes"][0]
    assert (node["node"], node["role"], node["state"]) == ("own", None, "running")
    following = lab.begin("logs", "-f")
    read_until(following.stdout, b"own  log       up\n")
    said = lab.ok("send", "own", "hello, you")
    assert said.stderr == 'typed at own, which keeps no journal to confirm it "hello, you"\n'
    assert re.search(rb"own +log +got hello, you", read_until(following.stdout, b"got hello, you\n"))
    end_group(following, signal.SIGINT)
    finish(following, PATIENCE)
