"""labctl's own words in other languages: the table, how it is read, and what ladders and packets make of it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from said import SAID
from test_packets_ladders import SCENES
from test_pattern import connected

import labctl
from labctl.packets.ladder.ladder import Options, of_pairs, two_sided
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
