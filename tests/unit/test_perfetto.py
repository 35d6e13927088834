"""An x-ray as Chrome's trace events."""

import json
from itertools import pairwise

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from saved_runs import run_of

from labctl.bundle import file, looks
from labctl.cli.app import command_line
from labctl.packets.ladder.ladder import Options
from labctl.render.runs import perfetto

# The Trace Event Format's own words of what each phase must have.
HEAD = {"ph": {"type": "string"}, "pid": {"type": "integer"}, "tid": {"type": "integer"}, "name": {"type": "string"}}
TIMED = {**HEAD, "ts": {"type": "number", "minimum": 0}, "cat": {"type": "string"}, "args": {"type": "object"}}
NEEDED = ["ph", "pid", "tid", "ts", "name"]
FLOW = {**TIMED, "id": {"type": ["integer", "string"]}}


def phase(letter, properties, *more):
    fields = {**properties, "ph": {"const": letter}}
    return {"properties": fields, "required": [*NEEDED, *more], "additionalProperties": False}


SCHEMA = {
    "type": "object",
    "required": ["traceEvents"],
    "properties": {
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "otherData": {"type": "object"},
        "traceEvents": {
            "type": "array",
            "items": {
                "oneOf": [
                    phase("X", {**TIMED, "dur": {"type": "number", "minimum": 0}}, "dur"),
                    phase("i", {**TIMED, "s": {"enum": ["g", "p", "t"]}}),
                    phase("s", FLOW, "id", "cat"),
                    phase("f", {**FLOW, "bp": {"const": "e"}}, "id", "cat", "bp"),
                    phase("M", TIMED, "args"),
                ]
            },
        },
    },
    "additionalProperties": False,
}


@pytest.fixture
def made():
    return perfetto.document(looks.xray(run_of(), "alice", "bob", Options(None, True, 0)))


def of(made, letter):
    return [event for event in made["traceEvents"] if event["ph"] == letter]


def test_it_is_what_the_format_asks_for(made):
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(made)))


def test_hosts_are_processes_and_programs_threads(made):
    names = {(one["pid"], one["tid"]): one["args"]["name"] for one in of(made, "M") if one["name"].endswith("_name")}
    assert (names[1, 0], names[2, 0]) == ("alice", "bob")
    assert names[1, perfetto.WIRE] == "wire"
    (call,) = (one for one in of(made, "X") if one["cat"] == "syscall")
    assert (call["pid"], call["name"], names[1, call["tid"]]) == (1, "send", "process 1")
    assert call["args"]["result"].startswith("= 6")


def test_an_arrow_leads_from_where_a_packet_was_sent_to_where_it_arrived(made):
    begins, ends = ({one["id"]: one for one in of(made, letter)} for letter in "sf")
    assert begins.keys() == ends.keys()
    assert all(begins[number]["ts"] < ends[number]["ts"] for number in begins)
    assert all(begins[number]["pid"] != ends[number]["pid"] for number in begins)
    slices = of(made, "X")
    for one in (*begins.values(), *ends.values()):
        around = [each for each in slices if (each["pid"], each["tid"]) == (one["pid"], one["tid"])]
        assert any(each["ts"] <= one["ts"] <= each["ts"] + each["dur"] for each in around)


def test_a_lost_packet_has_no_arrow(made):
    (lost,) = (one for one in of(made, "X") if one["args"].get("fate") == "lost")
    assert lost["args"]["number"] not in {one["id"] for one in of(made, "s")}
    assert lost["args"]["faults"] == ["f1"]


def test_slices_of_a_wire_do_not_overlap(made):
    for pid in (1, 2):
        mine = [one for one in of(made, "X") if (one["pid"], one["tid"]) == (pid, perfetto.WIRE)]
        mine.sort(key=lambda one: one["ts"])
        assert len(mine) > 3
        for one, following in pairwise(mine):
            assert one["ts"] + one["dur"] <= following["ts"] + 1e-6


def test_the_command_prints_it(tmp_path):
    path = tmp_path / "run.labrun"
    file.write(run_of(), path)
    done = CliRunner().invoke(command_line(), ["xray", "alice", "bob", "--run", str(path), "--format", "perfetto"])
    assert done.exit_code == 0, done.output
    Draft202012Validator(SCHEMA).validate(json.loads(done.output))
