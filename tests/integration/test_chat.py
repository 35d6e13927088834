"""The chat between real containers: alone with a raw socket, and as a pair."""

import base64
import contextlib
import datetime
import itertools
import json
import socket
import time

import pytest
from lacking import lacking

pytestmark = pytest.mark.turn(2)

LIMIT = 65_536
BUSY = b"Somebody else is talking to me. Please call again later.\n"
PEER_GONE = 13  # seconds, by which a vanished partner is given up; keepalive takes 11


# ---------------------------------------------------------------- alice alone


@pytest.fixture(scope="module")
def alice(module_lab):
    return module_lab.node("chat-server", "alice", publish=("12345/tcp",))


calls = []  # those of the test that runs


def clock(event: dict) -> float:
    """When it happened, in seconds since the epoch."""
    return datetime.datetime.fromisoformat(event["ts"][:26] + "+00:00").timestamp()


class Caller:
    """A raw socket that calls alice over her published port, and where her journal was then."""

    def __init__(self, alice, *, expect="session"):
        self.alice, self.since = alice, alice.mark()
        self.sock = socket.create_connection(alice.port(12345), timeout=20)
        calls.append(self.sock)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened = {"state": "open"} if expect == "session" else {}
        self.ends = {key: alice.wait(expect, self.since, **opened)[key] for key in ("local", "peer")}
        self._unread = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def wait(self, event: str, count: int = 1, **fields) -> dict:
        return self.alice.wait(event, self.since, count, **fields)

    def line(self) -> bytes:
        while b"\n" not in self._unread:
            data = self.sock.recv(65_536)
            assert data, f"the connection ended behind {self._unread!r}"
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def rest(self) -> bytes:
        """All that comes until the other side closes its direction."""
        while data := self.sock.recv(65_536):
            self._unread += data
        rest, self._unread = self._unread, b""
        return rest

    def hang_up(self) -> None:
        self.sock.close()
        self.wait("session", state="ended")


@pytest.fixture(autouse=True)
def no_call_outlives_its_test():
    yield
    while calls:
        calls.pop().close()


@pytest.fixture
def caller(alice):
    calling = Caller(alice)
    yield calling
    calling.hang_up()
    assert not alice.stray, "a traceback stands in the journal"


def test_the_order_of_the_calls_that_make_a_server(alice):
    names = [e["event"] for e in alice.journal[:5]]
    assert names == ["bind", "listen", "bind", "listen", "ready"]
    assert alice.events("ready")[0]["listening"] == [["tcp", "0.0.0.0", 12345], ["tcp", "::", 12345]]


def test_a_line_each_way(caller):
    caller.send("Grüße 👋\n".encode())
    heard = caller.wait("message")
    assert (heard["text"], heard["offset"], heard["bytes"]) == ("Grüße 👋", 0, 13)
    caller.alice.type("hello")
    assert caller.line() == b"hello"
    said = caller.wait("send")
    assert (said["text"], said["offset"], said["bytes"]) == ("hello", 0, 6)
    assert said.get("id") is None
    assert said["local"] == heard["local"] == caller.ends["local"]
    assert said["peer"] == heard["peer"] == caller.ends["peer"]


@pytest.mark.parametrize(
    "text", ["", " ", "byebye ", " byebye", "BYEBYE", '{"text":"byebye"}', "a\rb", "x\r", "😀" * 50]
)
def test_ordinary_text_both_ways(caller, text):
    caller.alice.envelope(text, id="t-1")
    assert caller.line() == text.encode()
    said = caller.wait("send")
    assert (said["text"], said["id"], said["bytes"]) == (text, "t-1", len(text.encode()) + 1)
    caller.send(text.encode() + b"\n")
    assert caller.wait("message")["text"] == text


def test_segments_of_one_byte(caller):
    for byte in "Ärger €\n".encode():
        caller.send(bytes([byte]))
    assert caller.wait("message")["text"] == "Ärger €"


def test_a_character_split_over_two_segments(caller):
    whole = "€\n".encode()
    caller.send(whole[:1])
    caller.wait("recv", offset=0)
    caller.send(whole[1:])
    assert caller.wait("message")["text"] == "€"
    assert [e["bytes"] for e in caller.alice.events("recv", caller.since)] == [1, 3]


def test_recv_events_are_calls_and_hold_no_text(caller):
    caller.send(b"one\ntwo\nthr")
    caller.wait("message", text="two")
    caller.send(b"ee\n")
    caller.wait("message", text="three")
    received = caller.alice.events("recv", caller.since)
    assert not any("text" in e or "data" in e for e in received)
    assert [e["offset"] for e in caller.alice.events("message", caller.since)] == [0, 4, 8]


def test_invalid_bytes_are_an_event_and_the_conversation_goes_on(caller):
    caller.send(b"\xff\xfe\x00\nstill here\n")
    bad = caller.wait("error", error="EILSEQ")
    assert base64.b64decode(bad["data"]) == b"\xff\xfe\x00"
    assert (bad["offset"], bad["bytes"]) == (0, 4)
    assert caller.wait("message", text="still here")["offset"] == 4


def test_noise(caller):
    noise = bytes(range(256)) * 300
    caller.send(noise + b"\nafter\n")
    heard = caller.wait("message", text="after")
    assert heard["offset"] == len(noise) + 1
    ends = [caller.alice.events(name, caller.since) for name in ("message", "error")]
    pieces = sorted((e["offset"], e["bytes"]) for e in itertools.chain(*ends))
    assert [offset for offset, _ in pieces] == list(itertools.accumulate((size for _, size in pieces), initial=0))[:-1]


def test_the_longest_message_arrives_and_a_longer_one_is_refused(caller):
    caller.send(b"a" * LIMIT + b"\n" + b"b" * (LIMIT + 1) + b"\nc\n")
    assert caller.wait("message", bytes=LIMIT + 1)["text"] == "a" * LIMIT
    refused = caller.wait("error", error="EMSGSIZE")
    assert (refused["offset"], refused["bytes"]) == (LIMIT + 1, LIMIT + 2)
    assert caller.wait("message", text="c")["offset"] == 2 * LIMIT + 3
    assert len(caller.alice.events("error", caller.since)) == 1


def test_ten_megabytes_without_a_newline_are_counted_and_not_kept(caller):
    before = caller.alice.memory()
    caller.send(b"x" * 10_000_000)
    caller.wait("recv", offset=0)
    caller.send(b"\nback again\n")
    assert caller.wait("error", error="EMSGSIZE")["bytes"] == 10_000_001
    assert caller.wait("message", text="back again")["offset"] == 10_000_001
    assert caller.alice.memory() - before < 4 * 1024 * 1024


def test_a_long_message_without_an_end_is_told_when_the_connection_ends(alice):
    caller = Caller(alice)
    caller.send(b"y" * 200_000)
    caller.hang_up()
    assert caller.wait("error", error="EMSGSIZE")["bytes"] == 200_000
    assert alice.events("error", caller.since, error="EBADMSG") == []


def test_bytes_without_a_newline_at_the_end(alice):
    caller = Caller(alice)
    caller.send(b"ganz\nhalb\0")
    caller.hang_up()
    incomplete = caller.wait("error", error="EBADMSG")
    assert (incomplete["offset"], incomplete["bytes"], incomplete["text"]) == (5, 5, "halb\0")
    ended = caller.wait("session", state="ended")
    assert (ended["by"], ended["reason"]) == ("peer", "closed")


def test_what_is_typed_too_long_is_neither_sent_nor_cut(caller):
    caller.alice.envelope("€" * 21_846, id="long")
    refused = caller.wait("error", id="long")
    assert (refused["error"], refused["bytes"]) == ("EMSGSIZE", 65_539)
    caller.alice.envelope("x" * LIMIT, id="longest")
    assert caller.line() == b"x" * LIMIT
    assert caller.wait("send", id="longest")["offset"] == 0


def test_a_line_for_somebody_else_is_refused(caller):
    caller.alice.envelope("psst", id="e", to="carol:12345")
    assert caller.wait("error", id="e")["error"] == "EISCONN"


def test_a_second_caller_is_told_so_and_the_first_is_not_disturbed(caller):
    second = Caller(caller.alice, expect="refuse")
    second.send(b"what I say now is heard by nobody\n")
    assert second.rest() == BUSY
    second.sock.close()
    closed = second.wait("close", peer=tuple(second.ends["peer"]))
    assert (closed["received"], closed["sent"]) == (34, len(BUSY))
    caller.send(b"I am still here\n")
    assert caller.wait("message")["text"] == "I am still here"
    assert len(caller.alice.events("message", caller.since)) == 1


def test_many_callers_at_once_are_all_refused(caller):
    address = caller.alice.port(12345)
    others = [socket.create_connection(address, timeout=20) for _ in range(40)]
    caller.wait("refuse", count=40)
    for other in others:
        other.close()
    caller.wait("close", count=40)
    caller.send(b"all gone\n")
    caller.wait("message", text="all gone")


def test_byebye_from_the_caller(alice):
    caller = Caller(alice)
    caller.send(b"one\nbyebye\n")
    assert caller.rest() == b""
    caller.hang_up()
    assert caller.wait("session", state="ended")["by"] == "peer"
    assert [e["event"] for e in alice.journal[caller.since :] if e["event"] != "recv"] == [
        "accept", "session", "message", "message", "shutdown", "close", "session",
    ]  # fmt: skip
    Caller(alice).hang_up()


def test_byebye_with_a_carriage_return(alice):
    caller = Caller(alice)
    caller.send(b"byebye\r\n")
    assert caller.rest() == b""
    caller.hang_up()
    assert caller.wait("session", state="ended")["reason"] == "byebye"


def test_byebye_from_alice_and_lines_that_cross_it(alice):
    caller = Caller(alice)
    alice.envelope("the last word", id="1")
    alice.envelope("byebye", id="2")
    caller.wait("shutdown")
    caller.send(b"wait, one more\n")
    caller.wait("message", text="wait, one more")
    assert caller.rest() == b"the last word\nbyebye\n"
    alice.envelope("for the next one", id="3")
    assert "ending" in caller.wait("queued", id="3")["reason"]
    caller.sock.close()
    ended = caller.wait("session", state="ended")
    assert (ended["by"], ended["reason"]) == ("local", "byebye")
    assert not [e for e in alice.events("close", caller.since) if "unsent" in e]
    following = Caller(alice)
    assert following.line() == b"for the next one"
    following.hang_up()


def test_byebye_from_both_at_once(alice):
    caller = Caller(alice)
    alice.type("byebye")
    caller.wait("shutdown")
    caller.send(b"byebye\n")
    assert caller.rest() == b"byebye\n"
    caller.sock.close()
    ended = caller.wait("session", state="ended")
    assert (ended["by"], ended["reason"]) == ("local", "byebye")


def test_what_is_said_after_byebye_is_counted(alice):
    caller = Caller(alice)
    caller.send(b"byebye\nand another thing\n")
    caller.hang_up()
    late = caller.wait("error", error="EPROTO")
    assert (late["offset"], late["bytes"]) == (7, 18)


def test_a_partner_who_does_not_hang_up_is_hung_up_on(alice):
    caller = Caller(alice)
    alice.type("byebye")
    assert caller.rest() == b"byebye\n"
    ended = caller.wait("session", state="ended")
    assert (ended["by"], ended["reason"]) == ("local", "byebye")
    assert caller.wait("error", error="ETIMEDOUT")["call"] == "close"
    caller.sock.close()


def test_lines_wait_for_a_caller_within_limits(alice):
    since = alice.mark()
    for n in range(101):
        alice.envelope(f"line {n}", id=f"q{n}")
    assert alice.wait("queued", since, id="q99")["waiting"] == 100
    assert alice.wait("error", since, id="q100")["error"] == "ENOBUFS"
    caller = Caller(alice)
    assert [caller.line() for _ in range(100)] == [b"line %d" % n for n in range(100)]
    alice.wait("send", since, count=100)
    assert [e["id"] for e in alice.events("send", since)] == [f"q{n}" for n in range(100)]
    caller.hang_up()


def test_at_most_a_mebibyte_waits(alice):
    since = alice.mark()
    for n in range(17):
        alice.envelope("x" * (LIMIT - 1), id=f"m{n}")
    assert alice.wait("error", since, id="m16")["error"] == "ENOBUFS"
    assert len(alice.events("queued", since)) == 16
    caller = Caller(alice)
    assert [len(caller.line()) for _ in range(16)] == [LIMIT - 1] * 16
    caller.hang_up()


def test_byebye_with_nobody_there(alice):
    since = alice.mark()
    alice.envelope("byebye", id="lonely")
    assert alice.wait("error", since, id="lonely")["error"] == "ENOTCONN"


def test_a_caller_who_only_half_closes_gets_all_and_is_closed(alice):
    caller = Caller(alice)
    alice.type("one")
    assert caller.line() == b"one"
    caller.send(b"two\n")
    caller.sock.shutdown(socket.SHUT_WR)
    assert caller.rest() == b""
    ended = caller.wait("session", state="ended")
    assert (ended["by"], ended["reason"]) == ("peer", "closed")
    caller.wait("message", text="two")
    caller.sock.close()


# A reset must reach alice as one: the engine's proxy for a published port would make an orderly end of it.
RESET = """
import socket, struct, sys
sock = socket.create_connection(("alice", 12345), 10)
sock.sendall(sys.argv[1].encode())
sys.stdin.buffer.readline()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.close()
"""


def test_a_reset_in_the_middle_of_a_message(lab):
    network = lab.network()
    alice = lab.node("chat-server", "alice", network=network)
    command = ["python3", "-c", RESET, "whole\nhal"]
    rude = lab.node("chat-client", "rude", network=network, command=command, ready=False)
    alice.wait("message", text="whole")
    rude.write(b"now\n")
    assert alice.wait("error", call="recv")["error"] == "ECONNRESET"
    assert alice.wait("error", error="EBADMSG")["bytes"] == 3
    ended = alice.wait("session", state="ended")
    assert (ended["by"], ended["reason"]) == ("peer", "reset")
    assert [e["event"] for e in alice.journal[-4:]] == ["error", "close", "error", "session"]
    bob = lab.node("chat-client", "bob", network=network)
    bob.wait("session", state="open")


def test_sigterm_ends_an_open_conversation_in_order(lab):
    alice = lab.node("chat-server", "alice", publish=("12345/tcp",))
    caller = Caller(alice)
    caller.sock.settimeout(10)
    code, _ = alice.stop()
    assert code == 0
    ended = alice.wait("session", state="ended")
    assert (ended["by"], ended["reason"]) == ("local", "closed")
    assert len(alice.events("close")) == 3
    assert alice.journal[-1]["event"] == "exit"
    # Though this caller does not hang up.
    assert clock(alice.wait("exit")) - clock(alice.wait("close")) < 1
    assert caller.rest() == b""
    caller.sock.close()


def test_sigterm_tells_of_lines_that_were_never_sent(lab):
    alice = lab.node("chat-server", "alice")
    alice.envelope("for nobody", id="n")
    alice.wait("queued", id="n")
    code, _ = alice.stop()
    assert code == 0
    lost = alice.wait("error", id="n")
    assert (lost["error"], lost["text"]) == ("ECANCELED", "for nobody")


def test_another_port(lab):
    alice = lab.node("chat-server", "alice", env={"PORT": "4242"})
    assert alice.wait("ready")["listening"][0] == ["tcp", "0.0.0.0", 4242]


@pytest.mark.parametrize(
    ("target", "env"),
    [
        ("chat-server", {"CHAT_MODE": "loud"}),
        ("chat-client", {"TARGET": "alice"}),
        ("chat-client", {"TARGET": "alice:x"}),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(lab, target, env):
    node = lab.node(target, "node", env=env, ready=False)
    assert node.wait("error")["error"] == "EINVAL"
    assert node.docker.wait(timeout=10)["StatusCode"] == 1


# ---------------------------------------------------------------- a pair


def pair(lab, *, ipv6=False, **env):
    network = lab.network(ipv6)
    alice = lab.node("chat-server", "alice", network=network, env=env)
    bob = lab.node("chat-client", "bob", network=network, env=env)
    for node in alice, bob:
        node.wait("session", state="open")
    return alice, bob


def assert_matched(sender, receiver, count):
    """Each `send` of one is one `message` of the other: by the two ends, the offset, the bytes and the text."""
    sender.wait("send", count=count)
    receiver.wait("message", count=count)
    sent = [(e["local"], e["peer"], e["offset"], e["bytes"], e["text"]) for e in sender.events("send")]
    heard = [(e["peer"], e["local"], e["offset"], e["bytes"], e["text"]) for e in receiver.events("message")]
    assert sent == heard
    assert len(sent) == count


def test_a_conversation_and_the_next_one(lab):
    alice, bob = pair(lab)
    alice.type("hi bob")
    bob.wait("message", text="hi bob")
    bob.envelope("hi alice", id="b1")
    alice.wait("message", text="hi alice")
    bob.envelope("byebye", id="b2")
    for node, by in (alice, "peer"), (bob, "local"):
        ended = node.wait("session", state="ended")
        assert (ended["by"], ended["reason"]) == (by, "byebye")
    for node in alice, bob:
        node.wait("session", state="open", count=2)
    assert bob.events("retry") == []
    alice.type("again")
    bob.wait("message", text="again")
    alice.type("byebye")
    for node in alice, bob:
        node.wait("session", state="open", count=3)
    assert [e["by"] for e in alice.events("session", state="ended")] == ["peer", "local"]
    assert alice.events("refuse") == bob.events("retry") == []
    assert_matched(alice, bob, 3)
    assert_matched(bob, alice, 2)


def test_twenty_conversations_one_after_another(lab):
    alice, bob = pair(lab)
    for n in range(1, 21):
        node = bob if n % 2 else alice
        node.type(f"number {n}", "byebye")
        for each in alice, bob:
            each.wait("session", state="open", count=n + 1)
    assert alice.events("refuse") == bob.events("retry") == []
    assert alice.events("error") == bob.events("error") == []
    assert_matched(alice, bob, 20)
    assert_matched(bob, alice, 20)


def test_byebye_from_both_keyboards(lab):
    alice, bob = pair(lab)
    for n in range(1, 11):
        alice.type(f"a{n}", "byebye")
        bob.type(f"b{n}", "byebye")
        for node in alice, bob:
            node.wait("session", state="ended", count=n)
            node.wait("session", state="open", count=n + 1)
        # Whoever hears the other's farewell first has nobody to say his own to: typed too late, it is refused.
    for node in alice, bob:
        assert all(e["reason"] == "byebye" for e in node.events("session", state="ended"))
        assert all(e["error"] == "ENOTCONN" for e in node.events("error"))
        assert not [e for e in node.events("close") if "unsent" in e]


def test_over_ipv6(lab):
    if not socket.has_ipv6:
        lacking("this Python has no IPv6")
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        lacking("this kernel has no IPv6: start one that has")
    alice, bob = pair(lab, ipv6=True)
    called = bob.wait("connect")
    assert ":" in called["peer"][0]
    assert called["peer"] == [alice.address(family=6), 12345]
    alice.type("six")
    bob.type("sechs")
    bob.wait("message", text="six")
    alice.wait("message", text="sechs")
    assert_matched(alice, bob, 1)
    assert_matched(bob, alice, 1)


def test_bob_is_ready_before_alice_and_what_he_says_waits(lab):
    network = lab.network()
    bob = lab.node("chat-client", "bob", network=network)
    assert bob.journal[0]["event"] == "ready"
    bob.envelope("first", id="1")
    bob.envelope("second", id="2")
    bob.wait("retry", attempt=4)
    assert [e["delay_s"] for e in bob.events("retry")][:4] == [0.1, 0.2, 0.4, 0.8]
    assert bob.wait("queued", id="2")["waiting"] == 2
    bob.envelope("byebye", id="3")
    assert bob.wait("error", id="3")["error"] == "ENOTCONN"
    alice = lab.node("chat-server", "alice", network=network)
    assert [alice.wait("message", count=n)["text"] for n in (1, 2)] == ["first", "second"]
    assert_matched(bob, alice, 2)
    assert [e["id"] for e in bob.events("send")] == ["1", "2"]


@pytest.mark.turn(3)
def test_the_delay_grows_to_two_seconds(lab):
    bob = lab.node("chat-client", "bob", network=lab.network(), env={"TARGET": "127.0.0.1:9"})
    bob.wait("retry", attempt=7)
    assert [e["delay_s"] for e in bob.events("retry")] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert {e["error"] for e in bob.events("retry")} == {"ECONNREFUSED"}


def test_a_third_person_waits_until_the_line_is_free(lab):
    network = lab.network()
    alice = lab.node("chat-server", "alice", network=network)
    bob = lab.node("chat-client", "bob", network=network)
    alice.wait("session", state="open")
    carol = lab.node("chat-client", "carol", network=network, env={"TARGET": "alice:12345"})
    carol.envelope("may I?", id="c")
    carol.wait("retry", error="EBUSY", count=2)
    assert carol.wait("session", state="ended")["reason"] == "refused"
    assert not alice.events("message")
    bob.stop()
    heard = alice.wait("message", text="may I?")
    assert heard["peer"][0] == carol.address()
    assert len(alice.events("message")) == 1


def test_alice_restarts_while_bob_talks(lab):
    alice, bob = pair(lab)
    bob.type("one")
    alice.wait("message", text="one")
    alice.restart()
    assert bob.wait("session", state="ended")["reason"] == "closed"
    bob.type("two")
    alice.wait("message", text="two")
    bob.wait("session", state="open", count=2)
    alice.type("three")
    bob.wait("message", text="three")
    assert len(alice.events("message")) == 2


def test_bob_is_killed_in_a_conversation(lab):
    network = lab.network()
    alice = lab.node("chat-server", "alice", network=network)
    bob = lab.node("chat-client", "bob", network=network)
    alice.wait("session", state="open")
    bob.docker.kill()
    ended = alice.wait("session", state="ended")
    # At once, and not by the silence that follows.
    assert (ended["by"], ended["reason"]) == ("peer", "closed")
    lab.node("chat-client", "bob", network=network)
    alice.wait("session", state="open", count=2)


@pytest.mark.turn(3)
@pytest.mark.parametrize("speaks", [False, True], ids=["silent", "while alice speaks"])
def test_bob_vanishes_with_his_network(lab, speaks):
    network = lab.network()
    alice = lab.node("chat-server", "alice", network=network)
    bob = lab.node("chat-client", "bob", network=network)
    alice.wait("session", state="open")
    network._unwrap_network.disconnect(bob.docker.id, force=True)
    gone = time.time()
    if speaks:
        alice.envelope("are you there?", id="q")
    ended = alice.wait("session", state="ended", within=30)
    assert clock(ended) - gone < PEER_GONE
    assert (ended["by"], ended["reason"]) == ("peer", "timeout")
    assert alice.wait("close").get("unacknowledged", 0) == (len("are you there?\n") if speaks else 0)


@pytest.mark.turn(3)
def test_a_paused_partner_is_not_a_dead_one(lab):
    alice, bob = pair(lab)
    bob.docker.pause()
    begun = time.monotonic()
    alice.envelope("wake up", id="w")
    alice.wait("send", id="w")
    # Longer than a vanished partner would be held, and nothing to wait for: that nothing happens is the point.
    with contextlib.suppress(AssertionError):
        alice.wait("session", state="ended", within=PEER_GONE)
    assert time.monotonic() - begun >= PEER_GONE
    bob.docker.unpause()
    bob.wait("message", text="wake up")
    assert alice.events("session", state="ended") == []


@pytest.mark.turn(3)
def test_a_thousand_lines_each_way_at_once(lab):
    alice, bob = pair(lab)
    for node in alice, bob:
        node.write(b"".join(envelope(f"{node.name} {n} " + "é" * (n % 97), f"{node.name}{n}") for n in range(1000)))
    for node in alice, bob:
        node.wait("message", count=1000, within=60)
    for sender, receiver in (alice, bob), (bob, alice):
        assert_matched(sender, receiver, 1000)
        assert [e["id"] for e in sender.events("send")] == [f"{sender.name}{n}" for n in range(1000)]


def envelope(text: str, ident: str) -> bytes:
    return b"\x1e" + json.dumps({"text": text, "id": ident}).encode() + b"\n"


@pytest.mark.turn(3)
def test_megabytes_each_way_at_once_do_not_lock(lab):
    """More than all buffers between the two hold: each must go on listening while it can't speak."""
    alice, bob = pair(lab)
    text = "m" * 60_000
    count = 300
    for _ in range(count // 10):
        for node in alice, bob:
            node.write(b"".join(envelope(text, "m") for _ in range(10)))
    for node in alice, bob:
        node.wait("message", count=count, within=120)
    assert_matched(alice, bob, count)
    assert_matched(bob, alice, count)
    assert alice.memory() < 48 * 1024 * 1024


# A server that says its piece, waits until it is told to, and resets the connection; its host stays.
RESETTING_SERVER = """
import socket, struct, sys
listener = socket.create_server(("", 12345))
sock, _ = listener.accept()
sock.sendall("".join(f"{n} {'w' * 1000}\\n" for n in range(40)).encode())
sys.stdin.buffer.readline()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.close()
print('{"event": "reset"}', flush=True)
sys.stdin.buffer.readline()
"""


def test_what_a_partner_had_said_before_a_reset_is_still_heard(lab):
    network = lab.network()
    bob = lab.node("chat-client", "bob", network=network)
    bob.write(b"")  # a paused container can't be attached to, but what is attached can be typed at
    bob.docker.pause()
    server = lab.node("chat-client", "alice", network=network, command=["python3", "-c", RESETTING_SERVER], ready=False)
    bob.docker.unpause()
    bob.wait("session", state="open")
    bob.docker.pause()
    bob.type(*(f"too late {n}" for n in range(50)))
    server.write(b"now\n")
    server.wait("reset")
    bob.docker.unpause()
    bob.wait("session", state="ended")
    assert [int(e["text"].split()[0]) for e in bob.events("message")] == list(range(40))
    # Each line that was typed was sent, waits for the next conversation, or was lost with the reset: `close` counts it.
    bob.wait("input", text="too late 49")


@pytest.mark.turn(3)
def test_lines_that_did_not_leave_wait_for_the_next_conversation(lab):
    """A partner who reads no more: what the kernel takes is gone, what it does not take is said to the next one."""
    network = lab.network()
    alice = lab.node("chat-server", "alice", network=network)
    bob = lab.node("chat-client", "bob", network=network)
    alice.wait("session", state="open")
    bob.docker.pause()
    lines = 150
    alice.write(b"".join(envelope(f"{n:03} " + "u" * 60_000, f"u{n}") for n in range(lines)))
    ended = alice.wait("session", state="ended", within=60)
    assert ended["reason"] == "timeout"
    closed = alice.wait("close")
    assert closed["unsent"] > 0
    bob.docker.kill()
    again = lab.node("chat-client", "bob", network=network)
    alice.wait("session", state="open", count=2)
    inputs = alice.wait("input", count=lines)
    assert inputs["id"] == f"u{lines - 1}"
    told = {e["id"] for name in ("send", "error") for e in alice.events(name) if "id" in e}
    missing = [n for n in range(lines) if f"u{n}" not in told]
    for n in missing:
        alice.wait("send", id=f"u{n}")
    heard = [int(again.wait("message", count=at + 1)["text"][:3]) for at in range(len(again.events("message")))]
    assert heard == sorted(set(heard))


# ---------------------------------------------------------------- turns


def test_in_turns(lab):
    alice, bob = pair(lab, CHAT_MODE="turns")
    alice.envelope("after you", id="a1")
    assert "turn" in alice.wait("queued", id="a1")["reason"]
    bob.envelope("me first", id="b1")
    bob.wait("message", text="after you")
    bob.envelope("second", id="b2")
    bob.envelope("too early", id="b3")
    assert "turn" in bob.wait("queued", id="b3")["reason"]
    alice.wait("message", text="second")
    alice.envelope("answer", id="a2")
    alice.wait("message", text="too early")
    spoken = sorted(alice.events("message") + alice.events("send"), key=lambda e: e["ts"])
    assert [e["text"] for e in spoken] == ["me first", "after you", "second", "answer", "too early"]
    assert alice.events("error") == bob.events("error") == []
    assert_matched(alice, bob, 2)
    assert_matched(bob, alice, 3)


def test_in_turns_anybody_may_leave_at_any_time(lab):
    alice, bob = pair(lab, CHAT_MODE="turns")
    alice.envelope("I would have said", id="a1")
    alice.envelope("byebye", id="a2")
    bob.wait("message", text="byebye")
    for node in alice, bob:
        node.wait("session", state="open", count=2)
    assert alice.events("send", id="a1") == []
    bob.type("go on")
    bob.wait("message", text="I would have said")


def test_who_speaks_out_of_turn_is_heard_but_wins_no_turn(lab):
    alice = lab.node("chat-server", "alice", publish=("12345/tcp",), env={"CHAT_MODE": "turns"})
    caller = Caller(alice)
    caller.send(b"one\ntwo\n")
    alice.wait("message", text="two")
    broken = alice.wait("error", error="EPROTO")
    assert (broken["offset"], broken["bytes"]) == (4, 4)
    alice.type("mine", "waits")
    assert caller.line() == b"mine"
    assert "turn" in alice.wait("queued")["reason"]
    caller.send(b"\xff\n")  # nobody can read it, yet it was a turn
    assert caller.line() == b"waits"
    caller.hang_up()


def test_a_long_message_cut_off_by_a_reset_takes_no_turn(lab):
    network = lab.network()
    alice = lab.node("chat-server", "alice", network=network, env={"CHAT_MODE": "turns"})
    alice.envelope("waits", id="w")
    rude = lab.node("chat-client", "rude", network=network, command=["python3", "-c", RESET, "z" * 70_000], ready=False)
    alice.wait("recv")
    rude.write(b"now\n")
    alice.wait("session", state="ended")
    assert alice.events("send") == []
    assert alice.stray == []


# ---------------------------------------------------------------- what a node costs


@pytest.mark.turn(3)
def test_a_node_is_small(lab):
    alice, bob = pair(lab)
    alice.type("hello")
    bob.wait("message")
    for node in alice, bob:
        assert node.memory() <= 12 * 1024 * 1024


@pytest.mark.turn(3)
def test_a_deeply_nested_envelope_ends_nothing(lab):
    alice, _ = pair(lab)
    alice.write(b'\x1e{"text":' + b"[" * 100_000 + b"\n")
    assert alice.wait("error")["error"] == "EBADMSG"
    alice.type("alive")
    alice.wait("send", text="alive")
