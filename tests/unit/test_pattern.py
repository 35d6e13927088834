"""Patterns of the wire: read, matched, written; on every scene that ladders are tested with."""

import random
import time
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

import pytest
from test_packets_ladders import SCENES
from traffic import connected

from labctl.api import wire
from labctl.errors import LabError
from labctl.packets.ladder.ladder import Options, of_pairs
from labctl.packets.pattern import BadPattern, Undecided, explained, match, parse, seen_of, write
from labctl.packets.pattern.compare import letters
from labctl.packets.pattern.words import bytes_of, split, text_of


def seen_on(wire, *, acks=True):
    wire, drops = wire if isinstance(wire, tuple) else (wire, {})
    sides = [replace(side, kernel_drops=drops.get(side.node, 0)) for side in wire.sides()]
    return seen_of(of_pairs(sides, wire.verdicts, Options(acks=acks, limit=0)))


def shown(text, packets):
    """What is said of a pattern that doesn't fit; empty where it fits."""
    pattern = parse(text)
    found = match(pattern, packets)
    return "" if found.fits else explained(pattern, found)


@pytest.fixture
def hello():
    wire, alice, bob = connected()
    alice.say(b"hi\n")
    bob.confirm(alice.seq)
    bob.say(b"yes\n")
    alice.confirm(bob.seq)
    return seen_on(wire)


HELLO = """\
alice > bob  S
bob > alice  S.
alice > bob  .
alice > bob  P. 1:4(3) ack 1 "hi\\n"
bob > alice  . ack 4
bob > alice  P. 1:5(4) "yes\\n"
alice > bob  . ack 5
"""


@pytest.mark.parametrize("name", SCENES)
def test_pattern_of_any_ladder_fits_it(name):
    packets = seen_on(SCENES[name]())
    text = write(packets)
    assert shown(text, packets) == ""


def test_keep_alives_are_no_lines_also_where_there_is_nothing_else():
    idle = [one for one in seen_on(SCENES["keep-alive"]()) if one.upkeep]
    assert idle
    assert write(idle) == f"# left out is what kernels send by themselves: keep-alive ({len(idle)})"


def changes(one):
    """A packet with one thing changed, in each way that the wire could show."""
    yield "other end", replace(one, sender=one.receiver, receiver=one.sender)
    if one.protocol == "tcp" and one.first is not None and not one.fragment:
        yield "flags", replace(one, flags=one.flags ^ {"U"})
        if one.length or one.takes_sequence or "R" in one.flags:
            yield "sequence", replace(one, first=one.first + 1, last=one.last + 1)
        if one.ack is not None:
            yield "acknowledgement", replace(one, ack=one.ack + 1)
    else:
        yield "protocol", replace(one, protocol="sctp")
    if one.payload and not one.message:
        other = bytes([one.payload[0] ^ 1]) + one.payload[1:]
        yield "payload", replace(one, payload=other)
        yield "length", replace(one, payload=one.payload + b"x", length=one.length + 1)
    for word in ("lost", "retransmission", "duplicate", "reordered", "corrupted"):
        yield word, replace(one, outcomes=tuple(set(one.outcomes) ^ {word}))


@pytest.mark.parametrize("name", SCENES)
def test_each_single_change_of_a_packet_makes_it_fail(name):
    packets = seen_on(SCENES[name]())
    pattern = parse(write(packets))
    drawn = [place for place, one in enumerate(packets) if not one.upkeep] or list(range(len(packets)))
    for place in random.Random(name).sample(drawn, min(12, len(drawn))):
        before, behind = packets[:place], packets[place + 1 :]
        for what, other in changes(packets[place]):
            assert not match(pattern, [*before, other, *behind]).fits, (place, what)
        assert not match(pattern, [*before, *behind]).fits, (place, "gone")
        assert not match(pattern, [*before, packets[place], packets[place], *behind]).fits, (place, "twice")


def test_what_the_wire_shows_fits(hello):
    assert shown(HELLO, hello) == ""
    assert shown("*", hello) == ""
    assert shown('alice > bob S\n*\nbob > alice P. (4) "ye"...\n*', hello) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (HELLO.replace("S.", "R."), "line 2 fits no packet: the nearest has flags S. instead of R."),
        (HELLO.replace("1:4(3) ack 1", "1:6(5)"), "the nearest has length 3 instead of 5"),
        (HELLO.replace('"hi\\n"', '"ho\\n"'), 'payload "hi\\n" instead of "ho\\n"'),
        (HELLO + "alice > bob F.", "line 8 fits nothing: no packet came any more"),
        (HELLO.rsplit("alice", 1)[0], "the pattern ends, and the wire shows one packet more"),
        (HELLO.replace('"hi\\n"', '"hi\\n" lost'), "the nearest is delivered as it was sent instead of lost"),
    ],
)
def test_what_differs_is_said(hello, changed, said):
    assert said in shown(changed, hello).splitlines()[0]


def test_difference_shows_both_sides(hello):
    lines = shown(HELLO.replace("1:5(4)", "1:9(8)"), hello).splitlines()
    assert lines[1:] == [
        "  alice > bob  S 0:0(0)",
        "  bob > alice  S. 0:0(0) ack 1",
        "  alice > bob  . ack 1",
        '  alice > bob  P. 1:4(3) ack 1 "hi\\n"',
        "  bob > alice  . ack 4",
        '- bob > alice  P. 1:9(8) "yes\\n"',
        '+ bob > alice  P. 1:5(4) ack 4 "yes\\n"',
        "+ alice > bob  . ack 5",
    ]


def test_lost_and_sent_again():
    wire, alice, bob = connected()
    first = alice.seq
    alice.say(b"hi\n", lost=True, by=[("f1", "drop")])
    wire.wait(210)
    alice.say(b"hi\n", seq=first)
    bob.confirm(first + 3)
    packets = seen_on(wire)
    text = "*\nalice > bob P. 1:4(3) lost by f1\nalice > bob P. 1:4(3) retransmission within {}\nbob > alice . ack 4"
    assert shown(text.format("1s"), packets) == ""
    assert "no packet in time" in shown(text.format("200ms"), packets)
    assert "lost by f1 instead of f2" in shown(text.format("1s").replace("f1", "f2"), packets)
    assert shown(text.format("1s").replace("f1", "$rule"), packets) == ""
    assert "lost by $f1" in write(packets)
    assert "retransmission" in write(packets)


def test_crossing_packets_fit_in_either_order():
    wire, alice, bob = connected()
    ack = bob.ack
    alice.say(b"a")
    bob.ack = ack  # it had not got that when it sent
    bob.say(b"b")
    packets = seen_on(wire)
    for order in (("alice > bob P. (1)", "bob > alice P. (1)"), ("bob > alice P. (1)", "alice > bob P. (1)")):
        assert shown("\n".join(["alice > bob S", "bob > alice S.", "alice > bob .", *order, "*"]), packets) == ""


def test_an_answer_does_not_come_before_its_question(hello):
    early = HELLO.splitlines()
    early[3], early[5] = early[5], early[3]
    assert shown("\n".join(early), hello) != ""


def test_counts_blocks_and_names(hello):
    assert shown("2+ x alice > bob .\n*", hello) != ""
    wire, alice, bob = connected()
    for number in range(5):
        alice.say(b"%d" % number)
        bob.confirm(alice.seq)
    packets = seen_on(wire)
    assert shown("ignore acks\n3 x alice > bob .\n*", packets) != ""
    start = "ignore acks\nalice:$port > bob S\nbob > alice:$port S.\nalice > bob .\n"
    assert shown(start + "5 x alice:$port > bob P. (1)", packets) == ""
    assert shown(start + "3-5 x alice > bob P. (1)", packets) == ""
    assert shown(start + "1+ x alice > bob P. (1)", packets) == ""
    assert shown(start + "4 x alice > bob P. (1)", packets).startswith("the pattern ends")
    assert shown(start + "6 x alice > bob P. (1)", packets).startswith("line 5 fits nothing")
    block = "{\n" + "".join(f'alice > bob P. "{number}"\n' for number in (3, 1, 0, 2)) + "}\n"
    assert shown(start + block + 'alice > bob P. "4"', packets) == ""
    assert "lines 6, 7, 8, 9" not in shown(start + block.replace('"3"', '"9"') + "*", packets)
    assert shown(start + block.replace('"3"', '"9"') + "*", packets) != ""
    assert shown(start + "alice > bob P. $n:$m($k)\nalice > bob P. $m:3($k)\n*", packets) == ""
    assert "$m" in shown(start + "alice > bob P. $n:$m($k)\nalice > bob P. $n:$m($k)\n*", packets)


def test_deadlines():
    wire, alice, bob = connected()
    alice.say(b"a")
    bob.confirm(alice.seq)
    wire.wait(300)
    alice.say(b"b")
    packets = seen_on(wire)
    last = 'bob > alice . ack 2\nalice > bob P. "b" within '
    assert shown("*\n" + last + "1s", packets) == ""
    assert "no packet in time" in shown("*\n" + last + "100ms", packets)


@pytest.mark.parametrize(
    ("text", "row", "column", "said"),
    [
        ("", 1, 1, "the pattern is empty"),
        ("alice bob S", 1, 7, "a packet is written `alice > bob ...`"),
        ("alice > bob", 1, 12, "missing here: what the packet is"),
        ("alice > alice S", 1, 9, "sends itself nothing"),
        ("\nalice > bob Q", 2, 13, "neither flags of TCP"),
        ("alice > bob P. 1:4(9)", 1, 16, "from 1 to 4 are 3 bytes, not 9"),
        ("alice > bob P. ack", 1, 19, "missing here: a number behind ack"),
        ("alice > bob P. ack x", 1, 20, "x is no number"),
        ("alice > bob S <mss 1460,foo 3>", 1, 15, "'foo' is no option"),
        ("alice > bob S <mss", 1, 15, "> is missing"),
        ("alice > bob S <mss many>", 1, 15, "'many' is no number for mss"),
        ("alice > bob S <sackOK 1>", 1, 15, "sackOK stands alone, without '1'"),
        ('alice > bob P. "hi', 1, 16, "closing quotation mark"),
        ('alice > bob P. "h\\q"', 1, 18, "\\q is no escape"),
        ("alice > bob P. lst", 1, 16, "did you mean lost?"),
        ("alice > bob P. lost lost", 1, 21, "lost stands twice"),
        ("alice > bob P. within 3", 1, 23, "3"),
        ("alice > bob P. 0x123", 1, 16, "no hexadecimal"),
        ("alice > bob P. sha256 12", 1, 23, "no 8 to 64"),
        ("3-1 x alice > bob P.", 1, 1, "3-1 is no count"),
        ("{\nalice > bob P.", 1, 1, "} is missing"),
        ("{\n*\n}", 2, 1, "packets alone"),
        ("}", 1, 1, "no { came before"),
        ("* alice", 1, 3, "* stands alone"),
        ("alice > bob S\nignore acks", 2, 1, "before the first packet"),
        ("alice > bob lost", 1, 13, "before lost stands what the packet is"),
        ("alice > bob udp hello", 1, 13, "udp is followed by (LENGTH)"),
        ("alice > bob icm echo request", 1, 13, "there is no protocol icm; did you mean icmp"),
        ("alice > bob rewriten", 1, 13, "there is no protocol rewriten; did you mean rewritten"),
        ("alice > bob ip-x", 1, 13, "there is no protocol ip-x"),
        ("alice > bob:99999 S", 1, 9, "99999 is no port: 65535 is the last one"),
        ("alice > bob P. lost by $", 1, 24, "$ is no variable"),
        ("alice > bob P. lost by $1", 1, 24, "$1 is no variable"),
    ],
)
def test_bad_patterns(text, row, column, said):
    with pytest.raises(BadPattern) as caught:
        parse(text)
    assert (caught.value.row, caught.value.column) == (row, column), caught.value.why
    assert said in caught.value.why


@pytest.mark.parametrize("protocol", ["icmp", "icmp6", "igmp", "arp", "gre", "sctp", "ip-200", "?"])
def test_any_protocol_by_its_name(protocol):
    (one,) = parse(f"alice > bob {protocol}").items
    assert one.line.protocol == protocol


@pytest.mark.parametrize("seed", range(300))
def test_any_bytes_are_read_as_they_were_written(seed):
    data = random.Random(seed).randbytes(seed % 40)
    (word,) = split(text_of(data), 1)
    assert bytes_of(word) == data


@pytest.mark.parametrize("seed", range(200))
def test_no_text_breaks_the_reader(seed):
    chance = random.Random(seed)
    lines = [*HELLO.splitlines(), "{", "}", "*", "3 x a > b S", 'a > b udp (3) "x"... lost by f1 within 2s']
    text = list("\n".join(chance.choices(lines, k=4)))
    for _ in range(chance.randrange(1, 6)):
        text[chance.randrange(len(text))] = chance.choice('<>"\\$:()*{}x. 0\n€')
    with suppress(BadPattern):  # any other error is one of the reader's
        parse("".join(text))


@pytest.mark.turn(2)
def test_ten_thousand_packets_take_a_second():
    wire, alice, bob = connected()
    for number in range(5000):
        alice.say(b"%d" % number)
        bob.confirm(alice.seq)
    packets = seen_on(wire)
    assert len(packets) > 10_000
    text = write(packets)
    begun = time.process_time()
    assert match(parse(text), packets).fits
    assert time.process_time() - begun < 2.0


def test_too_many_ways_are_said(monkeypatch):
    monkeypatch.setattr(import_module("labctl.packets.pattern.match"), "MOST_TRIED", 20_000)
    wire, alice, _ = connected()
    for number in range(400):
        alice.say(b"%d" % (number % 2))
    packets = seen_on(wire)
    text = "\n".join(["*", 'alice > bob P. $a:$b(1) "0"', "*", "alice > bob P. $c:$d(1)", "*", "alice > bob F."] * 2)
    with pytest.raises(Undecided, match="ways to read"):
        match(parse(text), packets)


def test_letters():
    assert letters(frozenset("S.")) == "S."
    assert letters(frozenset()) == "-"


def test_patterns_of_any_size_are_answered(hello):
    """Each took minutes, or more depth than Python has, when the work grew with the square of it."""
    begun = time.monotonic()
    assert not match(parse("*\n" * 20_000 + "alice > bob S"), hello).fits
    assert match(parse("*\n" + "0+ x alice > bob P.\n" * 1000 + "*"), hello).fits
    with pytest.raises(BadPattern):
        parse("alice > bob P. " + "x " * 1_000_000)
    with pytest.raises(BadPattern):
        parse('alice > bob P. "' + "\\n" * 1_900_000 + '" x')
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "line",
    [
        "alice > bob P. ({})",
        "alice > bob P. 1:{}(4)",
        "alice > bob P. 1:5(4) ack {}",
        "alice > bob P. 1:5(4) ack 1 win {}",
        "alice > bob:{} S",
        "{} x alice > bob S",
        "1-{} x alice > bob S",
        "alice > bob S <mss {}>",
    ],
)
def test_numbers_without_an_end_are_refused(line):
    """Python itself turns no text of more than 4300 digits into a number."""
    with pytest.raises(BadPattern) as told:
        parse(line.format("9" * 5000))
    assert "no number" in told.value.why
    assert len(told.value.why) < 100
    assert line.format("9" * 5000)[told.value.column - 1 :].startswith("999")


def test_of_a_long_line_what_is_around_the_place_is_shown():
    with pytest.raises(LabError) as told:
        wire.read("alice > bob P. " + '"' + "a" * 5000 + '" ? ' + "x " * 5000)
    _, line, mark = told.value.message.splitlines()
    assert len(line) < 180
    assert line[mark.index("^")] == "?"
