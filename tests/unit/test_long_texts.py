"""Texts of any length are read in time and memory that grow with them, and messages repeat no more than their head."""

import resource
import subprocess
import sys

import pytest

from labctl.errors import LabError
from labctl.faults import conditions, link, match
from labctl.faults.conditions import Malformed
from labctl.topology import builtin
from labctl.topology.extension import parse_link, parse_route

LONG = 100_000
MEMORY = 1 << 30  # bytes: what Python itself reserves, and some
LIMIT = 20  # seconds; what they take is a small part of one

READ = """
import sys
from labctl.faults.conditions import Malformed
from labctl.topology.extension import parse_link
text = "a" * 33_000 + "-" * 33_000 + "b" * 33_000
for nodes in (["alice", "bob"], [text[:at] for at in range(33_001, 33_040)]):
    try:
        link = parse_link(text + " delay 1ms", nodes)
        print(len(link.a), len(link.b))
    except Malformed as problem:
        print(problem)
"""


def test_a_link_of_a_hundred_thousand_dashes():
    def bounded():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    command = [sys.executable, "-c", READ]
    found = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, preexec_fn=bounded, check=False)
    assert found.stderr == ""
    assert found.stdout == "33000 65999\n" * 2


@pytest.mark.parametrize(
    ("text", "nodes", "ends"),
    [
        ("a-b-c", ["a-b", "c"], ("a-b", "c")),
        ("a-b-c", ["a", "b-c", "a-b", "c"], ("a", "b-c")),
        ("a-b-c", [], ("a", "b-c")),
        ("a-b", ["a", "a-b"], ("a", "b")),
        ("a--b", ["a-", "b"], ("a-", "b")),
    ],
)
def test_names_with_dashes_are_cut_where_nodes_are(text, nodes, ends):
    found = link.parse(text, nodes)
    assert (found.a, found.b, found.both) == (*ends, True)


@pytest.mark.parametrize(
    "read",
    [
        lambda text: link.parse(":" + text, []),
        lambda text: parse_link(text, []),
        lambda text: parse_link("a-b " + text, []),
        lambda text: parse_link("a-b delay " + text, []),
        lambda text: parse_link("a-b loss " + text + "%", []),
        lambda text: parse_route(text),
        lambda text: parse_route(text + " via a"),
        lambda text: match.parse("tcp data " + text),
        lambda text: match.parse(text),
        lambda text: match.parse("udp every " + text[:5000]),
        lambda text: match.parse("tcp size " + text[:5000]),
        lambda text: match.parse("tcp " + "syn " * 50_000),
        lambda text: match.parse('tcp contains "' + text[:5000]),
        lambda text: conditions.rate(text[:400] + "gbit"),
        lambda text: conditions.span("for", text + "s"),
    ],
)
@pytest.mark.parametrize("letter", ["1", "a"])
def test_a_long_text_is_refused_in_a_short_message(read, letter):
    with pytest.raises(Malformed) as problem:
        read(letter * LONG)
    assert len(str(problem.value)) < 400


NAMED = """
from labctl.topology.model import written_name
print([written_name("name:" + " " * 50_000 + text) for text in ('x"', "'x", "x # y", "'x' ")])
"""


def test_a_name_behind_many_spaces():
    command = [sys.executable, "-c", NAMED]
    found = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True)
    assert found.stdout == "['', '', 'x', 'x']\n"


def test_a_size_of_many_digits():
    with pytest.raises(LabError) as problem:
        builtin.find("line:" + "9" * 5000)
    assert problem.value.code == "topology-missing"
