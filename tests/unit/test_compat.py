"""The trials of Compose files and captures: what they try, how they judge, what they write."""

import io
from pathlib import Path

import fake_compose
from traffic import BEGIN, udp

from compat import captures, compose, document, tshark
from compat.model import Section
from labctl.packets.files.write import Writer
from labctl.packets.protocols.link import RAW

FILES = {
    "one/compose.yaml": "services: {a: {image: x}}",
    "one/compose.override.yaml": "services: {b: {image: z}}",
    "one/deep/stack.yml": "services:\n  a: {image: x, ports: ['80:80']}\n  b: {image: z, ports: ['80:80']}\n",
    "one/values.yml": "services_of_mine: {}",
    "two/docker-compose.yml": "services: {a: {image: x, imagine: z}}",
    ".hidden/compose.yaml": "services: {a: {image: x}}",
}


def test_a_folder_of_projects(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = compose.trial(tmp_path)
    assert [one.name for one in compose.inputs(tmp_path)] == [
        "one/compose.override.yaml",
        "one/compose.yaml",
        "one/deep/stack.yml",
        "one/",
        "one/compose.yaml + compose.override.yaml",
        "two/docker-compose.yml",
    ]
    assert "| one | 5 | 4 | 0 | 1 | 0 |" in found.text
    assert "| two | 1 | 0 | 1 | 0 | 0 |" in found.text
    assert f"- `port-twice`, 1: {compose.REASONS['port-twice']}." in found.text
    assert "- `unknown-key`: 1" in found.text
    assert found.unexplained == 0


def test_a_difference_that_no_document_names_is_counted():
    about = compose.Input("one", "one/compose.yaml", (Path("compose.yaml"),))
    verdicts = [
        compose.Verdict(about, ("wrong-type", "compose.yaml:1:1: this"), None),
        compose.Verdict(about, None, "services must be a mapping"),
        compose.Verdict(about, ("port-twice", "that"), None),
        compose.Verdict(about, ("compose", "that"), "that"),
        compose.Verdict(about, None, None),
    ]
    assert [one.is_unexplained for one in verdicts] == [True, True, False, False, False]
    text = compose.text(verdicts, "2.26")
    assert "Not explained:\n\n- one/compose.yaml: compose.yaml:1:1: this\n" in text
    assert "- one/compose.yaml: services must be a mapping" in text


def test_a_compose_that_reads_for_ever_is_ended(tmp_path, monkeypatch):
    """What it has started as well: both hold the pipe open, whose end is awaited."""
    fake_compose.put(tmp_path, "#!/bin/sh\nsleep 600 &\necho reading >&2\nwait\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(compose, "LIMIT", 0.2)
    file = tmp_path / "compose.yaml"
    assert compose.theirs(compose.Input("one", "one/compose.yaml", (file,))) == "no answer in 0.2 s"


def test_a_section_is_written_without_the_others(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("# T\n<!-- a: begin -->\nold\n<!-- a: end -->\n<!-- b: begin -->\nkept\n<!-- b: end -->\n")
    document.put(Section("a", "new\n", 0), file)
    expected = "# T\n<!-- a: begin -->\nnew\n<!-- a: end -->\n<!-- b: begin -->\nkept\n<!-- b: end -->\n"
    assert file.read_text() == expected


def test_reasons_are_those_of_codes_that_there_are():
    from labctl.errors.tables import ERRORS
    from labctl.topology.check.problems import KINDS

    assert set(compose.REASONS) <= {*KINDS, *ERRORS}


def a_capture(path, count):
    out = io.BytesIO()
    writer = Writer(out)
    for _ in range(count):
        writer.packet(writer.interface("eth0", RAW), BEGIN, udp("10.0.0.1", 1, "10.0.0.2", 2, b"hello"))
    path.write_bytes(out.getvalue())
    return path


class Oracle:
    """Says the same of every packet, as tshark would."""

    def __init__(self, count, **said):
        row = dict.fromkeys(tshark.FIELDS, "") | {"frame.protocols": "raw:ip:udp:data", "ip.src": "10.0.0.1"}
        row |= {"frame.time_epoch": f"{BEGIN // 10**9}.{BEGIN % 10**9:09d}", "frame.len": "33", "frame.cap_len": "33"}
        row |= {"ip.dst": "10.0.0.2", "ip.ttl": "64", "ip.len": "33", "udp.srcport": "1", "udp.dstport": "2"}
        self.rows = [row | said for _ in range(count)]

    def fields(self, file, most):
        return self.rows


def compared(tmp_path, packets, oracle):
    tally = captures.Tally()
    captures._compare(oracle, a_capture(tmp_path / "a.pcapng", packets), "a.pcapng", tally)
    return tally


def test_captures_beside_tshark(tmp_path):
    tally = compared(tmp_path, 2, Oracle(2))
    assert (dict(tally.files), tally.packets, dict(tally.unexplained)) == ({"read by both": 1}, 2, {})
    tally = compared(tmp_path, 1, Oracle(1, **{"ip.ttl": "63"}))
    assert tally.unexplained == {"ttl": ["a.pcapng #1 ttl: labctl 64, tshark 63"]}


def test_packets_that_only_one_reads_are_no_difference_with_a_reason(tmp_path):
    assert list(compared(tmp_path, 1, Oracle(2)).unexplained) == ["labctl reads fewer or more packets: no reason"]
