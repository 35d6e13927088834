"""The SVG of a picture: no label on another or under a line, all inside, one file, the same every time."""

import time
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import ROOT, hello, made

from labctl.lab.drawing.picture import DrawnLink, DrawnRoute
from labctl.render.graph import metrics, svg

SVG = "{http://www.w3.org/2000/svg}"
STYLES = {found.name: found for found in vars(metrics).values() if isinstance(found, metrics.Style)}


def labels(root):
    """Each label's text and the corners of its box."""
    out = []
    for text in root.iter(f"{SVG}text"):
        style = STYLES[text.get("class")]
        wide = style.extent(text.text)
        x, y = float(text.get("x")), float(text.get("y"))
        left = x - wide / 2 if text.get("text-anchor") == "middle" else x
        out.append((text.text, left, y - style.ascent, left + wide, y + style.descent))
    return out


def lines(root):
    for path in root.iter(f"{SVG}path"):
        kind = (path.get("class") or "").split()[0] if path.get("class") else ""
        if kind:
            (x1, y1), (x2, y2) = (map(float, part.split()) for part in path.get("d").lstrip("M").split("L"))
            yield kind, (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def frames(root):
    for rect in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.get(name) or 0) for name in ("x", "y", "width", "height"))
        if rect.get("class") != "ground":
            yield x, y, x + wide, y + high


def apart(one, other, slack=0.2):  # numbers are rounded to a tenth
    return (
        one[2] <= other[0] + slack
        or other[2] <= one[0] + slack
        or one[3] <= other[1] + slack
        or other[3] <= one[1] + slack
    )


def check(picture):
    text = svg.draw(picture)
    root = ET.fromstring(text)
    _, _, wide, high = map(float, root.get("viewBox").split())
    found = labels(root)
    for one, other in combinations(found, 2):
        assert apart(one[1:], other[1:]), (one, other)
    for _, left, top, right, bottom in found:
        assert 0 <= left <= right <= wide, (left, right, wide)
        assert 0 <= top <= bottom <= high
    boxes = list(frames(root))
    for one, other in combinations(boxes, 2):
        assert apart(one, other)
    for box in boxes:
        assert 0 <= box[0] <= box[2] <= wide
        assert 0 <= box[1] <= box[3] <= high
        for label in found:  # a label is in a frame or beside it, never half of each
            inside = box[0] <= label[1] and label[3] <= box[2] and box[1] <= label[2] and label[4] <= box[3]
            assert inside or apart(box, label[1:]), (box, label)
    for kind, line in lines(root):
        for label in found:
            assert apart(line, label[1:]), (kind, line, label)
        for box in boxes:
            assert apart(line, box, 0.5), (kind, line, box)
    return text


NAMES = st.one_of(
    st.from_regex(r"[a-z][a-z0-9_.-]{0,62}", fullmatch=True),
    st.text("節点ネットワークЖжЩgÄ🦊<&\"'", min_size=1, max_size=30),
)
ADDRESSES = st.lists(st.sampled_from(["10.0.0.7", "255.255.255.255", "fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:1234"]))


@st.composite
def pictures(draw):
    networks = draw(st.lists(NAMES, min_size=0, max_size=8, unique=True))
    nodes = draw(st.lists(NAMES, min_size=1, max_size=30, unique=True))
    subnets = {net: draw(st.sampled_from([(), ("10.0.0.0/24",), ("10.0.0.0/24", "fd00::/64")])) for net in networks}
    joins = st.lists(st.sampled_from(networks), max_size=3, unique=True) if networks else st.just([])
    where = {node: {net: tuple(draw(ADDRESSES)[:2]) for net in draw(joins)} for node in nodes}
    ends = st.sampled_from(nodes)
    links = draw(st.lists(st.builds(DrawnLink, ends, ends, st.booleans(), st.just("delay 40ms loss 1%")), max_size=12))
    routes = draw(st.lists(st.builds(DrawnRoute, ends, st.just("default via somebody")), max_size=5))
    return made(
        subnets,
        where,
        routers=tuple(nodes[::3]),
        links=tuple(links),
        routes=tuple(routes),
        title=draw(st.text(max_size=80)),
        description=draw(st.text(max_size=300)),
        state=draw(st.sampled_from([None, "running", "exited"])),
    )


@given(pictures())
def test_nothing_overlaps(picture):
    assert check(picture) == svg.draw(picture)


LONG = "a-name-of-63-characters-which-is-the-most-that-a-host-name-has"[:63].ljust(63, "x")


@pytest.mark.parametrize(
    "picture",
    [
        made({"lab": ("10.0.0.0/24",)}, {f"n{n}": {"lab": (f"10.0.0.{n}",)} for n in range(2, 32)}),
        made(
            {f"net{n}": (f"10.0.{n}.0/24",) for n in range(5)},
            {f"r{n}": {f"net{n}": (f"10.0.{n}.254",), f"net{n + 1}": (f"10.0.{n + 1}.253",)} for n in range(4)},
            routers=("r0", "r1", "r2", "r3"),
        ),
        made(
            {f"arm{n}": (f"10.0.{n}.0/24",) for n in range(8)},
            {"hub": {f"arm{n}": (f"10.0.{n}.254",) for n in range(8)}, "h": {"arm3": ("10.0.3.1",)}},
            routers=("hub",),
        ),
        made({"a": (), "b": (), "c": ()}, {LONG: {"a": (), "b": (), "c": ()}, LONG[:-1]: {"b": ("fd00::1",)}}),
        made({LONG: ("fd00:aaaa:bbbb:cccc::/64",), "empty": ()}, {"節点" * 15: {LONG: ("fd00::1",)}, "alone": {}}),
        made({}, {}),
        made({"a": ()}, {"a": {}}, title=" \n", description=" \t "),
        hello(),
    ],
    ids=["thirty", "line", "star", "three", "long", "nothing", "blank", "hello"],
)
def test_hard_cases(picture):
    check(picture)


def test_it_is_one_file_with_nothing_from_outside():
    picture = made({"<net>&": ()}, {'"n"': {"<net>&": ()}}, title="</title><script>alert(1)</script>\x00\x1b[31m")
    root = ET.fromstring(check(picture))
    assert {item.tag.removeprefix(SVG) for item in root.iter()} <= {
        *("svg", "title", "desc", "style"),
        *("rect", "path", "circle", "g", "text"),
    }
    assert root.find(f"{SVG}title").text == "lab: </title><script>alert(1)</script>\\u0000\\u001b[31m"
    text = svg.draw(hello())
    assert "url(" not in text
    assert "@import" not in text
    assert text.count("http") == 1 + text.count(">http<")  # the name space, and the role
    assert "prefers-color-scheme:dark" in text
    assert 'role="img"' in text


def test_its_description_says_what_it_shows():
    picture = made({"a": ("10.0.0.0/24",), "b": ()}, {"r": {"a": ("10.0.0.1",)}}, routers=("r",))
    assert svg.description(picture) == "1 node on 2 networks. a 10.0.0.0/24: r 10.0.0.1. b: no nodes. Routers: r."


def test_a_line_passes_behind_the_bar_of_a_network_that_its_node_is_not_on():
    nodes = {"x": {"a": (), "c": ()}, "y": {"a": (), "b": ()}, "z": {"b": (), "c": ()}}
    root = ET.fromstring(check(made({"a": (), "b": (), "c": ()}, nodes)))
    bars = [line for kind, line in lines(root) if kind == "bar"]
    dots = {(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter(f"{SVG}circle")}
    assert len(dots) == 6
    for kind, (x, top, _, bottom) in lines(root):
        for left, y, right, _ in bars if kind == "spine" else []:
            if left <= x <= right and top <= y <= bottom:
                assert (x, y) in dots


def test_the_same_picture_gives_the_same_file():
    assert svg.draw(hello()) + "\n" == (ROOT / "docs" / "hello.svg").read_text()


def test_two_hundred_nodes_take_less_than_a_second():
    picture = made({"lab": ("10.0.0.0/16",)}, {f"n{n}": {"lab": (f"10.0.1.{n}",)} for n in range(200)})
    started = time.process_time()
    svg.draw(picture)
    assert time.process_time() - started < 1
