"""labctl's own words in other languages: the table, how it is read, and what ladders and packets make of it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from protocol_samples import SAMPLES
from said import SAID
from test_packets_ladders import SCENES
from test_pattern import connected
from traffic import icmp, packet, tcp

import labctl
from labctl.packets.ladder.ladder import Options, of_pairs, two_sided
from labctl.packets.model import ACK, SYN
from labctl.packets.protocols.layers import layers
from labctl.render.ladder import text
from labctl.render.packets.layers import draw
from labctl.render.phrases import saying
from labctl.render.text import width

STATIC = Path(labctl.__file__).parent / "page" / "static"
CHINESE = re.compile("[\u4e00-\u9fff]")


def drawn(name, **options):
    wire = SCENES[name]()
    wire, drops = wire if isinstance(wire, tuple) else (wire, {})
    sides = [replace(side, kernel_drops=drops.get(side.node, 0)) for side in wire.sides()]
    return of_pairs(sides, wire.verdicts, Options(limit=0, **options))


@pytest.mark.parametrize("language", saying.LANGUAGES)
@pytest.mark.parametrize("name", SCENES)
def test_a_ladder_says_all_of_its_own_words_and_keeps_its_columns(name, language):
    """Of each mark, phase and note there is a word of the other language, and the lifelines stand where they did."""
    say, missing = saying.in_language(language), []

    def noting(english):
        other = say(english)
        if not CHINESE.search(other) and not re.fullmatch(r"[a-z0-9]+ \S+ > \S+", english):
            missing.append(english)
        return other

    for ladder in drawn(name):
        plain = text.draw(ladder, columns=80).split("\n")
        lines = text.draw(ladder, columns=80, say=noting).split("\n")
        assert {width(line) for line in lines if line.endswith("│")} <= {width(line) for line in plain}
        assert max(map(width, lines)) <= 80
    assert [one for one in missing if one != "D-SACK" and not one.startswith("D-SACK: ")] == []


def test_what_stands_on_arrows_is_as_it_was_sent():
    wire, alice, _ = connected()
    alice.say(b"dropped by f1, lost")
    ladder = two_sided(*wire.sides())
    lines = text.draw(ladder, columns=100, say=saying.in_language("zh")).split("\n")
    assert any('"dropped by f1, lost"' in line for line in lines)
    assert "握手" in lines[3]


def test_a_cut_ladder_says_so():
    wire, *_ = connected()
    ladder = replace(two_sided(*wire.sides()), cut=1, hidden=2)
    assert text.draw(ladder, say=saying.in_language("zh")).split("\n")[-2:] == [
        "到此为止:还有 1 个箭头超出 3 个的上限。",
        "未显示:2 个纯确认。",
    ]


CUTS = {
    "ended": (lambda side, first, last: replace(side, until_ns=first)),
    "begun": (lambda side, first, last: replace(side, since_ns=last + 1_000_000_000)),
    "dropped": (lambda side, first, last: replace(side, kernel_drops=2)),
}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("cut", CUTS)
def test_a_ladder_says_in_chinese_why_a_packet_was_not_captured(cut, which):
    """One of the two captures lacks all packets: it began too late, ended too early, or its kernel dropped them."""
    wire, alice, _ = connected()
    alice.say(b"hello")
    sides = list(wire.sides())
    stamps = [packet.ts_ns for side in sides for packet in (*side.sent, *side.arrived)]
    bare = replace(sides[which], sent=(), arrived=())
    sides[which] = CUTS[cut](bare, min(stamps) - 1_000_000_000, max(stamps))
    lines = text.draw(two_sided(*sides), columns=100, say=saying.in_language("zh")).split("\n")
    notes = [line.split("│")[1] for line in lines if "! 未捕获: " in line]
    assert notes
    assert not [note for note in notes if re.search("capture|kernel|sending", note)], notes


@pytest.mark.parametrize("name", ["transport tcp", "transport udp", "transport icmp", "network arp", "network ipv4"])
def test_what_a_field_means_is_said_in_chinese(name):
    link, data, *_ = SAMPLES[name]
    _all_is_said(packet(data, link_type=link))


def test_what_the_fields_of_a_first_segment_mean_is_said_in_chinese():
    """The window's scale, the acknowledgement that counts for nothing, SACK of a gap, ICMP that quotes."""
    scale, gap = b"\x03\x03\x0a", b"\x05\x0a" + bytes(8)
    _all_is_said(packet(tcp("10.0.0.1", 1, "10.0.0.2", 2, 1, 0, SYN, options=scale)))
    _all_is_said(packet(tcp("10.0.0.1", 1, "10.0.0.2", 2, 1, 1, ACK, options=gap)))
    _all_is_said(packet(icmp("10.0.0.2", "10.0.0.1", 3, 3, bytes(4))))


def _all_is_said(whole):
    say, found = saying.in_language("zh"), [field.meaning for layer in layers(whole) for field in layer.fields]
    assert [one for one in found if re.search(r"\b[a-z]{3}", one) and not CHINESE.search(say(one))] == []
    assert not [one for one in found if re.search("multiplied|[(]由", say(one))]


def test_a_packet_has_its_fields_names():
    packet = connected()[0].sides()[0].sent[0]
    shown = draw(packet, columns=80, say=saying.in_language("zh"))
    assert "传输层: TCP" in shown
    assert "源端口" in shown
    assert "source port" in draw(packet, columns=80)
    assert all(width(line) <= 80 for line in shown.split("\n"))


def test_english_is_as_it_is():
    assert [saying.in_language("en")(one) for one in SAID] == SAID


def test_the_page_has_the_same_table():
    script = (STATIC / "phrases.js").read_text()
    assert script == saying.script() + "\n", "python -m labctl.render.phrases.saying > labctl/page/static/phrases.js"
