"""The table of kinds of faults is whole: each kind is known to the probe, the command line, topologies and ladders."""

import re
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from labfault.faults import FAULTS, FIELDS
from labfault.rule import Rule
from traffic import packet, tcp

from labctl.cli.app import command_line
from labctl.errors import LabError
from labctl.faults.conditions import parse_words, pattern
from labctl.faults.kinds import KINDS, NAMES, PARAMETERS, SWITCHES, TYPED, kind_of
from labctl.faults.kinds.kind import Parameter
from labctl.lab.faults import spec, verdicts
from labctl.packets.crossings import Crossing, Verdict
from labctl.packets.ladder.label import marks
from labctl.topology.extension import parse_link

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "labctl/faults/kinds", ROOT / "services/probe/labfault/faults"]
VALUES = {"TIME": "20ms", "SHARE": "10%", "RATE": "1mbit"}
LINE = (
    '{"ts":"2026-11-22T21:45:10.121894341Z","event":"fault","rule":"f1","action":"%s","link":"a:b","proto":"tcp",'
    '"local":["10.77.0.5",12345],"peer":["10.77.0.6",40000],"size":60}'
)


def written(one: Parameter) -> str:
    text = f"{one.name} {VALUES[one.measure.metavar]}"
    return f"{one.within} {VALUES[one.measure.metavar]} {text}" if one.within else text


def a_verdict(action: str) -> Verdict:
    [found] = verdicts.of_line((LINE % action).encode(), "a")
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parts[-3])
def test_each_kind_is_a_file_and_each_file_a_kind(folder):
    assert {path.stem for path in folder.glob("*.py")} - {"__init__", "kind"} == set(KINDS) == set(NAMES)


def test_the_probe_does_what_labctl_can_ask_for():
    assert {kind.action for kind in FAULTS.values()} == set(KINDS) == set(FAULTS)
    asked = {field for kind in KINDS.values() if kind.verb for field in kind.verb.fields}
    assert {*PARAMETERS, *SWITCHES, *asked} == FIELDS
    for name, kind in KINDS.items():
        own = {one.name for one in (*kind.parameters, *kind.switches)} | set(kind.verb.fields if kind.verb else ())
        assert own == set(FAULTS[name].fields)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_has_its_words(name):
    kind = KINDS[name]
    assert kind.name == name
    assert kind.parameters or kind.verb, "nobody could ask for it"
    help_ = CliRunner().invoke(command_line(), ["fault", "add", "--help"]).output
    verbs = CliRunner().invoke(command_line(), ["fault", "--help"]).output
    assert bool(re.search(rf"^  {name} ", verbs, re.MULTILINE)) == bool(kind.verb)
    for one in kind.parameters:
        assert f"--{one.name}" in help_
        text = written(one)
        assert str(parse_words(text, "a:b")) == text
        assert re.fullmatch(rf"(({pattern()})\s*)+", text), "the schema of a topology takes it"
        assert parse_link(f"a:b {text}", ["a", "b"]).conditions.values[one.name]
    for page in ("docs/faults.md", "docs/topologies.md" if kind.parameters else "docs/faults.md"):
        assert f"`{name}`" in (ROOT / page).read_text(), page


@pytest.mark.parametrize("name", KINDS)
def test_rules_of_a_kind_are_what_the_probe_takes(name):
    kind = KINDS[name]
    specs = [spec.of_conditions(parse_words(written(one), "")) for one in kind.parameters]
    if kind.verb:
        specs.append(spec.of_pick(name, "tcp data 1", [one.name for one in kind.switches]))
    for wanted in specs:
        head = {"id": "f1", "link": "a:b", "peers": None, "kind": wanted.kind, "what": wanted.what, "seed": 1}
        assert [fault.action for fault in Rule({**head, **wanted.fields}).faults] == [name]
        assert wanted.what.startswith(("delay", name))


@pytest.mark.parametrize("name", [*KINDS, "frobnicate"])
def test_what_a_kind_did_is_told_by_ladders(name):
    """Of one that no table knows, too: a probe may be of a newer labctl."""
    found = a_verdict(name)
    sent = packet(tcp("10.77.0.5", 12345, "10.77.0.6", 40000, 1, 1, 0x10))
    fate = "lost" if found.kind.arrives in ("never", "replaced") else "delivered"
    said = " / ".join(map(str, marks(Crossing("a", "b", sent, None, fate, faults=(found,)), None)))
    assert f"{kind_of(name).done} by f1" in said
    assert found.kind.known == (name in KINDS)


@pytest.mark.parametrize("word", TYPED)
def test_what_is_wrong_is_said_of_what_was_typed(word):
    found = CliRunner().invoke(command_line(), ["fault", "add", "a:b", f"--{word}", "x"])
    assert isinstance(found.exception, LabError)
    assert found.exception.message.startswith(f"{word} x is no")


def test_a_probe_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="knows no fault frobnicate"):
        Rule({"id": "f1", "link": "a:b", "seed": 1, "frobnicate": 0.1, "drop": 0.1})


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: spec.of_conditions(spec.parsed({})), "no condition is given"),
        (lambda: spec.of_conditions(spec.parsed({"drop": "0%"})), "no condition is given"),
        (lambda: spec.parsed({"drop": "x"}), "drop x is no share"),
        (lambda: spec.of_conditions(spec.parsed({"drop": "1%"}), ["fix_checksum"]), "fix-checksum goes with corrupt"),
        (lambda: spec.of_pick("dorp", "tcp"), "can't be picked for 'dorp'; did you mean drop"),
        (lambda: spec.of_pick("rate", "tcp"), "can't be picked for 'rate'"),
        (lambda: spec.of_pick("drop", "tpc"), "'tpc' is no word of a match"),
        (lambda: spec.of_pick("delay", "tcp", by="1h"), "--by 1h is too long"),
        (lambda: spec.of_partition(duration="x"), "--for x is not a time"),
    ],
)
def test_what_is_asked_for_in_vain_is_said(make, why):
    with pytest.raises(LabError) as problem:
        make()
    assert problem.value.code == "bad-condition"
    assert why in problem.value.message


def test_rules_for_picked_packets_are_worded_as_they_are_typed():
    assert spec.of_pick("drop", " tcp data  1 ").what == "drop 'tcp data 1' once"
    assert spec.of_pick("duplicate", "udp every 3").what == "duplicate 'udp every 3'"
    assert spec.of_pick("delay", "udp", by="1.5s", times=2).what == "delay 'udp' 2 times by 1.5s"
    wanted = spec.of_pick("corrupt", 'tcp contains "a\x1b\u202e\udcff"', ["fix_checksum"], seed=None)
    assert wanted.what == r"""corrupt 'tcp contains "a\x1b\xe2\x80\xae\xff"' once fix-checksum"""
    again = spec.of_pick("corrupt", wanted.what.split("'")[1])
    assert again.fields["match"] == wanted.fields["match"], "it picks the same"
    assert (wanted.seed, spec.of_pick("drop", "tcp").seed) == (None, 0)


def test_a_seed_gives_what_it_gave_before_drop_was_its_one_word():
    rule = Rule({"id": "f1", "link": "a:b", "seed": 7, "drop": 0.3})
    assert rule.faults[0]._chance.getstate() == Random("7 a:b loss").getstate()
