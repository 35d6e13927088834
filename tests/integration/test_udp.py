"""UDP peers in real containers: one alone with a raw socket, and pairs; single datagrams and numbered trains."""

import base64
import random
import socket
from datetime import datetime

import pytest

pytestmark = pytest.mark.turn(2)

MEMORY = 12 << 20
LARGEST = 65_507
QUIET = 1.0  # seconds without a datagram that end a train


def same(one: dict, **fields) -> None:
    assert {key: one.get(key) for key in fields} == fields


def seconds(one: dict, other: dict) -> float:
    """From one event to another, by their own clocks."""
    first, second = (datetime.fromisoformat(event["ts"][:26] + "+00:00") for event in (one, other))
    return (second - first).total_seconds()


def header(ident: str, seq: int, count: int) -> bytes:
    return f"labctl-train {ident} {seq} {count}\n".encode()


# ---------------------------------------------------------------- one alone


@pytest.fixture(scope="module")
def alone(module_lab):
    return module_lab.node("udp-peer", "alone", publish=("5005/udp",))


class Sender:
    """A raw socket that sends to a peer's published port."""

    def __init__(self, peer):
        self.peer, self.since = peer, peer.mark()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(peer.port(5005, "udp"))

    def train(self, ident: str, count: int, numbers) -> None:
        for seq in numbers:
            self.sock.send(header(ident, seq, count))

    def wait(self, event: str, **fields) -> dict:
        return self.peer.wait(event, self.since, **fields)


@pytest.fixture
def sender(alone):
    one = Sender(alone)
    yield one
    one.sock.close()
    assert not alone.stray


def test_the_calls_that_make_a_peer(alone):
    assert [event["event"] for event in alone.journal[:3]] == ["bind", "bind", "ready"]
    for event, address in zip(alone.journal[:2], ("0.0.0.0", "::"), strict=True):
        same(event, proto="udp", local=[address, 5005])
    assert alone.journal[2]["listening"] == [["udp", "0.0.0.0", 5005], ["udp", "::", 5005]]
    assert len(alone.events("ready")) == 1


def test_another_port(lab):
    assert lab.node("udp-peer", "peer", env={"PORT": "9"}).events("ready")[0]["listening"][0][2] == 9


@pytest.mark.parametrize("data", [b"hello", "wörld €😀\n".encode(), b"\xff\xfe\x00", b"x" * 1473, b"y" * LARGEST])
def test_a_datagram_is_shown_with_who_sent_it_and_to_which_address(sender, data):
    sender.sock.send(data)
    got = sender.wait("recv")
    same(got, proto="udp", bytes=len(data), local=[sender.peer.address(), 5005])
    assert got["peer"][0]
    if "data" in got:
        assert base64.b64decode(got["data"]) == data
    else:
        assert data.startswith(got["text"].encode())
        assert len(got["text"].encode()) + got.get("cut", 0) == len(data)


def test_without_a_peer_a_line_has_no_address(alone):
    since = alone.mark()
    alone.envelope("hello", id="1")
    same(alone.wait("error", since), error="EINVAL", call="input", id="1")
    alone.type("hello")
    same(alone.wait("error", since, count=2), error="EINVAL", id=None)


@pytest.mark.parametrize("to", ["nowhere", "nowhere:", "nowhere:0", "nowhere:65536", "::1:5005", "[nowhere]:5005"])
def test_what_is_no_address(alone, to):
    since = alone.mark()
    alone.envelope("hello", id="1", to=to)
    same(alone.wait("error", since), error="EINVAL", call="input", id="1")
    alone.type(f"@{to} hello")
    same(alone.wait("error", since, count=2), error="EINVAL", call="input")


def test_an_unknown_name(lab):
    peer = lab.node("udp-peer", "peer", network=lab.network())
    peer.envelope("hello", id="1", to="nobody:5005")
    same(peer.wait("error"), error="EAI_NONAME", call="getaddrinfo", id="1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"count": 0}, "count is 0"),
        ({"count": 1_000_001}, "count is 1000001"),
        ({"count": "10"}, "count is '10'"),
        ({"count": 2.5}, "count is 2.5"),
        ({"count": True}, "count is True"),
        ({"count": None}, "count is None"),
        ({"size": 100}, "its count is missing"),
        ({"count": 1, "size": -1}, "size is -1"),
        ({"count": 1, "size": LARGEST + 1}, "size is 65508"),
        ({"count": 1, "size": 10}, "the header alone takes"),
        ({"count": 1, "rate": -1}, "rate is -1"),
        ({"count": 1, "rate": 1e-300}, "rate is 1e-300"),
        ({"count": 1, "rate": float("nan")}, "rate is nan"),
        ({"count": 1, "rate": float("inf")}, "rate is inf"),
        ({"count": 1, "ratte": 5}, "no option ratte"),
    ],
)
def test_options_are_checked_where_they_enter(alone, options, said):
    since = alone.mark()
    alone.envelope("x", id="1", to="127.0.0.1:5005", **options)
    failed = alone.wait("error", since)
    same(failed, error="EINVAL", call="input", id="1")
    assert said in failed["reason"]
    assert not alone.events("send", since)


@pytest.mark.parametrize(
    ("numbers", "unique", "lost", "duplicated", "reordered"),
    [
        ([0, 1, 2, 3, 4], 5, 0, 0, 0),
        ([1, 0, 2, 4, 3], 5, 0, 0, 2),
        ([4, 0, 1, 2, 3], 5, 0, 0, 4),
        ([0, 0, 1, 1, 2, 3, 4], 5, 0, 2, 0),
        ([0, 2, 4], 3, 2, 0, 0),
        ([4, 2, 2, 0], 3, 2, 1, 2),
        ([3], 1, 4, 0, 0),
    ],
)
def test_what_came_of_a_train(sender, numbers, unique, lost, duplicated, reordered):
    ident = f"{random.getrandbits(60):x}"
    sender.train(ident, 5, numbers)
    done = sender.wait("train", train=ident)
    same(done, state="received", count=5, received=len(numbers), unique=unique, lost=lost, overflowed=0)
    same(done, duplicated=duplicated, reordered=reordered)
    came = sender.peer.events("recv", sender.since, train=ident)
    assert [event["seq"] for event in came] == numbers
    for event in came:
        same(event, local=done["local"], peer=done["peer"], proto="udp", text=None, late=None)
    assert done["local"] == [sender.peer.address(), 5005]
    if lost:
        assert QUIET <= seconds(came[-1], done) < QUIET + 0.5
    else:
        assert seconds(came[-1], done) < 0.1


def test_a_datagram_that_comes_too_late_is_marked_and_not_counted(sender):
    sender.train("late", 3, [0, 1])
    same(sender.wait("train", train="late"), received=2, lost=1)
    sender.train("late", 3, [2, 0])
    same(sender.wait("recv", train="late", seq=2), late=True)
    same(sender.wait("recv", train="late", seq=0, late=True), late=True)
    sender.train("next", 1, [0])
    sender.wait("train", train="next")
    assert len(sender.peer.events("train", sender.since, train="late")) == 1


def test_a_duplicate_of_a_complete_train_is_late(sender):
    sender.train("twice", 2, [0, 1, 1])
    same(sender.wait("recv", train="twice", late=True), seq=1)
    same(sender.wait("train", train="twice"), received=2, duplicated=0)


def test_trains_of_different_senders_and_lengths_are_different_trains(sender):
    other = Sender(sender.peer)
    sender.train("same", 2, [0])
    other.train("same", 2, [0])
    sender.train("same", 3, [1])
    sender.train("same", 2, [1])
    first = sender.wait("train", train="same")
    same(first, count=2, received=2)
    results = [sender.peer.wait("train", sender.since, count=number, train="same") for number in (2, 3)]
    assert sorted((result["count"], result["received"]) for result in results) == [(2, 1), (3, 1)]
    assert len({tuple(result["peer"]) for result in (first, *results)}) == 2
    other.sock.close()


@pytest.mark.parametrize(
    "data",
    [
        b"labctl-train a 0 1",
        b"labctl-train a 1 1\n",
        b"labctl-train a 0 1000001\n",
        b"labctl-train a 00 1\n",
        b"labctl-train a -1 1\n",
        b"labctl-train " + b"a" * 17 + b" 0 1\n",
        b"labctl-train a 0 " + b"9" * 1000 + b"\n",
        b"labctl-train a 0 1 \n",
    ],
)
def test_what_only_looks_like_a_train_is_a_datagram(sender, data):
    sender.sock.send(data)
    got = sender.wait("recv")
    same(got, bytes=len(data), text=data.decode(), train=None, seq=None)


@pytest.mark.turn(3)
def test_hostile_trains_take_bounded_memory_and_the_honest_one_is_counted(lab):
    peer = lab.node("udp-peer", "peer", publish=("5005/udp",))
    sender = Sender(peer)
    sender.train("honest", 3, [0, 1])
    sender.wait("recv", train="honest", seq=1)
    for number in range(500):
        sender.train(f"h{number}", 1_000_000, [999_999])
        if number % 50 == 49:
            sender.wait("recv", train=f"h{number}")
    sender.train("honest", 3, [2])
    same(sender.wait("train", train="honest"), received=3, lost=0)
    same(sender.wait("error"), error="ENOBUFS")
    assert peer.memory() < 32 << 20
    peer.wait("train", count=60, state="received", lost=999_999)
    assert len(peer.events("error")) < 5
    sender.train("after", 1, [0])
    sender.wait("train", train="after")
    assert not peer.stray


def test_noise_ends_nothing(sender):
    noise = random.Random(5)
    for number in range(200):
        sender.sock.send(noise.randbytes(noise.randrange(1, 1400)))
        if number % 20 == 19:
            sender.wait("recv", count=number + 1)
    sender.sock.send(b"still here")
    sender.wait("recv", text="still here")
    assert not sender.peer.events("error", sender.since)


def test_memory_at_rest(lab):
    assert lab.node("udp-peer", "peer").memory() <= MEMORY


def test_it_leaves_in_order(lab):
    peer = lab.node("udp-peer", "peer", env={"PEER": "127.0.0.1:9"})
    peer.envelope("x", id="1", count=1_000_000, rate=10)
    peer.wait("send", id="1")
    before = datetime.now().timestamp()
    code, _ = peer.stop()
    peer.docker.reload()
    finished = datetime.fromisoformat(peer.docker.attrs["State"]["FinishedAt"][:26] + "+00:00").timestamp()
    assert code == 0
    assert finished - before < 1
    assert [event["event"] for event in peer.journal[-3:]] == ["close", "close", "exit"]
    assert [event["local"] for event in peer.journal[-3:-1]] == [["0.0.0.0", 5005], ["::", 5005]]


# ---------------------------------------------------------------- pairs


@pytest.fixture(scope="module")
def network(module_lab):
    return module_lab.network()


@pytest.fixture(scope="module")
def pair(module_lab, network):
    return [
        module_lab.node("udp-peer", name, network=network, env={"PEER": f"{other}:5005"})
        for name, other in (("udp1", "udp2"), ("udp2", "udp1"))
    ]


@pytest.fixture
def udp(pair):
    """The two, and `since` which places in their journals is now: what earlier tests sent is in them."""
    one, two = pair
    for peer in pair:
        ident = f"{random.getrandbits(60):x}"
        peer.envelope(ident, id=ident, to="127.0.0.1:5005")
        peer.wait("recv", text=ident)
    one.since, two.since = one.mark(), two.mark()
    yield one, two
    assert not one.stray
    assert not two.stray


def test_a_line_is_a_datagram_and_both_ends_agree(udp):
    for here, there in (udp, udp[::-1]):
        here.type("wörld €😀")
        sent, got = here.wait("send", here.since), there.wait("recv", there.since)
        same(sent, text="wörld €😀", bytes=14, id=None, proto="udp", local=[here.address(), 5005])
        same(got, text="wörld €😀", bytes=14, proto="udp", local=sent["peer"], peer=sent["local"])
        assert sent["ts"] < got["ts"]


@pytest.mark.parametrize("text", ["", " ", "@udp2:5005 x", "exit", "a\rb", "\0", "\x1e", "\u2028", "z" * LARGEST])
def test_labctls_text_arrives_as_it_was_sent(udp, text):
    one, two = udp
    one.envelope(text, id="t-1")
    same(one.wait("send", one.since), id="t-1", bytes=len(text.encode()), text=text[:2048])
    same(two.wait("recv", two.since), bytes=len(text.encode()), text=text[:2048], id=None)
    assert [event["event"] for event in one.journal[one.since :]] == ["input", "send"]


def test_to_somebody_else(udp, lab, network):
    one, two = udp
    third = lab.node("udp-peer", "third", network=network)
    one.envelope("for you", id="1", to="third:5005")
    same(third.wait("recv"), text="for you", peer=[one.address(), 5005])
    one.type("@third:5005 and  you ", "@third:5005")
    same(third.wait("recv", count=2), text="and  you ")
    same(third.wait("recv", count=3), text="", bytes=0)
    one.envelope("@third:5005 not you", id="2", to="udp2:5005")
    same(two.wait("recv", two.since), text="@third:5005 not you")
    assert len(third.events("recv")) == 3


def test_to_itself(udp):
    one, _ = udp
    for where in (one.address(), "127.0.0.1"):
        one.envelope("hello me", id=where, to=f"{where}:5005")
        sent = one.wait("send", one.since, id=where)
        same(sent, local=[where, 5005], peer=[where, 5005])
        same(one.wait("recv", one.since, local=(where, 5005)), peer=[where, 5005], text="hello me")


def test_lines_leave_in_the_order_in_which_they_were_typed(udp):
    one, two = udp
    for number in range(100):
        one.envelope(f"line {number}", id=str(number), to=["udp2:5005", f"{two.address()}:5005"][number % 2])
    two.wait("recv", two.since, count=100)
    assert [event["text"] for event in two.events("recv", two.since)] == [f"line {number}" for number in range(100)]


def test_a_datagram_that_is_too_long(udp):
    one, two = udp
    one.envelope("z" * (LARGEST + 1), id="1")
    same(one.wait("error", one.since), error="EMSGSIZE", call="sendto", id="1", local=[one.address(), 5005])
    one.envelope("next", id="2")
    same(two.wait("recv", two.since), text="next")
    assert not one.events("send", one.since, id="1")


def test_nobody_listens_and_nobody_says_so(udp):
    """The other host answers by ICMP, port unreachable; Linux tells no socket of it that isn't connected (udp(7))."""
    one, two = udp
    one.envelope("hello?", id="1", to="udp2:9")
    one.wait("send", one.since, id="1")
    one.envelope("hello!", id="2")
    two.wait("recv", two.since, text="hello!")
    assert not one.events("error", one.since)


def test_no_route(udp):
    one, two = udp
    one.envelope("hello", id="1", to="[fd99::1]:5005")
    failed = one.wait("error", one.since)
    same(failed, call="sendto", id="1")
    assert failed["error"] in ("ENETUNREACH", "EADDRNOTAVAIL")
    one.envelope("x", id="2", to="255.255.255.255:5005")
    same(one.wait("error", one.since, count=2), error="EACCES", id="2")
    one.envelope("next", id="3")
    two.wait("recv", two.since, text="next")


def test_a_broken_line_on_the_keyboard_ends_nothing(udp):
    one, two = udp
    one.write(b"\xff\xfe\n\x1e{broken\n\x1e[]\nnext\n")
    two.wait("recv", two.since, text="next")
    one.wait("error", one.since, count=3)
    errors = [event["error"] for event in one.events("error", one.since)]
    assert errors == ["EILSEQ", "EBADMSG", "EBADMSG"]


# ---------------------------------------------------------------- trains between a pair


def test_a_train(udp):
    one, two = udp
    one.envelope("abc", id="t", count=12, size=40, rate=0)
    left, came = one.wait("train", one.since), two.wait("train", two.since)
    same(left, state="sent", id="t", count=12, bytes=480)
    ident = left["train"]
    same(
        came,
        state="received",
        train=ident,
        count=12,
        received=12,
        unique=12,
        lost=0,
        duplicated=0,
        reordered=0,
        id=None,
    )
    sends, recvs = one.events("send", one.since), two.events("recv", two.since)
    for events, ends in ((sends, left), (recvs, came)):
        assert [event["seq"] for event in events] == list(range(12))
        for event in events:
            same(event, train=ident, bytes=40, local=ends["local"], peer=ends["peer"], proto="udp")
    assert (
        (left["local"], left["peer"]) == (came["peer"], came["local"]) == ([one.address(), 5005], [two.address(), 5005])
    )
    assert {event["id"] for event in sends} == {"t"}
    assert all(sent["ts"] < got["ts"] for sent, got in zip(sends, recvs, strict=True))
    names = [event["event"] for event in one.journal[one.since :]]
    assert names == ["input", *["send"] * 12, "train"]


@pytest.mark.parametrize(("size", "count"), [(0, 101), (LARGEST, 3), (1472, 5)])
def test_sizes_and_filler_on_the_wire(lab, network, udp, size, count):
    """A raw socket in a container of its own sees the bytes themselves."""
    script = (
        "import socket\n"
        "from labnode import journal\n"
        "sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(('0.0.0.0', 5005))\n"
        "journal.event('ready')\n"
        "while True: journal.event('raw', **journal.payload(sock.recv(65535), 65535))\n"
    )
    raw = lab.node("udp-peer", "raw", network=network, command=["python3", "-c", script])
    one, _ = udp
    one.envelope("hé ", id="t", to="raw:5005", count=count, size=size)
    ident = one.wait("train", one.since)["train"]
    raw.wait("raw", count=count)
    for seq, event in enumerate(raw.events("raw")):
        data = event["text"].encode() if "text" in event else base64.b64decode(event["data"])
        head = header(ident, seq, count)
        assert data == (head + "hé ".encode() * (1 + size // 4))[: size or len(head)]


@pytest.mark.turn(3)
@pytest.mark.parametrize(("rate", "count"), [(50, 100), (1000, 2000), (33.5, 60)])
def test_the_rate_is_kept(udp, rate, count):
    one, two = udp
    one.envelope("x", id="t", count=count, rate=rate)
    left = one.wait("train", one.since, within=30)
    assert left["seconds"] >= (count - 1) / rate
    sends = one.events("send", one.since)
    late = [seconds(sends[0], event) - seq / rate for seq, event in enumerate(sends)]
    assert min(late) > -0.001, "one was sent before its time"
    # However busy the machine is: a datagram that is late makes no other late.
    assert min(late[-count // 4 :]) < 0.01
    same(two.wait("train", two.since, within=30), received=count, lost=0)


def test_the_default_rate_is_a_hundred_a_second(udp):
    one, _ = udp
    one.envelope("x", id="t", count=51)
    assert 0.5 <= one.wait("train", one.since)["seconds"] < 1


def test_keyboard_and_receiving_go_on_during_a_train(udp):
    one, two = udp
    one.envelope("x", id="long", count=300, rate=100)
    one.wait("send", one.since, id="long")
    one.envelope("in between", id="1")
    two.wait("recv", two.since, text="in between")
    two.envelope("an answer", id="2")
    one.wait("recv", one.since, text="an answer")
    one.envelope("y", id="short", count=5, rate=0)
    one.wait("train", one.since, id="short")
    assert not one.events("train", one.since, id="long")
    same(one.wait("train", one.since, id="long"), count=300)
    for ident, count in (("long", 300), ("short", 5)):
        number = one.events("train", one.since, id=ident)[0]["train"]
        same(two.wait("train", two.since, train=number), received=count, lost=0)


@pytest.mark.turn(3)
def test_as_fast_as_can_be(udp):
    """What the receiver's buffer can't hold is lost, as UDP loses it; every number is in exactly one of the counts."""
    one, two = udp
    one.envelope("x", id="t", count=20_000, rate=0)
    one.envelope("in between", id="1")
    left = one.wait("train", one.since, within=60)
    same(left, count=20_000)
    sent = one.wait("send", one.since, id="1")
    assert sent["ts"] < left["ts"], "the train held the keyboard up"
    came = two.wait("train", two.since, within=60, train=left["train"])
    assert came["unique"] + came["lost"] == 20_000
    assert (
        came["received"]
        == came["unique"] + came["duplicated"]
        == len(two.events("recv", two.since, train=left["train"]))
    )
    assert came["reordered"] == 0
    assert len(one.events("send", one.since, id="t")) == 20_000


def test_what_the_receivers_queue_had_no_room_for_is_told_apart(udp):
    """All of it comes to a receiver that does nothing for a while: what is lost was lost there, and not on the way."""
    one, two = udp
    two.docker.pause()
    try:
        one.envelope("x", id="t", count=2000, rate=0)
        left = one.wait("train", one.since, id="t")
    finally:
        two.docker.unpause()
    came = two.wait("train", two.since, train=left["train"])
    assert came["lost"] > 1000
    assert came["overflowed"] == came["lost"]
    one.envelope("x", id="u", count=20)
    left = one.wait("train", one.since, id="u")
    same(two.wait("train", two.since, train=left["train"]), received=20, lost=0, overflowed=0)


def test_a_train_that_can_not_be_sent_is_an_error(udp):
    one, _ = udp
    one.envelope("x", id="1", count=10, to="nobody:5005")
    same(one.wait("error", one.since), error="EAI_NONAME", id="1")
    one.envelope("x", id="2", count=10, to="[fd99::1]:5005")
    same(one.wait("error", one.since, count=2), call="sendto", id="2")
    assert not one.events("train", one.since)


# ---------------------------------------------------------------- IPv6, and the echo server's datagrams


def test_over_ipv6(lab):
    network = lab.network(ipv6=True)
    one, two = [lab.node("udp-peer", name, network=network) for name in ("one", "two")]
    addresses = [peer.address(network, family=6) for peer in (one, two)]
    one.envelope("hello", id="1", to=f"[{addresses[1]}]:5005")
    same(one.wait("send"), local=[addresses[0], 5005], peer=[addresses[1], 5005], id="1")
    same(two.wait("recv"), local=[addresses[1], 5005], peer=[addresses[0], 5005], text="hello")
    two.type("@one:5005 by name")
    got = one.wait("recv", text="by name")
    assert got["local"][0] in (addresses[0], one.address(network))
    two.envelope("t", id="2", to=f"[{addresses[0]}]:5005", count=5, rate=0)
    same(one.wait("train"), received=5, peer=[addresses[1], 5005], local=[addresses[0], 5005])


@pytest.mark.turn(3)
@pytest.mark.parametrize("ipv6", [False, True])
def test_the_echo_server_answers_datagrams(lab, ipv6):
    network = lab.network(ipv6=ipv6)
    echo = lab.node("echo-server", "echo", network=network)
    peer = lab.node("udp-peer", "peer", network=network)
    address = echo.address(network, family=6 if ipv6 else 4)
    to = f"[{address}]:7" if ipv6 else f"{address}:7"
    for number, text in enumerate(("", "hello", "wörld €😀", "z" * LARGEST), 1):
        peer.envelope(text, id=str(number), to=to)
        size = len(text.encode())
        came, went = echo.wait("recv", count=number), echo.wait("send", count=number)
        got = peer.wait("recv", count=number)
        for event in (came, went):
            same(event, proto="udp", local=[address, 7], bytes=size, text=text[:2048])
        same(got, peer=[address, 7], local=came["peer"], bytes=size, text=text[:2048])
        same(peer.events("send")[-1], local=came["peer"], peer=came["local"])
