"""Somebody's own protocol: what a file may hold, and what is told of one that is wrong."""

import resource
import subprocess
import sys

import pytest
import yaml

from labctl.errors import LabError
from labctl.grade import values
from labctl.grade.spec import read
from labctl.topology.check.reading import source

MEMORY = 1 << 30  # bytes: what Python itself reserves, and some

HEAD = "transport: tcp\nchecks:\n  - name: greets\n    steps:\n"
UDP = "transport: udp\nchecks:\n  - name: a\n    steps:\n      - connect: a\n"


def subject(tmp_path, text):
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    return read(file)


def refused(tmp_path, text):
    """What is said of a spec that is none: in few characters, whatever stands in it."""
    with pytest.raises(LabError) as caught:
        subject(tmp_path, text)
    assert caught.value.code == "spec-invalid"
    said = caught.value.message.removeprefix(str(tmp_path))
    assert len(said) < 250
    return said


def test_a_whole_one(tmp_path):
    found = subject(
        tmp_path,
        "name: greeter\nport: 7000\nchecks:\n"
        "  - name: greets\n    rationale: says hello\n    points: 2\n    steps:\n"
        '      - connect: a\n      - expect: "HÉ\\r\\n"\n      - send: hi\n'
        "  - name: lossy\n    needs: [greets]\n    steps:\n"
        "      - fault: {drop: tcp data 1}\n      - connect: a\n      - expect: {hex: 00ff}\n        within: 3\n"
        "      - expect: {end: true}\n      - wire: '* '\n",
    )
    assert (found.name, found.transport, found.port) == ("greeter", "tcp", 7000)
    listens, greets, lossy = found.checks
    assert (listens.act, greets.points, greets.what, lossy.needs) == ("listens", 2, "says hello", ("listens", "greets"))
    assert [step["verb"] for step in greets.steps] == ["connect", "expect", "send"]
    assert greets.steps[1]["data"].encode("latin-1") == "HÉ\r\n".encode()
    assert (lossy.faults[0].verb, lossy.faults[0].match) == ("drop", "tcp data 1")
    assert (lossy.faults[0].link, lossy.faults[0].by) == ("checker:program", "300ms")
    assert lossy.steps[1] == {"verb": "expect", "client": "a", "kind": "text", "data": "\x00\xff", "within": 3}


def test_a_fault_is_for_the_link_that_is_named(tmp_path):
    steps = (
        "      - fault: {drop: tcp data 1, link: program:checker}\n"
        "      - fault:\n          delay: tcp data 2\n          by: 1.5s\n          link: checker-program\n"
        "      - connect: a\n"
    )
    [_, greets] = subject(tmp_path, HEAD + steps).checks
    assert [(one.verb, one.link, one.by) for one in greets.faults] == [
        ("drop", "program:checker", "300ms"),
        ("delay", "checker-program", "1.5s"),
    ]


@pytest.mark.parametrize(
    ("text", "row", "column", "said"),
    [
        ("", 1, 1, "it is empty"),
        ("- a", 1, 1, "the file is a mapping"),
        ("a: [", 2, 1, "this is not YAML"),
        ("transport: sctp\nchecks: []", 1, 12, "transport is tcp or udp"),
        ("name: x", 1, 1, "checks are missing"),
        ("checks: []", 1, 9, "there is no check"),
        ("chekcs: []", 1, 1, "did you mean checks?"),
        ("port: 70000\nchecks: []", 1, 7, "port is a whole number from 1 to 65535"),
        ("checks:\n  - steps: []", 2, 5, "a check has a name"),
        ("checks:\n  - name: a\n    steps: []", 3, 12, "there is no step"),
        (f"{HEAD}      - conect: a", 5, 9, "did you mean connect"),
        (f"{HEAD}      - send: a", 5, 9, "whose send is it?"),
        (f"{HEAD}      - connect: a\n      - connect: a", 6, 9, "a is connected already"),
        (f"{HEAD}      - connect: a\n      - close: b", 6, 9, "b isn't connected"),
        (f"{HEAD}      - connect: a\n      - expect: {{regex: '('}}", 6, 25, "no regular expression"),
        (f"{HEAD}      - connect: a\n      - expect: {{hex: 0}}", 6, 23, "hex is two digits"),
        (f"{HEAD}      - connect: a\n      - expect: x\n        within: 99", 7, 17, "from 1 to 30"),
        (f"{HEAD}      - connect: a\n      - fault: {{drop: tcp dta 1}}", 6, 23, ""),
        (f"{HEAD}      - fault: {{drop: syn, link: program:cheker}}", 5, 34, "did you mean program:checker"),
        (f"{HEAD}      - fault: {{drop: syn, by: 1s}}", 5, 32, "by is how long a delay is"),
        (f"{HEAD}      - fault: {{delay: syn, by: 1h}}", 5, 33, "by"),
        (f"{HEAD}      - fault: {{link: checker:program}}", 5, 16, "a fault is one of drop, duplicate, delay"),
        (f"{HEAD}      - connect: a\n      - wire: a b S", 6, 15, "line 1, column 3 of the pattern"),
        (f"{HEAD}      - connect: a\n  - name: greets\n    steps: []", 6, 11, "another check's name"),
        (f"{HEAD}      - connect: a\n  - name: b\n    needs: [greet]\n    steps: []", 7, 13, "did you mean greets?"),
        ("transport: udp\nchecks:\n  - name: a\n    steps:\n      - connect: a\n      - reset: a", 6, 9, "TCP's alone"),
        (f"{HEAD}      - connect: a\n      - expect: {{end: false}}", 6, 23, "end is true"),
        (f"{HEAD}      - connect: a\n      - expect: {{end: 'true'}}", 6, 23, "end is true"),
        (f"{UDP}      - expect: {{end: true}}", 6, 23, "end is TCP's alone"),
        (f"{HEAD}      - connect: a\n      - expect: x\n        to: b", 7, 13, "expect has no to"),
        (f"{HEAD}      - connect: a\n      - send: x\n        from: b", 7, 15, "send has no from"),
        (f"{HEAD}      - connect: a\n        within: 3", 6, 17, "connect has no within"),
        (f"{HEAD}      - connect: a\n      - wire: '*'\n        within: -7", 7, 17, "wire has no within"),
        (f"{HEAD}      - connect: a\n      - wire: '*'\n        from: b", 7, 15, "wire has no from"),
        (f"{HEAD}      - connect: a\n      - wire: '*'\n      - wire: '*'", 7, 15, "a check has one wire"),
        ("[a]: b", 1, 1, "a list can't be a key"),
        ("{a: b}: c", 1, 1, "a mapping can't be a key"),
        ("name: a\nname: b", 2, 1, "stands here already"),
        ("name: a\n---\nname: b", 2, 1, "a second document begins here"),
        ("name: !own x", 1, 7, "no tags, such as !own"),
        ("name: a\nchecks: &a [*a]", 2, 13, "inside its own anchor"),
    ],
)
def test_bad_files(tmp_path, text, row, column, said):
    with pytest.raises(LabError) as caught:
        subject(tmp_path, text)
    assert caught.value.code == "spec-invalid"
    assert (caught.value.values["row"], caught.value.values["column"]) == (row, column), caught.value.message
    assert said in caught.value.message


@pytest.mark.parametrize("text", ["[" * 1000 + "]" * 1000, "{a: " * 2000 + "}" * 2000, "[" * 100_000])
def test_what_is_nested_without_end(tmp_path, text):
    assert "deeper than 64 levels" in refused(tmp_path, f"checks: {text}")


def test_aliases_do_not_multiply(tmp_path):
    steps = "{fault: {drop: syn}}," * 1000
    more = ",".join(f"{{name: a{number}, steps: *s}}" for number in range(1000))
    said = refused(tmp_path, f"checks: [{{name: a, steps: &s [{{connect: a}},{steps}]}}, {more}]")
    assert "with its aliases put in" in said


@pytest.mark.parametrize("loader", [source._Loader, yaml.SafeLoader])
@pytest.mark.parametrize(
    "text",
    [
        f'{HEAD}      - connect: a\n      - send: "\\ud800"',
        f'{HEAD}      - connect: a\n      - expect: "\\udfff"',
        f'{HEAD}      - connect: a\n      - expect: {{regex: "\\ud800"}}',
        'name: "\\ud800"\nchecks: []',
        '"\\ud800": a',
    ],
)
def test_half_of_a_surrogate_pair_is_no_text(tmp_path, monkeypatch, loader, text):
    monkeypatch.setattr(source, "_Loader", loader)
    monkeypatch.setattr(values, "_Loader", loader)
    refused(tmp_path, text)


@pytest.mark.parametrize(
    ("regex", "said"),
    [
        ("a{99999999999}", "a number in it is too large"),
        ("a{" + "9" * 5000 + "}", "a number in it is too large"),
        ("(" * 1000 + ")" * 1000, "nested too deep"),
        ("(?(" + "9" * 4200 + ")a)", "it is no regular expression: "),
    ],
)
def test_no_regular_expression(tmp_path, regex, said):
    assert said in refused(tmp_path, f"{HEAD}      - connect: a\n      - expect: {{regex: '{regex}'}}")


@pytest.mark.filterwarnings("error")
def test_a_regular_expression_that_python_warns_of_is_one(tmp_path):
    [_, greets] = subject(tmp_path, f"{HEAD}      - connect: a\n      - expect: {{regex: '[[a]'}}").checks
    assert greets.steps[1]["kind"] == "regex"


@pytest.mark.parametrize(
    "text",
    [
        "port: {}",
        "checks:\n  - name: a\n    steps: [connect: a]\n    points: {}",
        f"{HEAD}      - connect: a\n      - expect: x\n        within: {{}}",
    ],
)
@pytest.mark.parametrize("number", ["9" * 5000, "9" * 4200, "٣", "²", "-1", "1.5", "[1]"])
def test_no_number(tmp_path, text, number):
    text = text.format(number)
    assert "is a whole number from" in refused(tmp_path, text if "checks" in text else f"{text}\nchecks: []")


@pytest.mark.parametrize("text", ["{}: a", "checks:\n  - name: a\n    needs: [{}]\n    steps: [connect: a]"])
def test_messages_repeat_no_more_than_the_head_of_a_name(tmp_path, text):
    assert "9..." in refused(tmp_path, text.format("9" * 800))


def test_a_name_may_be_a_number_and_parts_may_be_aliases(tmp_path):
    text = "checks:\n  - &a {name: 1, steps: [connect: 7, send: 5]}\n  - {<<: *a, name: 2}\n"
    _, one, two = subject(tmp_path, text).checks
    assert (one.name, two.name, one.steps == two.steps) == ("1", "2", True)


def test_a_device_without_an_end_is_not_read_to_it(tmp_path):
    file = tmp_path / "zero.yaml"
    file.symlink_to("/dev/zero")
    code = "import sys, pathlib; from labctl.grade.spec import read; read(pathlib.Path(sys.argv[1]))"
    ran = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, preexec_fn=_bounded)
    assert ran.stderr.splitlines()[-1].endswith(":1:1: it is larger than a mebibyte"), ran.stderr[-300:]


def _bounded():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def test_no_file(tmp_path):
    with pytest.raises(LabError, match="can't be read"):
        read(tmp_path / "none.yaml")
