"""What ping, route and dns do without a lab: questions and answers of DNS, resolv.conf and hosts, errors, text."""

import base64
import contextlib
import json
import socket
import struct
import threading

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labreach import names
from labreach.output import Refused

from labctl.errors import LabError
from labctl.lab.reach import dns, ping
from labctl.lab.reach.probe import Target, kernel_words, owner, target
from labctl.packets.protocols.application import dns_values
from labctl.packets.protocols.application.dns import Entry, Malformed, decode
from labctl.render.reach import looks
from labctl.render.text import width

LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
NAMES = st.lists(LABELS, min_size=1, max_size=6).map(".".join)


def name(text: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"


def record(owner_: bytes, kind: int, data: bytes, ttl=600) -> bytes:
    return owner_ + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def message(*records: bytes, asked=b"", flags=0x8180, ident=7) -> bytes:
    return struct.pack("!6H", ident, flags, bool(asked), len(records), 0, 0) + asked + b"".join(records)


# Questions, as another's decoder reads them.


@given(NAMES, st.sampled_from([1, 12, 15, 16, 28, 33, 255]), st.integers(0, 65535))
def test_a_question_is_what_dpkt_reads(asked, kind, ident):
    found = dpkt.dns.DNS(names.question(ident, asked, kind))
    assert (found.id, found.qr, found.rd, len(found.qd)) == (ident, 0, 1, 1)
    assert (found.qd[0].name, found.qd[0].type, found.qd[0].cls) == (asked, kind, 1)


@pytest.mark.parametrize("asked", ["a..b", ".a", "a" * 64, ".".join(["a" * 60] * 5), "ü" * 60, "\udcff"])
def test_names_that_can_not_be_written(asked):
    with pytest.raises(Refused, match="no name can be written so"):
        names.question(1, asked, 1)


def test_names_beyond_ascii_are_asked_for_as_idna():
    assert b"\x0dxn--bcher-kva" in names.question(1, "bücher", 1)


# Answers: those of dpkt's making, those of our own, and what no server would send.


def test_records_of_every_kind():
    pointer = b"\xc0\x0c"
    found = decode(
        message(
            record(pointer, 1, bytes([10, 77, 0, 6])),
            record(pointer, 28, socket.inet_pton(socket.AF_INET6, "fd77:5::6")),
            record(pointer, 5, name("other") + b""),
            record(pointer, 15, b"\0\x0a" + name("mail.lab")),
            record(pointer, 16, b'\x05a"b\\\x07' + b"\x01c"),
            record(pointer, 33, struct.pack("!3H", 1, 2, 53) + name("ns.lab")),
            record(pointer, 6, name("ns") + name("who.lab") + struct.pack("!5I", 1, 2, 3, 4, 5)),
            record(pointer, 65280, b"\x01\x02", ttl=2**31 + 5),
            asked=name("bob.lab") + struct.pack("!HH", 255, 1),
        )
    )
    assert (found.ident, found.rcode, found.mnemonic, found.words) == (7, 0, "NOERROR", "")
    assert found.questions == (("bob.lab", "ANY"),)
    assert found.answers[-1] == Entry("bob.lab", "type 65280", 0, "\\# 2 0102")
    assert [(item.type, item.value) for item in found.answers[:-1]] == [
        ("A", "10.77.0.6"),
        ("AAAA", "fd77:5::6"),
        ("CNAME", "other"),
        ("MX", "10 mail.lab"),
        ("TXT", '"a\\"b\\\\\\007" "c"'),
        ("SRV", "1 2 53 ns.lab"),
        ("SOA", "ns who.lab 1 2 3 4 5"),
    ]


@given(NAMES, st.lists(st.ip_addresses(v=4), max_size=8), st.integers(0, 2**31 - 1))
def test_an_answer_of_dpkts_making(asked, addresses, ttl):
    made = dpkt.dns.DNS(id=7, qr=1, qd=[dpkt.dns.DNS.Q(name=asked)])
    made.an = [dpkt.dns.DNS.RR(name=asked, rdata=address.packed, ttl=ttl) for address in addresses]
    found = decode(bytes(made))
    assert found.questions == ((asked, "A"),)
    assert found.answers == tuple(Entry(asked, "A", ttl, str(address)) for address in addresses)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_malformed(data):
    with contextlib.suppress(Malformed):
        assert decode(data).ident == int.from_bytes(data[:2])


@given(st.binary(max_size=120), st.integers(1, 4))
def test_any_records_are_a_message_or_malformed(data, count):
    """Past the header, where pointers are."""
    try:
        found = decode(struct.pack("!6H", 7, 0x8180, 0, count, 0, 0) + data)
    except Malformed:
        return
    assert len(found.answers) == count
    assert all(len(item.name) <= 4 * 255 for item in found.answers)


@given(st.data())
def test_an_answer_cut_anywhere_is_malformed(data):
    whole = message(record(b"\xc0\x0c", 1, bytes(4)), asked=name("bob.lab") + b"\0\1\0\1")
    with pytest.raises(Malformed):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize("pointer", [b"\xc0\x0c", b"\xc0\x0e", b"\xc0\xff", b"\xff\xff", b"\x01a\xc0\x0c"])
def test_pointers_that_lead_nowhere(pointer):
    with pytest.raises(Malformed, match="points at itself, or forwards"):
        decode(message(record(pointer, 1, bytes(4))))


@pytest.mark.parametrize("count", [3, 4])
def test_a_chain_of_pointers_is_no_name_without_end(count):
    """Each name is 64 bytes and a pointer to the one before; over 255 bytes is no name (RFC 1035, section 2.3.4)."""
    data = struct.pack("!6H", 7, 0x8180, count, 0, 0, 0)
    before = None
    for _ in range(count):
        at = len(data)
        data += b"\x3f" + b"a" * 63 + (b"\0" if before is None else struct.pack("!H", 0xC000 | before)) + b"\0\1\0\1"
        before = at
    if count == 3:
        assert len(decode(data).questions[2][0]) == 3 * 63 + 2
        return
    with pytest.raises(Malformed, match="over 255 bytes"):
        decode(data)


# A node's files.


def test_resolv_conf():
    text = "# nameserver 1.1.1.1\nnameserver 127.0.0.11\nsearch a.lab b.lab\noptions edns0 ndots:2 x\nnameserver\n"
    assert names.resolv_conf(text) == {"servers": ["127.0.0.11"], "search": ["a.lab", "b.lab"], "ndots": 2}
    assert names.resolv_conf("") == {"servers": ["127.0.0.1"], "search": [], "ndots": 1}


@given(st.text(max_size=200))
def test_any_text_is_a_resolv_conf_and_a_hosts_file(text):
    assert names.resolv_conf(text)["servers"]
    assert isinstance(names.hosts(text, "bob"), list)


@pytest.mark.parametrize(
    ("asked", "ndots", "order"),
    [
        ("bob", 0, ["bob", "bob.a", "bob.b"]),
        ("bob", 1, ["bob.a", "bob.b", "bob"]),
        ("bob.lab", 1, ["bob.lab", "bob.lab.a", "bob.lab.b"]),
        ("bob.", 1, ["bob"]),
    ],
)
def test_the_search_list(asked, ndots, order):
    assert names.candidates(asked, {"search": ["a", "b"], "ndots": ndots}) == order


def test_hosts():
    text = "127.0.0.1 localhost\n# 9.9.9.9 echo\n10.78.2.3\tEcho echo.lab # it\nfd00:0::1 six\n\n"
    assert names.hosts(text, "echo.") == [{"address": "10.78.2.3", "names": ["Echo", "echo.lab"]}]
    assert names.hosts(text, "10.78.2.3") == names.hosts(text, "ECHO.LAB")
    assert names.hosts(text, "fd00::1") == [{"address": "fd00:0::1", "names": ["six"]}]


# The exchange with a real socket, and what labctl makes of it.


@pytest.fixture
def server(monkeypatch):
    """`server(reply)` is a name server on a port of this machine that answers each query by UDP with `reply(query)`."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    monkeypatch.setattr(names, "PORT", sock.getsockname()[1])
    threads = []

    def start(*replies):
        def serve():
            for reply in replies:
                query, peer = sock.recvfrom(4096)
                if not query:  # the test is over
                    return
                for data in reply(query):
                    sock.sendto(data, peer)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()

    yield start
    for thread in threads:
        sock.sendto(b"", sock.getsockname())  # not every reply need have been asked for
        thread.join()
    sock.close()


def answered(capsys, lab, name_="bob", kind=1, candidates=("bob",), limit=5.0) -> dns.Lookup:
    """The probe asks, and labctl reads what it prints."""
    names._ask(list(candidates), kind, ["127.0.0.1"], limit)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    replies = tuple(dns._reply(event, {kind: "A"}) for event in events)
    return dns.Lookup("alice", name_, ("127.0.0.1",), (), (), replies)


@pytest.fixture
def lab(engine, lab_of):
    engine.add("lab", "alice", role="chat", addresses={"left": ("10.77.0.5",)})
    engine.add("lab", "bob", role="chat", addresses={"right": ("10.78.0.6",), "left": ("10.77.0.6", "fd77::6")})
    engine.add("lab", "gone", role="chat", addresses={}, state="exited")
    return lab_of()


def test_only_the_answer_to_the_question_counts(server, capsys, lab):
    """Not one with another id, and not a query that comes back."""

    def reply(query):
        right = message(record(b"\xc0\x0c", 1, bytes([10, 78, 0, 6])), asked=query[12:])
        yield b"\0" * 4
        yield bytes([query[0] ^ 1]) + query[1:2] + right[2:]
        yield query
        yield query[:2] + right[2:]

    server(reply)
    looked = answered(capsys, lab)
    dns.check(lab, looked)
    (found,) = looked.as_json(lab)["questions"][0]["answers"]
    assert found == {"name": "bob", "type": "A", "ttl": 600, "value": "10.78.0.6", "owner": "bob"}
    assert looks.names(lab, looked, columns=80, colour=False).splitlines()[1].endswith("10.78.0.6  ttl 600 s  bob")


def failing(flags: int):
    return lambda query: [query[:2] + message(asked=query[12:], flags=flags)[2:]]


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (0x8183, "no-such-name", "no such name: bbo (127.0.0.1 says NXDOMAIN); did you mean bob?"),
        (0x8180, "no-records", "bbo is there, and has no record of the type A"),
        (0x8182, "dns-failed", "127.0.0.1 has no answer about bbo: server failure (SERVFAIL)"),
        (0x8185, "dns-failed", "127.0.0.1 has no answer about bbo: refused (REFUSED)"),
    ],
)
def test_answers_that_are_none(server, capsys, lab, flags, code, words):
    server(failing(flags))
    looked = answered(capsys, lab, "bbo")
    with pytest.raises(LabError) as caught:
        dns.check(lab, looked)
    assert (caught.value.code, caught.value.message) == (code, words)
    assert caught.value.values["seen"] == looked.as_json(lab)


def test_the_search_list_goes_on_after_no_such_name(server, capsys, lab):
    asked = []

    def last(query):
        asked.append(query[12:])
        yield query[:2] + message(record(b"\xc0\x0c", 1, bytes(4)), asked=query[12:])[2:]

    server(failing(0x8183), last)
    (reply,) = answered(capsys, lab, candidates=("bob.a", "bob")).replies
    assert (reply.name, asked) == ("bob", [name("bob") + b"\0\1\0\1"])


@pytest.mark.parametrize("cut", [0, 1])
def test_an_answer_that_was_cut_is_asked_for_again_by_tcp(server, capsys, lab, cut):
    """RFC 7766; and one that breaks off there, too, is no answer."""
    server(*[failing(0x8380)] * names.TRIES)
    listener = socket.create_server(("127.0.0.1", names.PORT))

    def serve():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:  # it is shut down
                return
            # On a busy machine who asked may be gone by now, and asks again.
            with contextlib.suppress(ConnectionError), connection, connection.makefile("rb") as stream:
                query = stream.read(int.from_bytes(stream.read(2)))
                data = message(*[record(b"\xc0\x0c", 1, bytes([10, 77, 0, 6]))] * 99, asked=query[12:])
                data = query[:2] + data[2:]
                connection.sendall(struct.pack("!H", len(data)) + data[: 5 if cut else None])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    (reply,) = answered(capsys, lab).replies
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()
    if cut:
        assert reply.message is None
        assert reply.reasons == (("127.0.0.1", "what came by TCP is no answer to the question"),)
    else:
        assert (reply.transport, len(reply.message.answers)) == ("tcp", 99)


def test_a_server_that_is_silent_and_one_that_is_not_there(server, capsys, lab, monkeypatch):
    server()
    with pytest.raises(LabError, match=r"no name server answered alice about bob \(127.0.0.1: no answer\)"):
        dns.check(lab, answered(capsys, lab, limit=0.4))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(names, "PORT", free.getsockname()[1])
    with pytest.raises(LabError, match=r"127.0.0.1: Connection refused"):
        dns.check(lab, answered(capsys, lab))


def test_an_answer_that_can_not_be_read(lab):
    event = {"event": "answer", "name": "bob", "type": 1, "server": "10.0.0.1", "data": base64.b64encode(b"x" * 13)}
    reply = dns._reply({**event, "transport": "udp", "rtt_ns": 1}, {1: "A"})
    looked = dns.Lookup("alice", "bob", (), (), (), (reply,))
    with pytest.raises(LabError) as caught:
        dns.check(lab, looked)
    assert caught.value.code == "dns-silent"
    assert "its answer can't be read" in looks.names(lab, looked, columns=None, colour=False)


# Whom a look is about, and what it may be refused for before anything is asked.


def test_a_node_is_taken_at_the_address_on_a_shared_network(lab):
    alice = lab.node("alice")
    assert target(lab, alice, "bob", None).address == "10.77.0.6"
    assert target(lab, alice, "bob", 6).address == "fd77::6"
    assert target(lab, alice, "10.78.0.6", None) == Target("10.78.0.6", "10.78.0.6", "bob")
    assert target(lab, alice, "www.example.com", None) == Target("www.example.com")
    assert owner(lab, "fd77:0:0::6") == "bob"
    assert owner(lab, "no address") is None


@pytest.mark.parametrize(
    ("to", "family", "code"),
    [
        ("alice", 6, "no-address"),
        ("10.1.1.1", 6, "no-address"),
        ("gone", None, "not-running"),
        ("", None, "bad-option"),
    ],
)
def test_targets_that_are_none(lab, to, family, code):
    with pytest.raises(LabError) as caught:
        target(lab, lab.node("alice"), to, family)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("bbo", "alice"), "unknown-node"),
        (("gone", "alice"), "not-running"),
        (("alice", "gone"), "not-running"),
    ],
)
def test_no_probe_is_made_for_what_can_not_be(engine, lab, args, code):
    with pytest.raises(LabError) as caught:
        list(ping.ping(engine, lab, *args))
    assert caught.value.code == code
    assert len(engine.containers()) == 3


@pytest.mark.parametrize(
    ("arguments", "option"),
    [({"types": ["FOO"]}, "--type"), ({"types": ["OPT"]}, "--type"), ({"server": "nowhere"}, "--server")],
)
def test_questions_that_are_none(engine, lab, arguments, option):
    with pytest.raises(LabError) as caught:
        dns.ask(engine, lab, "alice", "bob", **arguments)
    assert caught.value.message.startswith(f"{option}: ")


# What the probe prints, as answers and as text.

EVENTS = [
    {"event": "reply", "seq": 1, "from": "10.77.0.6", "rtt_ns": 1_500_000, "ttl": 64, "bytes": 64},
    {"event": "reply", "seq": 1, "from": "10.77.0.6", "rtt_ns": 1_700_000, "ttl": 64, "bytes": 64, "again": True},
    {"event": "lost", "seq": 2},
    {"event": "reply", "seq": 2, "from": "10.77.0.6", "rtt_ns": 2_500_000_000, "ttl": 64, "bytes": 64, "late": True},
    {"event": "error", "seq": 3, "from": "10.9.9.9", "rtt_ns": 5, "type": 3, "code": 1},
    {"event": "unsent", "seq": 4, "error": "ENETUNREACH", "reason": "Network is unreachable"},
]


def test_a_summary_counts_each_request_once(lab):
    found = ping.summary([ping.answer(lab, "alice", event) for event in EVENTS])
    assert found.as_json() == {
        "sent": 4,
        "received": 1,
        "lost": 3,
        "duplicates": 1,
        "errors": 2,
        "min_ns": 1_500_000,
        "avg_ns": 1_500_000,
        "max_ns": 1_500_000,
    }
    assert "min_ns" not in ping.summary([]).as_json()


@pytest.mark.parametrize("columns", [80, 100, 200, None])
def test_answers_as_text(lab, columns):
    lines = [
        looks.answer(ping.answer(lab, "alice", event), 2, columns=columns, colour=False).strip() for event in EVENTS
    ]
    assert lines == [
        "1     1.500 ms  64 bytes from bob (10.77.0.6)  ttl 64",
        "1     1.700 ms  64 bytes from bob (10.77.0.6)  ttl 64  a duplicate",
        "2  lost: no answer within 2 s",
        "2    2500.0 ms  64 bytes from bob (10.77.0.6)  ttl 64  too late",
        "3     0.000 ms  10.9.9.9 says: destination unreachable: host unreachable",
        "4  not sent: no route of alice leads there (ENETUNREACH)",
    ]
    assert all(width(line) <= (columns or 999) for line in lines)


def test_why_nobody_answered(lab):
    asked = ping.Asked("alice", target(lab, lab.node("alice"), "bob", None), 1, 0.2, 2, 56)

    def code(*events) -> tuple[str, str]:
        with pytest.raises(LabError) as caught:
            ping.check(lab, asked, [ping.answer(lab, "alice", event) for event in events])
        return caught.value.code, caught.value.message

    ping.check(lab, asked, [ping.answer(lab, "alice", event) for event in EVENTS])
    assert code(EVENTS[2]) == ("no-answer", "sent, but bob (10.77.0.6) did not answer within 2 s")
    assert code(*EVENTS[2:4])[0] == "no-answer"
    assert code(EVENTS[4])[1].endswith("10.9.9.9 says: destination unreachable: host unreachable")
    assert code(EVENTS[5])[1].endswith(kernel_words("alice", "ENETUNREACH", ""))


def test_a_name_of_pointers_alone_has_an_end():
    """Each leads to the one before: of a long message, all together would be millions of steps."""
    data = struct.pack("!6H", 7, 0x8180, 0, 1, 0, 0) + b"\0"
    before = 12
    for _ in range(200):
        data, before = data + struct.pack("!H", 0xC000 | before), len(data)
    with pytest.raises(Malformed, match="over 127 pointers"):
        dns_values.name(data, before)


@pytest.mark.parametrize("kind", [1, 2, 5, 12, 15, 16, 46, 47])
def test_a_record_without_data_is_one(kind):
    """As in a dynamic update (RFC 2136, section 2.5.2)."""
    found = decode(message(record(b"\xc0\x0c", kind, b""), asked=name("bob.lab") + b"\0\6\0\1"))
    assert [item.value for item in found.answers] == ["\\# 0"]
