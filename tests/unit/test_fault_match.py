"""The language that picks packets: its words, and the packets that they pick."""

import pytest
from labfault.match import Match
from labfault.packet import Packet
from packets_by_hand import icmp, tcp, udp

from labctl.faults import conditions
from labctl.faults.conditions import Malformed
from labctl.faults.link import parse as parse_link
from labctl.faults.match import parse

HELLO = tcp(b"say hi\n", "psh,ack")
SYN, SYN_ACK, ACK, FIN, RST = (tcp(flags=flags) for flags in ("syn", "syn,ack", "ack", "fin,ack", "rst,ack"))
PACKETS = {
    "HELLO": HELLO,
    "SYN": SYN,
    "SYN_ACK": SYN_ACK,
    "ACK": ACK,
    "FIN": FIN,
    "RST": RST,
    "DATAGRAM": udp(b"\x00\xffhi"),
    "EMPTY": udp(),
    "PING": icmp(),
    "SIX": tcp(b"hi", "psh,ack", src="fd00::5", dst="fd00::6"),
}


def picked(expression: str, packets=PACKETS) -> set[str]:
    return {name for name, data in packets.items() if Match(parse(expression)).takes(Packet(data))}


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("any", set(PACKETS)),
        ("tcp", {"HELLO", "SYN", "SYN_ACK", "ACK", "FIN", "RST", "SIX"}),
        ("udp", {"DATAGRAM", "EMPTY"}),
        ("icmp", {"PING"}),
        ("tcp syn", {"SYN"}),
        ("syn", {"SYN"}),
        ("tcp syn ack", {"SYN_ACK"}),
        ("tcp fin", {"FIN"}),
        ("tcp rst", {"RST"}),
        ("tcp psh", {"HELLO", "SIX"}),
        ("tcp data", {"HELLO", "SIX"}),
        ("data", {"HELLO", "DATAGRAM", "PING", "SIX"}),
        ("tcp data 1", {"HELLO", "SIX"}),
        ("tcp data 2", set()),
        ("datagram 1", {"DATAGRAM", "EMPTY"}),
        ('contains "hi"', {"HELLO", "DATAGRAM", "SIX"}),
        ("contains hi", {"HELLO", "DATAGRAM", "SIX"}),
        (r'contains "hi\n"', {"HELLO"}),
        (r'udp contains "\x00\xff"', {"DATAGRAM"}),
        ('contains "12345"', set()),  # a payload is looked at, no header
        ("port 5005", {"DATAGRAM", "EMPTY"}),
        ("sport 12345", set(PACKETS) - {"DATAGRAM", "EMPTY", "PING"}),
        ("dport 12345", set()),
        ("dport 40000 data", {"HELLO", "SIX"}),
        ("size 28", {"EMPTY"}),
        ("size 28-32", {"EMPTY", "DATAGRAM", "PING"}),
        ("size 60-", {"SIX"}),
        ("udp size -30", {"EMPTY"}),
    ],
)
def test_what_an_expression_picks(expression, wanted):
    assert picked(expression) == wanted


def test_counts_are_kept_for_each_flow():
    match = Match(parse("udp every 3"))
    flows = [Packet(udp(b"x", sport=port)) for port in (1, 2)]
    taken = [match.takes(flows[number % 2]) for number in range(12)]
    assert taken == [number in (4, 5, 10, 11) for number in range(12)]


def test_the_nth_is_one_and_no_other():
    match = Match(parse("tcp data 2"))
    stream = [ACK, HELLO, ACK, HELLO, HELLO, HELLO]
    assert [match.takes(Packet(data)) for data in stream] == [False, False, False, True, False, False]


@pytest.mark.parametrize("data", [b"", b"\x45", b"\x45" + b"\0" * 18, HELLO[:30], b"\x60" * 39, b"\xff" * 60])
def test_a_packet_that_is_cut_short_is_no_error(data):
    packet = Packet(data)
    assert packet.proto is None
    Match(parse('any data contains "x"')).takes(packet)
    assert packet.length <= len(data)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "the expression is empty"),
        ("tpc data 1", "'tpc' is no word of a match; did you mean tcp?"),
        ("tcp dta 1", "'dta' is no word of a match; did you mean data"),
        ("data 1 tcp", "tcp does not stand at the beginning"),
        ("tcp data 0", "data 0: a number from 1 to"),
        ("udp datagram", "datagram ?: a number"),
        ("udp datagram x", "datagram x: a number"),
        ("tcp datagram 1", "datagram contradicts"),
        ("udp syn", "udp has no flags such as syn"),
        ("icmp port 7", "icmp has no ports"),
        ("tcp port 70000", "port 70000: a number from 1 to 65535"),
        ("tcp data 1 every 2", "not both"),
        ("tcp data 1 data 2", "data contradicts"),
        ('tcp contains "hi', "a quotation mark is open"),
        ('tcp contains ""', "contains an empty text"),
        (r'tcp contains "\q"', r"\q is no escape"),
        ("tcp contains", "contains: what?"),
        ("size 200-100", "no packet has from 200 to 100 bytes"),
        ("size x", "size x: bytes are wanted"),
        ("tcp data \u0663", "'\u0663' is no word"),
    ],
)
def test_bad_expressions(expression, problem):
    with pytest.raises(Malformed) as found:
        parse(expression)
    assert problem in str(found.value)
    assert found.value.hint


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"loss": "130%"}, "loss 130% is no share"),
        ({"loss": "0.1"}, "loss 0.1 is no share"),
        ({"loss": "nan%"}, "loss nan% is no share"),
        ({"delay": "-5ms"}, "delay -5ms is negative"),
        ({"delay": "5"}, "delay 5 is not a time such as 40ms"),
        ({"delay": "2000s"}, "delay 2000s is too long"),
        ({"rate": "0mbit"}, "rate 0mbit lets nothing through"),
        ({"rate": "0"}, "rate 0 is not a rate"),
        ({"rate": "1bit"}, "too slow"),
        ({"drop": "1%", "loss": "2%"}, "loss is given twice, as drop and loss"),
        ({"los": "1%"}, "'los' is no condition of a link; did you mean loss?"),
        ({"jitter": "5ms"}, "jitter 5ms is more than the delay"),
        ({"jitter": "5ms", "delay": "4ms"}, "jitter 5ms is more than the delay"),
    ],
)
def test_bad_conditions(given, problem):
    with pytest.raises(Malformed) as found:
        conditions.parse(given)
    assert problem in str(found.value)


def test_conditions_are_shown_as_they_are_typed():
    text = "delay 1.5s jitter 20ms drop 10% duplicate 0.5% rate 1.5mbit"
    assert str(conditions.parse_words(text, "alice:bob")) == text
    # netem's word goes on being understood; what is told has one word.
    assert str(conditions.parse_words(text.replace("drop", "loss"), "alice:bob")) == text


def test_links():
    assert parse_link("a:b", []).ways == [("a", "b")]
    assert parse_link("a-b", []).ways == [("a", "b"), ("b", "a")]
    # A dash may be part of a name.
    assert parse_link("web-1-db", ["web-1", "db"]).ways == [("web-1", "db"), ("db", "web-1")]
    for text in ("a:", ":b", "alone", "-"):
        with pytest.raises(Malformed):
            parse_link(text, [])
