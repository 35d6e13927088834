"""Somebody's own protocol: what a file may hold, and what is told of one that is wrong."""

import pytest

from labctl.errors import LabError
from labctl.grade.spec import read

HEAD = "transport: tcp\nchecks:\n  - name: greets\n    steps:\n"


def subject(tmp_path, text):
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    return read(file)


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
        ("a: [", 1, 5, ""),
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
    ],
)
def test_bad_files(tmp_path, text, row, column, said):
    with pytest.raises(LabError) as caught:
        subject(tmp_path, text)
    assert caught.value.code == "spec-invalid"
    assert (caught.value.values["row"], caught.value.values["column"]) == (row, column), caught.value.message
    assert said in caught.value.message


def test_no_file(tmp_path):
    with pytest.raises(LabError, match="can't be read"):
        read(tmp_path / "none.yaml")
