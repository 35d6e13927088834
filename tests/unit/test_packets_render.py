"""Ladders and packets as pictures: as wide as they may be, safe, nothing over anything else, the same every time."""

import json
import os
import re
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import dpkt
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples
from test_packets_ladders import SCENES, made
from test_packets_match import mixed
from traffic import MS, Wire, connected, mss, packet, tcp, udp

from labctl.packets.ladder.ladder import Moment, Options, one_sided, two_sided
from labctl.packets.model import ACK, PSH
from labctl.render import text as texts
from labctl.render.ladder import document, layout, mermaid, svg, text
from labctl.render.packets import layers as packet_drawing

A, B = "10.77.0.11", "10.77.0.12"
SVG = "{http://www.w3.org/2000/svg}"
STYLES = {found.name: found for found in vars(layout).values() if isinstance(found, layout.Style)}
_RIGHT_TO_LEFT = '\u05e9\u05dc\u05d5\u05dd 1 "\u0628'
_WIDE = "😀\U0001f469\u200d\U0001f680世界"
NASTY = st.text(max_size=40) | st.sampled_from(
    ["\x1b[31m", "\u202eabc", _WIDE, "end", '"; #', "<b>&", "\r\n\t\0", _RIGHT_TO_LEFT]
)


def ladder(name):
    wire, sides = made(name)
    return two_sided(*sides, wire.verdicts)


def saying(words, names=("alice", "bob")):
    wire = Wire(names={A: names[0], B: names[1]})
    for number, word in enumerate(words):
        wire.send(udp(A, 1, B, 2, word.encode("utf-8", "replace")), lost=number % 3 == 2)
    return two_sided(*wire.sides(), wire.verdicts)


def plain(drawn):
    return re.sub(r"\x1b\[\d+m", "", drawn)


@given(st.lists(NASTY, max_size=5), st.sampled_from([60, 80, 100, 200]), NASTY)
def test_text_is_never_too_wide_nor_unsafe(words, columns, name):
    found = saying(words, (name or "a", f"{name}2"))
    drawn = text.draw(found, columns=columns)
    for line in drawn.split("\n"):
        assert texts.width(line) <= columns
        assert all(character >= " " and character != "\x7f" for character in line)
    arrows = [line for line in drawn.split("\n") if line.count("│") == 2]
    assert len({texts.width(line[: line.rindex("│")]) for line in arrows}) <= 1  # the right lifeline is straight
    assert plain(text.draw(found, columns=columns, colour=True)) == drawn


def test_wide_characters_keep_the_lifeline_straight():
    drawn = text.draw(saying([_WIDE, "plain"]), columns=100).split("\n")
    assert _WIDE in drawn[-2]
    assert texts.width(drawn[-2]) == texts.width(drawn[-1]) == 99


def test_what_went_wrong_is_red_only_where_colour_is_wanted():
    drawn = text.draw(ladder("retransmission-by-timeout"), colour=True)
    (lost, *_) = (line for line in drawn.split("\n") if "X" in line)
    assert "\x1b[31m" in lost
    assert "\x1b" not in text.draw(ladder("retransmission-by-timeout"))


def boxes(root):
    """Each label's text and its box."""
    for each in root.iter(f"{SVG}text"):
        style = STYLES[each.get("class")]
        wide = style.extent(each.text)
        x, y = float(each.get("x")), float(each.get("y"))
        left = x - {"end": wide, "middle": wide / 2}.get(each.get("text-anchor"), 0)
        yield each.text, (left, y - style.ascent, left + wide, y + style.descent)


def check(found):
    drawn = svg.draw(found)
    root = ET.fromstring(drawn)
    _, _, wide, high = map(float, root.get("viewBox").split())
    labels = list(boxes(root))
    for (one, a), (other, b) in combinations(labels, 2):
        apart = a[2] <= b[0] + 0.2 or b[2] <= a[0] + 0.2 or a[3] <= b[1] + 0.2 or b[3] <= a[1] + 0.2
        assert apart, (one, other)
    for one, (left, top, right, bottom) in labels:
        assert left >= 0, one
        assert top >= 0, one
        assert right <= wide, one
        assert bottom <= high, one
    lives = sorted(
        float(path.get("d").split()[0][1:]) for path in root.iter(f"{SVG}path") if path.get("class") == "life"
    )
    for path in root.iter(f"{SVG}path"):
        if "p-" in path.get("class"):
            xs = [float(part.split()[0]) for part in path.get("d")[1:].split("L")]
            assert all(lives[0] <= x <= lives[1] for x in xs)
    return drawn, root


@pytest.mark.parametrize("name", sorted(SCENES))
def test_no_label_of_an_svg_covers_another(name):
    check(ladder(name))


@given(st.integers(0, 2**32), st.lists(NASTY, max_size=6))
@settings(max_examples=examples(25))
def test_no_label_covers_another_whatever_happened(seed, words):
    wire, _ = mixed(seed, count=15)
    check(two_sided(*wire.sides(), wire.verdicts))
    check(saying(words))


def test_an_svg_is_one_file_without_script_or_links():
    drawn, root = check(ladder("all-faults"))
    assert not re.search(r"<script|href|url\(|@import|on\w+=|<image|<foreignObject", drawn)
    assert "prefers-color-scheme:dark" in drawn
    assert root.find(f"{SVG}title").text == "alice and bob"
    assert drawn == svg.draw(ladder("all-faults"))


def test_an_svg_keeps_the_order_of_time():
    wire = Wire(latency=30 * MS)
    for number in range(4):
        wire.send(udp(A, 1, B, 2, b"%d" % number), late=(5, 0, 0, 0)[number] * MS)
    found = layout.arrange(two_sided(*wire.sides()))
    starts, ends = [line.y1 for line in found.lines], [line.y2 for line in found.lines]
    assert starts == sorted(starts)
    assert ends[1] < ends[2] < ends[3] < ends[0]  # the first was overtaken by all
    assert all(end > start for start, end in zip(starts, ends, strict=True))


def test_a_long_pause_is_drawn_short_and_named():
    wire, alice, _ = connected()
    wire.wait(3_600_000)
    alice.say(b"hello")
    found = layout.arrange(two_sided(*wire.sides()))
    assert found.height < 600
    assert [each.text for each in found.texts if each.style is layout.PAUSE] == ["⋮ 3600 s ⋮"]


@given(st.lists(NASTY, max_size=4), NASTY)
def test_mermaid_holds_nothing_that_means_something_to_it(words, name):
    drawn = mermaid.draw(saying(words, (name or "a", f"{name}2")))
    for line in drawn.split("\n")[2:]:
        _, _, said = line.strip().partition(" as " if "participant" in line else ": ")
        cleaned = re.sub(r"#\d+;|<br/>", "", said)
        assert not re.search(r"[^\w .,_()/:=!?'*+\"\[\]…-]", cleaned), line


def test_mermaid_of_a_ladder():
    lines = mermaid.draw(ladder("retransmission-by-timeout")).split("\n")
    assert lines[0] == "sequenceDiagram"
    assert [line.split(":")[0].strip() for line in lines if "x" in line[:6] or ">>" in line[:6]] == [
        "A->>B",
        "B->>A",
        "A->>B",
        "A-xB",
        "A-xB",
        "A->>B",
        "B->>A",
    ]
    assert "lost: dropped by f3" in lines[9]


def test_mermaid_is_never_longer_than_mermaid_draws():
    wire, alice, bob = connected()
    for _ in range(250):
        alice.say(b"GET / HTTP/1.1\r\nHost: web.lab\r\nUser-Agent: \xf0\x9d\x94\x98\r\n\r\n")
        bob.confirm(alice.seq)
    found = two_sided(*wire.sides())
    lines = mermaid.draw(found).split("\n")
    assert len(lines) > 400  # no longer than need be
    arrows = [line for line in lines if "->>" in line]
    assert f"cut here: {len(found.arrows) - len(arrows)} more would be too long" in lines[-2]
    assert "cut here: 3 more beyond the limit of 500" in lines[-1]
    assert 47_000 < len("\n".join(lines).encode("utf-16-le")) / 2 <= 48_000
    few = mermaid.draw(two_sided(*wire.sides(), (), Options(limit=100)))
    assert few.count("->>") == 100
    assert "too long" not in few


def test_json_is_one_document_that_holds_everything():
    found = json.loads(json.dumps(document.document(ladder("all-faults"))))
    assert found["schema_version"] == 1
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    late = next(arrow for arrow in found["arrows"] if arrow["text"] == "late")
    assert (late["from"], late["to"], late["fate"], late["delayed_ns"]) == ("alice", "bob", "delivered", 80_000_000)
    assert late["faults"] == [{"rule": "f1", "action": "delay", "node": "alice", "detail": ""}]
    assert late["segment"]["seq"] == 1
    for name in SCENES:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(document.document(ladder(name)))))


_NUMBER, _TEXT = {"type": ["integer", "null"]}, {"type": "string"}
SCHEMA = {
    "type": "object",
    "required": ["schema_version", "left", "right", "begin_ns", "arrows", "moments", "cut", "hidden_acks", "notes"],
    "additionalProperties": False,
    "properties": {
        "schema_version": {"const": 1},
        "left": {"type": "object", "required": ["node", "addresses"]},
        "right": {"type": "object", "required": ["node", "addresses"]},
        "begin_ns": {"type": "integer"},
        "moments": {"type": "array", "items": {"type": "object", "required": ["at_ns", "node", "kind", "text"]}},
        "cut": {"type": "integer"},
        "hidden_acks": {"type": "integer"},
        "notes": {"type": "array", "items": _TEXT},
        "arrows": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["from", "to", "sent_ns", "arrived_ns", "fate", "faults", "marks", "packet", "segment"],
                "properties": {
                    "fate": {"enum": ["delivered", "lost", "unknown", "elsewhere", "seen"]},
                    "phase": {"enum": ["handshake", "data", "close", "reset"]},
                    "sent_ns": _NUMBER,
                    "arrived_ns": _NUMBER,
                    "latency_ns": _NUMBER,
                    "delayed_ns": _NUMBER,
                    "head": _TEXT,
                    "text": _TEXT,
                },
            },
        },
    },
}


def test_one_capture_alone_loses_nothing():
    wire, alice, bob = connected()
    alice.say(b"hello", lost=True)
    bob.say(b"hi")
    side = wire.side("alice")
    seen = sorted((*side.sent, *side.arrived), key=lambda one: one.ts_ns)
    found = one_sided(seen, {A: "alice"})
    assert {arrow.fate for arrow in found.arrows} == {"seen"}
    assert (found.left.name, found.right.name) == ("alice", B)
    drawn = text.draw(found, columns=80)
    assert "lost" not in drawn
    assert max(map(len, drawn.splitlines())) <= 80
    check(found)


def test_ten_thousand_arrows_as_svg_and_mermaid():
    wire = Wire(latency=50_000)
    for number in range(5000):
        wire.send(tcp(A, 1, B, 2, number * 10, 1, PSH | ACK, b"x" * 10, id=wire.id()))
    found = two_sided(*wire.sides(), (), Options(limit=0))
    begin = time.process_time()
    svg.draw(found)
    mermaid.draw(found)
    json.dumps(document.document(found))
    assert time.process_time() - begin < 10


REQUEST = b"GET /hello HTTP/1.1\r\nHost: web.lab\r\nUser-Agent: test\r\n\r\n"
ETHER = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0"


@pytest.mark.parametrize("columns", [80, 100])
def test_the_layers_of_a_packet_are_drawn_as_expected(columns):
    found = packet(
        ETHER + tcp(A, 40022, B, 80, 1000, 2000, PSH | ACK, REQUEST, options=mss()), node="alice", link_type=1
    )
    drawn = packet_drawing.draw(found, columns=columns) + "\n"
    file = Path(__file__).parent / "expected" / "ladders" / f"packet-{columns}.txt"
    if os.environ.get("LABCTL_WRITE_EXPECTED"):
        file.write_text(drawn, encoding="utf-8")
    assert drawn == file.read_text(encoding="utf-8")
    assert max(map(texts.width, drawn.splitlines())) <= columns


def test_the_layers_as_data_cover_all_bytes():
    asked = dpkt.dns.DNS(id=7, qd=[dpkt.dns.DNS.Q(name="bob.lab", type=1, cls=1)])
    found = packet_drawing.document(packet(ETHER + udp(A, 5, B, 53, bytes(asked)), link_type=1))
    assert [layer["name"] for layer in found["layers"]] == ["Ethernet", "IPv4", "UDP", "DNS"]
    assert [layer["offset"] for layer in found["layers"]] == [0, 14, 34, 42]
    assert sum(layer["length"] for layer in found["layers"]) == found["captured_length"]
    for layer in found["layers"][:3]:
        assert sum(field["length"] for field in layer["fields"]) == layer["length"]


def test_a_header_of_http_is_safe_to_print():
    found = packet(tcp(A, 5, B, 80, 1, 1, ACK, b"GET / HTTP/1.1\r\nX: \x1b[31m\r\n\r\n"))
    assert "\x1b" not in packet_drawing.draw(found)
    assert "\\u001b[31m" in packet_drawing.draw(found)


@given(NASTY)
def test_a_packet_with_any_text_is_safe_to_print(words):
    found = packet(udp(A, 5, B, 6, words.encode("utf-8", "replace")))
    for line in packet_drawing.draw(found, columns=80).split("\n"):
        assert texts.width(line) <= 80
        assert all(character >= " " and character != "\x7f" for character in line)


def test_what_the_nodes_did_stands_between_the_arrows_in_order_of_time():
    made = ladder("handshake")
    first, second, *_ = made.arrows
    call = Moment(first.at_ns - 1000, False, "call", 'connect(3, 10.0.0.2:80) = -1 EINPROGRESS (漢字 is "in" progress)')
    state = Moment(second.at_ns - 1000, True, "state", "10.0.0.2:80  LISTEN -> SYN-RECV")
    wrong = Moment(second.at_ns + 1, False, "call", f"send(3, {'x' * 900!r}) = -1 EPIPE", trouble=True)
    made = replace(made, moments=(call, state, wrong))
    for columns in (60, 80, 100, 200):
        lines = text.draw(made, columns=columns).splitlines()
        assert max(map(texts.width, lines)) <= columns
        order = [
            next(n for n, line in enumerate(lines) if word in line) for word in ("connect(3", "SYN  seq", "SYN-RECV")
        ]
        assert order == sorted(order)
        assert sum("x" * 10 in line for line in lines) <= 3  # a long call is cut, and says so
        assert any(line.rstrip("│ ").endswith("…") for line in lines)
        # A node's own line stands at its own lifeline.
        assert re.match(r" *\d+\.\d{6} ● connect", lines[order[0]])
        assert lines[order[2]].endswith("■")
    shown = text.draw(made, colour=True)
    assert f"\x1b[{texts.RED}m" in shown
    for drawn in (svg.draw(made), mermaid.draw(made)):
        assert 0 < drawn.find("connect") < drawn.find("SYN-RECV") < drawn.find("send")
    assert svg.draw(made).count('class="dot call') == 2
    assert [found["node"] for found in document.document(made)["moments"]] == [
        made.left.name,
        made.right.name,
        made.left.name,
    ]
    assert made.begin_ns == call.at_ns
