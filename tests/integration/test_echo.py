"""Echo server and echo client in real containers: each alone, and as a pair."""

import errno
import json
import random
import select
import socket
from datetime import datetime

import docker
import pytest

pytestmark = pytest.mark.turn(2)

MEMORY = 12 << 20
LONGEST = 2 << 20  # bytes of one typed line
ALL_BYTES = bytes(range(256))


def same(one: dict, **fields) -> None:
    assert {key: one.get(key) for key in fields} == fields


def is_gapless(events: list[dict], size: int) -> bool:
    """True where the offsets of `send` or `recv` events leave out no byte of a stream, and hold none twice."""
    ends = [0, *(event["offset"] + event["bytes"] for event in events)]
    return ends[-1] == size and all(event["offset"] == end for event, end in zip(events, ends, strict=False))


def leaves_in_order(node) -> None:
    """SIGTERM: exit 0 within a second, by the engine's own clock."""
    before = datetime.now().timestamp()
    code, _ = node.stop()
    node.docker.reload()
    finished = node.docker.attrs["State"]["FinishedAt"]
    assert code == 0
    assert datetime.fromisoformat(finished[:26] + "+00:00").timestamp() - before < 1
    assert node.journal[-1]["event"] == "exit"
    assert not node.stray


# ---------------------------------------------------------------- the server alone


@pytest.fixture(scope="module")
def echo(module_lab):
    return module_lab.node("echo-server", "echo", publish=("7/tcp", "7/udp"))


class Caller:
    """A raw socket that calls the server over its published port, and where its journal was then."""

    def __init__(self, echo):
        self.echo, self.since = echo, echo.mark()
        self.sock = socket.create_connection(echo.port(7), timeout=30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted = echo.wait("accept", self.since)
        self.peer = accepted["peer"]
        self.ends = {"proto": "tcp", "local": tuple(accepted["local"]), "peer": tuple(accepted["peer"])}

    def exchange(self, data: bytes, *, finish: bool = False) -> bytes:
        """Sends all and reads as much meanwhile, or closes its direction after the last byte and reads to the end."""
        left, got = memoryview(data), bytearray()
        self.sock.setblocking(False)
        while left or (not finish and len(got) < len(data)):
            readable, writable, _ = select.select([self.sock], [self.sock] if left else [], [], 30)
            assert readable or writable, f"{len(got)} of {len(data)} bytes came back"
            if readable:
                more = self.sock.recv(1 << 16)
                assert more
                got += more
            if writable:
                left = left[self.sock.send(left[: 1 << 16]) :]
        self.sock.settimeout(30)
        if finish:
            self.sock.shutdown(socket.SHUT_WR)
            got += self.rest()
        return bytes(got)

    def rest(self) -> bytes:
        """All that comes until the server closes its direction."""
        return b"".join(iter(lambda: self.sock.recv(1 << 16), b""))

    def finish(self) -> dict:
        """Closes its direction, reads to the end, and gives the server's `close`."""
        self.sock.shutdown(socket.SHUT_WR)
        assert self.rest() == b""
        return self.wait("close")

    def fill(self) -> int:
        """Sends without reading until nothing more is taken for a while; how many bytes that were."""
        self.sock.setblocking(False)
        filler, sent = b"f" * (1 << 16), 0
        while select.select([], [self.sock], [], 1)[1]:
            sent += self.sock.send(filler)
        self.sock.settimeout(30)
        return sent

    def events(self, event: str) -> list[dict]:
        return self.echo.events(event, self.since, **self.ends)

    def wait(self, event: str, **fields) -> dict:
        return self.echo.wait(event, self.since, **self.ends, **fields)


@pytest.fixture
def call(echo):
    """`call()` opens one more connection; they all end with the test."""
    callers: list[Caller] = []

    def connect() -> Caller:
        callers.append(Caller(echo))
        return callers[-1]

    yield connect
    for caller in callers:
        caller.sock.close()
        caller.wait("close")
    assert not echo.stray


def test_the_calls_that_make_the_server(echo):
    listening = [["tcp", "0.0.0.0", 7], ["tcp", "::", 7], ["udp", "0.0.0.0", 7], ["udp", "::", 7]]
    made = echo.journal[:7]
    assert [event["event"] for event in made] == ["bind", "listen", "bind", "bind", "listen", "bind", "ready"]
    for event in made[:-1]:
        assert [event["proto"], *event["local"]] in listening
    assert sorted(made[-1]["listening"]) == listening
    assert len(echo.events("ready")) == 1


def test_every_byte_comes_back_in_order(call):
    caller = call()
    assert caller.exchange(ALL_BYTES) == ALL_BYTES
    assert caller.exchange(ALL_BYTES[::-1]) == ALL_BYTES[::-1]
    same(caller.finish(), received=512, sent=512)
    for name in ("recv", "send"):
        assert is_gapless(caller.events(name), 512)


def test_ten_megabytes_without_a_newline(call):
    data = random.Random(7).randbytes(10_000_000).replace(b"\n", b"\r")
    caller = call()
    assert caller.exchange(data) == data
    same(caller.finish(), received=len(data), sent=len(data), unsent=None)
    assert is_gapless(caller.events("recv"), len(data))
    assert is_gapless(caller.events("send"), len(data))


def test_segments_of_one_byte(call):
    caller = call()
    for byte in ALL_BYTES * 2:
        caller.sock.send(bytes([byte]))
    got = b""
    while len(got) < 512:
        got += caller.sock.recv(512)
    assert got == ALL_BYTES * 2
    caller.finish()
    assert is_gapless(caller.events("recv"), 512)


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_after_the_callers_half_close_the_rest_comes_back_and_then_the_end(call, size):
    data = random.Random(size).randbytes(size)
    caller = call()
    assert caller.exchange(data, finish=True) == data
    same(caller.wait("close"), received=size, sent=size)
    same(caller.wait("shutdown"), how="SHUT_WR", sent=size)
    same(caller.events("recv")[-1], offset=size, bytes=0, text="")
    names = [event["event"] for event in caller.echo.journal[caller.since :] if event.get("peer") == caller.peer]
    assert names[-2:] == ["shutdown", "close"]


def test_a_slow_reader_holds_nobody_up_and_loses_nothing(call):
    slow, quick = call(), call()
    sent = slow.fill()
    for number in range(20):
        line = b"%d\n" % number
        assert quick.exchange(line) == line
    assert sum(event["bytes"] for event in slow.events("recv")) < sent, "the server read what it could not send"
    slow.sock.shutdown(socket.SHUT_WR)
    assert slow.rest() == b"f" * sent
    same(slow.wait("close"), received=sent, sent=sent)


@pytest.mark.turn(3)
def test_memory_stays_bounded_with_many_that_do_not_read(lab):
    """Each has been sent more than all of the server's memory."""
    echo = lab.node("echo-server", "echo", publish=("7/tcp",))
    callers = [Caller(echo) for _ in range(20)]
    waiting = [caller.sock for caller in callers]
    for sock in waiting:
        sock.setblocking(False)
    filler, sent = b"f" * (1 << 16), 0
    while ready := select.select([], waiting, [], 1)[1]:
        sent += sum(sock.send(filler) for sock in ready)
    assert sent > 64 << 20
    assert echo.memory() < 40 << 20
    quick = Caller(echo)
    assert quick.exchange(b"still here") == b"still here"
    for caller in (*callers, quick):
        caller.sock.close()


def test_many_callers_at_once(call):
    callers = [call() for _ in range(50)]
    for number, caller in enumerate(callers):
        caller.sock.send(b"%d\n" % number)
    for number, caller in enumerate(callers):
        line = b"%d\n" % number
        assert caller.sock.recv(100) == line
        same(caller.wait("recv"), text=line.decode(), offset=0)


FEW = docker.types.Ulimit(name="nofile", soft=40, hard=40)  # room for eight connections


@pytest.mark.turn(3)
def test_short_of_descriptors_the_others_wait_in_the_backlog(lab):
    """As many as there is room for at a time; nobody who waits is lost."""
    echo = lab.node("echo-server", "echo", publish=("7/tcp",), ulimits=[FEW])
    where = echo.port(7)
    socks = [socket.create_connection(where, timeout=30) for _ in range(60)]
    for sock in socks:
        sock.sendall(b"hello")
    for sock in socks:
        assert sock.recv(10) == b"hello"
        sock.close()
    echo.wait("close", count=60)
    assert len(echo.events("accept")) == 60
    assert not echo.events("error")
    assert not echo.stray


def test_idle_connections_shut_nobody_out(lab):
    """More than there is room for say nothing: the one silent for the longest goes, with an event that says why."""
    echo = lab.node("echo-server", "echo", publish=("7/tcp",), ulimits=[FEW])
    idle = [Caller(echo) for _ in range(8)]
    assert idle[0].exchange(b"not so idle") == b"not so idle"
    new = Caller(echo)
    assert new.exchange(b"still here?") == b"still here?"
    assert "silent for the longest" in idle[1].wait("close")["reason"]
    assert idle[1].rest() == b""
    assert not idle[0].events("close")
    for caller in (*idle, new):
        caller.sock.close()


FORGER = """
import socket, sys
from labnode import journal
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
for port in (7, 13, 17, 19, 37, 9000, 9001):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind(("", port))
        for _ in range(20):  # 140 in all: more may not fit into the receive queue
            sock.sendto(b"ping", (sys.argv[1], 9000))
journal.event("ready")
sys.stdin.read()
"""


@pytest.mark.parametrize("family", [4, 6])
def test_what_would_answer_an_answer_gets_none(lab, family):
    """Datagrams from the ports of services that answer every datagram, this one's own among them: else two echo
    servers whose addresses somebody forges go on for ever. A flood of them makes no flood of events."""
    network = lab.network(ipv6=family == 6)
    echo = lab.node("echo-server", "echo", network=network, env={"PORT": "9000"})
    command = ["python3", "-c", FORGER, echo.address(network, family)]
    forger = lab.node("echo-server", "forger", network=network, command=command)
    honest = (forger.address(network, family), 9001)
    echo.wait("send", count=20, peer=honest)
    assert len(echo.events("send")) == len(echo.events("recv")) == 20
    told, count = 0, 0
    while told < 120:
        count += 1
        told += echo.wait("refuse", count=count)["datagrams"]
    assert told == 120
    assert count <= 4
    assert "port 7 gets no answer" in echo.events("refuse")[0]["reason"]


@pytest.mark.parametrize("text", [b"x", b"\xff\x00\xfe", b"d" * 1472, b"f" * 1473, b"m" * 65_507])
def test_datagrams_come_back(echo, text):
    since = echo.mark()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(30)
        sock.connect(echo.port(7, "udp"))
        sock.send(text)
        assert sock.recv(65_535) == text
    came = echo.wait("recv", since, proto="udp")
    went = echo.wait("send", since, proto="udp")
    same(came, bytes=len(text), local=went["local"], peer=went["peer"])
    assert came["local"] == [echo.address(), 7]
    assert went["bytes"] == len(text)


def test_it_leaves_in_order(lab):
    echo = lab.node("echo-server", "echo", publish=("7/tcp",))
    caller = Caller(echo)
    assert caller.exchange(b"hello") == b"hello"
    leaves_in_order(echo)
    assert caller.rest() == b""
    closed = echo.events("close")
    assert [event["proto"] for event in closed].count("udp") == 2
    assert len(closed) == 5
    same(closed[-1], received=5, sent=5)
    same(echo.journal[-1], event="exit", signal="SIGTERM")
    caller.sock.close()


@pytest.mark.turn(3)
@pytest.mark.parametrize("target", ["echo-server", "echo-client"])
def test_memory_at_rest(lab, target):
    assert lab.node(target, "node").memory() <= MEMORY


@pytest.mark.turn(3)
def test_a_kernel_without_ipv6_is_no_error(lab):
    """seccomp(2) answers as such a kernel does: EAFNOSUPPORT for every socket of AF_INET6."""
    no_ipv6 = {"index": 0, "value": socket.AF_INET6, "op": "SCMP_CMP_EQ"}
    rule = {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EAFNOSUPPORT, "args": [no_ipv6]}
    profile = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    options = {"network": lab.network(), "security_opt": ["no-new-privileges:true", f"seccomp={profile}"]}
    echo = lab.node("echo-server", "echo", **options)
    assert echo.events("ready")[0]["listening"] == [["tcp", "0.0.0.0", 7], ["udp", "0.0.0.0", 7]]
    peer = lab.node("udp-peer", "peer", env={"PEER": "echo:7"}, **options)
    assert peer.events("ready")[0]["listening"] == [["udp", "0.0.0.0", 5005]]
    peer.type("hello")
    same(peer.wait("recv"), text="hello")
    peer.envelope("hello", id="1", to="[::1]:7")
    same(peer.wait("error"), error="EAFNOSUPPORT", id="1")
    client = lab.node("echo-client", "client", **options)
    same(answer(client, "hello", "1"), text="hello")
    client.envelope("hello", id="2", to="[::1]:7")
    same(client.wait("error"), error="EAFNOSUPPORT", call="connect", id="2")


# ---------------------------------------------------------------- the client alone


def test_the_client_is_ready_before_anybody_answers(lab):
    client = lab.node("echo-client", "client")
    same(client.events("ready")[0], target="echo:7", listening=[])
    client.envelope("hello", id="1")
    same(client.wait("error"), error="EAI_NONAME", call="getaddrinfo", id="1")
    leaves_in_order(client)


# ---------------------------------------------------------------- the pair


@pytest.fixture(scope="module")
def network(module_lab):
    return module_lab.network()


@pytest.fixture(scope="module")
def server(module_lab, network):
    return module_lab.node("echo-server", "server", network=network)


@pytest.fixture(scope="module")
def quiet(module_lab, network):
    """A second client's home: a node on the network on whose TCP ports nobody listens."""
    return module_lab.node("echo-client", "quiet", network=network)


@pytest.fixture
def client(lab, server, network):
    node = lab.node("echo-client", "client", network=network, env={"TARGET": "server:7"})
    yield node
    assert not node.stray


def answer(client, text: str, ident: str, **fields) -> dict:
    client.envelope(text, id=ident, **fields)
    return client.wait("answer", id=ident)


def test_a_person_types(client, server):
    since = server.mark()
    client.type("hello")
    first = client.wait("answer")
    same(first, text="hello", bytes=5, id=None, peer=[server.address(), 7], proto="tcp")
    assert 0 < first["rtt_ms"] < 5000
    client.type("wörld €😀", "")
    same(client.wait("answer", count=2), text="wörld €😀", bytes=14)
    same(client.wait("answer", count=3), text="", bytes=0)
    names = [event["event"] for event in client.journal]
    assert names[:6] == ["ready", "input", "connect", "send", "recv", "answer"]
    assert names.count("connect") == 1
    connected, accepted = client.events("connect")[0], server.wait("accept", since)
    same(connected, name="server:7", attempt=1, local=accepted["peer"], peer=accepted["local"])


def test_both_ends_agree_on_addresses_offsets_and_bytes(client, server):
    since = server.mark()
    size = 0
    for number in range(20):
        text = "é" * number**3
        size += len(text.encode()) + 1
        same(answer(client, text, f"n{number}"), text=text, bytes=len(text.encode()))
    ours = client.events("connect")[0]
    client.envelope("exit", id="bye")
    closed = server.wait("close", since, peer=tuple(ours["local"]))
    same(client.wait("close"), received=size, sent=size, id="bye")
    same(closed, received=size, sent=size)
    here = {"local": tuple(ours["local"]), "peer": tuple(ours["peer"])}
    there = {"local": here["peer"], "peer": here["local"]}
    for node, ends, since_then in ((client, here, 0), (server, there, since)):
        for name in ("send", "recv"):
            assert is_gapless([e for e in node.events(name, since_then, **ends) if e["bytes"]], size)
    first_sent = client.events("send", **here)[0]["ts"]
    assert first_sent < server.events("recv", since, **there)[0]["ts"]


def test_the_id_is_in_all_that_follows_from_a_line(client):
    answer(client, "hello", "a-1")
    named = [event["event"] for event in client.journal if event.get("id") == "a-1"]
    assert named == ["input", "connect", "send", "answer"]
    answer(client, "again", "a-2")
    assert [event["event"] for event in client.journal if event.get("id") == "a-2"] == ["input", "send", "answer"]


def test_many_lines_at_once_are_answered_in_order(client):
    for number in range(500):
        client.envelope(f"line {number} " + "x" * (number % 7) * 100, id=str(number))
    client.wait("answer", count=500, within=60)
    answers = client.events("answer")
    assert [event["id"] for event in answers] == [str(number) for number in range(500)]
    assert all(event["text"].startswith(f"line {event['id']} ") for event in answers)
    assert len(client.events("connect")) == 1


@pytest.mark.parametrize(
    "text",
    [" ", "exit ", " exit", "EXIT", "connect the dots", "a\rb\r", "\x1e{}", "\0", "\u2028\x85", '{"text":"exit"}'],
)
def test_text_of_any_kind_is_a_line(client, text):
    same(answer(client, text, "odd"), text=text, bytes=len(text.encode()))


@pytest.mark.parametrize("first", ["", "é", "€", "😀"])
@pytest.mark.parametrize("size", [1_000_000, LONGEST])
def test_a_long_line_comes_back_whole(client, size, first):
    """Within the node's 64 MiB, however many bytes its Python takes for a character of that text."""
    text = first + "".join(random.Random(size).choices("abcdefghij", k=1000)) * (size // 1000)
    text += "." * (size - len(text.encode()))
    client.envelope(text, id="long")
    got = client.wait("answer", id="long", within=60)
    assert got["text"] == text
    assert got["bytes"] == len(text.encode())
    assert client.events("input")[0]["cut"] == got["bytes"] - 2048
    same(answer(client, "and on", "next"), text="and on")


def test_a_line_over_the_limit_is_refused_and_the_node_goes_on(client):
    client.type("a" * (LONGEST + 1))
    same(client.wait("error", within=60), error="EMSGSIZE", call="input", id=None)
    client.envelope("é" * (LONGEST // 2) + "a", id="1")
    same(client.wait("error", count=2, within=60), error="EMSGSIZE", call="input", id="1")
    same(answer(client, "and on", "next"), text="and on")


def test_each_target_has_its_own_connection(client, server, lab, network):
    other = lab.node("echo-server", "other", network=network)
    first = answer(client, "one", "1")
    second = answer(client, "two", "2", to="other:7")
    third = answer(client, "three", "3")
    assert first["local"] == third["local"] != second["local"]
    assert second["peer"] == [other.address(), 7]
    assert [event["name"] for event in client.events("connect")] == ["server:7", "other:7"]


def test_connect_chooses_another_target(client, lab, network):
    other = lab.node("echo-server", "other", network=network)
    answer(client, "one", "1")
    client.envelope("connect other:7", id="2")
    same(client.wait("connect", id="2"), name="other:7", peer=[other.address(), 7])
    assert answer(client, "two", "3")["peer"] == [other.address(), 7]
    client.type("connect nowhere:7")
    same(client.wait("error"), error="EAI_NONAME", id=None)


@pytest.mark.parametrize(
    "where", ["connect nowhere", "connect ", "connect a:b", "connect [::1:7", "connect host:70000"]
)
def test_a_target_that_is_none(client, where):
    client.envelope(where, id="1")
    same(client.wait("error", id="1"), error="EINVAL", call="input")
    same(answer(client, "still", "2"), text="still")


def test_exit_closes_after_what_was_typed_before(client, server):
    since = server.mark()
    client.type("one", "two", "exit", "three")
    for number, text in enumerate(("one", "two", "three"), 1):
        same(client.wait("answer", count=number), text=text)
    first, second = client.events("connect")
    ends = {"local": tuple(first["local"])}
    same(client.wait("close", **ends), received=8, sent=8)
    names = [event["event"] for event in client.journal]
    assert [name for name in names if name not in ("recv", "answer")] == [
        *("ready", "input", "input", "input", "input"),
        *("connect", "send", "send", "shutdown", "close"),
        *("connect", "send"),
    ]
    same(server.wait("close", since, peer=tuple(first["local"])), received=8, sent=8)
    assert second["local"] != first["local"]


def test_exit_of_labctl_is_the_same_command(client):
    answer(client, "one", "1")
    client.envelope("exit", id="2")
    same(client.wait("close"), id="2")
    assert client.events("shutdown")[0]["id"] == "2"
    client.envelope("exit", id="3")
    same(client.wait("error"), error="ENOTCONN", id="3")
    same(answer(client, "two", "4"), offset=None, text="two")
    assert len(client.events("connect")) == 2


def test_exit_with_a_target_closes_that_connection_alone(client, lab, network):
    lab.node("echo-server", "other", network=network)
    answer(client, "one", "1")
    answer(client, "two", "2", to="other:7")
    client.envelope("exit", id="3", to="other:7")
    same(client.wait("close"), id="3", received=4)
    answer(client, "three", "4")
    assert len(client.events("connect")) == 2


def test_connection_refused(client, quiet):
    client.envelope("hello", id="1", to="quiet:7")
    same(client.wait("error"), error="ECONNREFUSED", call="connect", id="1", name="quiet:7", attempt=1)
    same(client.events("error")[0], proto="tcp", peer=[quiet.address(), 7])
    client.envelope("hello", id="2", to="quiet:7")
    same(client.wait("error", count=2), error="ECONNREFUSED", id="2")


def test_an_unknown_host(client):
    client.envelope("hello", id="1", to="nobody:7")
    same(client.wait("error"), error="EAI_NONAME", call="getaddrinfo", id="1")


@pytest.mark.parametrize("to", ["[fd99::1]:7", "255.255.255.255:7", "[ff02::1]:7"])
def test_what_no_route_leads_to(client, to):
    client.envelope("hello", id="1", to=to)
    failed = client.wait("error", id="1")
    assert failed["error"] in ("ENETUNREACH", "EADDRNOTAVAIL", "EACCES", "EHOSTUNREACH")
    same(failed, call="connect", name=to)
    same(answer(client, "still", "2"), text="still")


def test_an_attempt_has_a_limit_and_the_keyboard_works_meanwhile(lab, server, network):
    """Nobody has the address: what is sent there is not answered, and the kernel says so only after three seconds."""
    client = lab.node("echo-client", "client", network=network, env={"TARGET": "server:7", "CONNECT_TIMEOUT": "2.5"})
    client.envelope("anybody?", id="1", to=f"{server.address().rsplit('.', 1)[0]}.250:7")
    client.envelope("and me?", id="2", to=f"{server.address().rsplit('.', 1)[0]}.250:7")
    answer(client, "hello", "3")
    assert not client.events("error")
    same(client.wait("error", id="1"), error="ETIMEDOUT", call="connect")
    same(client.wait("error", id="2"), error="ETIMEDOUT")
    taken = [datetime.fromisoformat(client.events(name, id="1")[0]["ts"][:26]) for name in ("input", "error")]
    assert 2.5 <= (taken[1] - taken[0]).total_seconds() < 4


@pytest.mark.turn(3)
def test_a_silent_name_server_holds_nothing_up(lab, server, network):
    """A UDP peer on port 53 hears all questions, and answers none."""
    silent = lab.node("udp-peer", "silent", network=network, env={"PORT": "53"})
    client = lab.node("echo-client", "client", network=network, dns=[silent.address()])
    client.envelope("anybody?", id="1", to="www.example.org:7")
    silent.wait("recv")
    same(answer(client, "hello", "2", to=f"{server.address()}:7"), text="hello")
    assert client.events("error", id="1") == []
    leaves_in_order(client)


def scripted(lab, network, name: str, serve: str):
    """Somebody's own server on port 7, to whom `serve` is what is done with a connection."""
    script = (
        "import socket, struct\n"
        "from labnode import journal\n"
        "server, kept = socket.create_server(('0.0.0.0', 7)), []\n"
        "journal.event('ready')\n"
        "while True:\n"
        "    sock, peer = server.accept()\n"
        "    kept.append(sock)\n"
        f"    {serve}\n"
    )
    return lab.node("echo-server", name, network=network, command=["python3", "-c", script])


HANGS_UP = "sock.recv(10); sock.shutdown(socket.SHUT_WR)"
RESETS = "sock.recv(10); sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); sock.close()"


@pytest.mark.turn(3)
@pytest.mark.parametrize(("serve", "error"), [(HANGS_UP, "EPIPE"), (RESETS, "ECONNRESET")])
def test_when_the_peer_closes_every_waiting_line_is_told(client, lab, network, serve, error):
    scripted(lab, network, "rude", serve)
    lines = [json.dumps({"text": "hello", "id": ident, "to": "rude:7"}) for ident in ("1", "2", "3")]
    client.write("".join(f"\x1e{line}\n" for line in lines).encode())
    for ident in ("1", "2", "3"):
        assert client.wait("error", id=ident)["error"] in (error, "EPIPE")
    same(client.events("error", id="1")[0], error=error)
    client.wait("close")
    client.envelope("hello", id="4", to="rude:7")
    same(client.wait("error", id="4"), error=error)
    assert [event["id"] for event in client.events("connect")] == ["1", "4"]
    assert not client.events("answer")


@pytest.mark.turn(3)
def test_after_the_server_has_left_the_next_line_calls_it_anew(client, lab, network):
    other = lab.node("echo-server", "other", network=network)
    client.envelope("connect other:7", id="0")
    answer(client, "one", "1")
    since = other.mark()
    other.restart()
    other.wait("ready", since)
    client.wait("close")
    same(answer(client, "two", "2"), text="two")
    assert not client.events("error")
    assert len(client.events("connect")) == 2


@pytest.mark.turn(3)
def test_a_server_that_echoes_in_pieces(client, lab, network):
    scripted(lab, network, "slow", "[sock.send(byte.to_bytes(1, 'big')) for byte in sock.recv(100)]")
    same(answer(client, "wörld", "1", to="slow:7"), text="wörld")


def test_a_line_that_nobody_asked_for_answers_nothing(client, lab, network):
    scripted(lab, network, "eager", "sock.sendall(b'welcome\\n'); sock.sendall(sock.recv(100))")
    client.envelope("connect eager:7", id="0")
    client.wait("recv")
    same(answer(client, "hello", "1"), text="hello")
    assert len(client.events("answer")) == 1


def test_what_is_no_text_comes_back_as_data(client, lab, network):
    scripted(lab, network, "binary", "sock.recv(10); sock.sendall(b'\\xff\\xfe\\n')")
    same(answer(client, "hello", "1", to="binary:7"), data="//4=", bytes=2, text=None)


@pytest.mark.turn(3)
def test_an_answer_without_end_is_cut_off(client, lab, network):
    endless = "[None for _ in iter(lambda: sock.send(b'x' * 65536), 0)]"
    scripted(lab, network, "endless", endless)
    client.envelope("hello", id="1", to="endless:7")
    same(client.wait("error", within=60), error="EMSGSIZE", id="1")
    assert LONGEST < client.wait("close")["received"] < LONGEST + (1 << 20)
    same(answer(client, "still", "2"), text="still")


@pytest.mark.turn(3)
def test_a_peer_that_does_not_read_does_not_hold_the_keyboard_up(client, lab, network):
    """What can't be sent waits up to a limit; `exit` still works, and what waited is told."""
    scripted(lab, network, "deaf", "pass")
    text = "x" * LONGEST
    client.envelope("connect deaf:7", id="0")
    count = 0
    while not client.events("error"):
        client.envelope(text, id=f"n{count}")
        client.wait("input", id=f"n{count}", within=60)
        count += 1
        assert count < 40, "nothing bounds what waits"
    same(client.wait("error"), error="ENOBUFS", call="send")
    same(answer(client, "still", "s", to="server:7"), text="still")
    client.envelope("exit", id="bye", to="deaf:7")
    same(client.wait("close", id="bye", within=30), received=0)
    refused = {event["id"] for event in client.events("error", error="ENOBUFS")}
    for ident in {f"n{number}" for number in range(count)} - refused:
        client.wait("error", error="ETIMEDOUT", id=ident)
    assert len(client.events("error")) == count


def test_the_client_leaves_in_order(client, server):
    since = server.mark()
    answer(client, "hello", "1")
    leaves_in_order(client)
    same(client.events("close")[0], received=6, sent=6)
    same(server.wait("close", since), received=6, sent=6)


def test_a_reset_in_mid_stream_ends_one_connection_and_nothing_else(server, client, lab, network):
    """From a container: the engine's proxy would turn the RST into a FIN."""
    since = server.mark()
    script = (
        "import socket, struct\n"
        "from labnode import journal\n"
        f"sock = socket.create_connection(('{server.address()}', 7))\n"
        "sock.sendall(b'x' * 100_000)\n"
        "sock.recv(10)\n"
        "journal.event('ready', local=list(sock.getsockname()))\n"
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
        "sock.close()\n"
    )
    rude = lab.node("echo-client", "rude", network=network, command=["python3", "-c", script])
    ends = {"peer": tuple(rude.events("ready")[0]["local"]), "local": (server.address(), 7)}
    failed = server.wait("error", since, **ends)
    assert failed["error"] in ("ECONNRESET", "EPIPE")
    server.wait("close", since, **ends)
    same(answer(client, "still", "1"), text="still")


# ---------------------------------------------------------------- IPv6


@pytest.fixture(scope="module")
def six(module_lab):
    return module_lab.network(ipv6=True)


def test_over_ipv6(lab, six):
    server = lab.node("echo-server", "server", network=six)
    client = lab.node("echo-client", "client", network=six, env={"TARGET": "server:7"})
    address = server.address(six, family=6)
    by_number = answer(client, "hello", "1", to=f"[{address}]:7")
    same(by_number, text="hello", peer=[address, 7], local=[client.address(six, family=6), by_number["local"][1]])
    same(server.wait("accept"), local=by_number["peer"], peer=by_number["local"])
    same(server.wait("send"), local=by_number["peer"], peer=by_number["local"], text="hello\n")
    by_name = answer(client, "by name", "2")
    assert by_name["peer"][0] in (address, server.address(six))


@pytest.mark.turn(3)
def test_the_addresses_of_a_name_are_tried_in_order(lab, six):
    """getaddrinfo(3) gives the IPv6 address first (RFC 6724), and nobody listens there."""
    old = scripted(lab, six, "old", "sock.sendall(sock.recv(100))")
    client = lab.node("echo-client", "client", network=six, env={"TARGET": "old:7"})
    got = answer(client, "hello", "1")
    assert got["peer"] == [old.address(six), 7]
    same(client.wait("retry"), error="ECONNREFUSED", attempt=1, name="old:7", id="1", delay_s=0)
    assert client.events("retry")[0]["peer"] == [old.address(six, family=6), 7]
    same(client.events("connect")[0], attempt=2, name="old:7", id="1")
    assert not client.events("error")
