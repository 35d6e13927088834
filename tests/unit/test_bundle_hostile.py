"""Run files that are damaged, or made to do harm: each is refused in a sentence, and nothing is written or started."""

import hashlib
import io
import json
import os
import struct
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from saved_runs import run_of

from labctl.bundle import checked, container, file
from labctl.bundle.model import Run
from labctl.cli.app import command_line
from labctl.errors import LabError
from labctl.packets.files.write import Writer


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run.labrun"


@pytest.fixture
def parts() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(file.packed(run_of()))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, parts: dict[str, bytes], *, listed: bool = True) -> Path:
    """A zip of parts, whose manifest is right unless it isn't `listed` anew."""
    if listed:
        manifest = json.loads(parts["manifest.json"])
        manifest["parts"] = {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in parts.items()
            if name != "manifest.json"
        }
        parts = {**parts, "manifest.json": json.dumps(manifest).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def refused(path: Path, *words: str, code: str = "run-broken") -> None:
    before = path.read_bytes()
    with pytest.raises(LabError) as found:
        file.read(path)
    assert found.value.code == code, found.value.message
    for word in words:
        assert word in found.value.message
    assert path.read_bytes() == before


def changed(parts: dict[str, bytes], name: str, change) -> dict[str, bytes]:
    """The parts with a change of one that is JSON."""
    content = json.loads(parts[name])
    change(content)
    return {**parts, name: json.dumps(content).encode()}


def test_a_file_that_is_none(path):
    path.write_bytes(b"")
    refused(path, "no whole zip file")
    path.write_bytes(b"GIF89a" * 100)
    refused(path, "no whole zip file")
    with pytest.raises(LabError) as found:
        file.read(path.parent / "nosuch.labrun")
    assert found.value.code == "file-unreadable"
    with pytest.raises(LabError) as found:
        file.read(path.parent)
    assert found.value.code == "file-unreadable"


def test_every_cut_of_a_file_is_refused(path):
    whole = file.packed(run_of())
    for size in range(0, len(whole), 397):
        path.write_bytes(whole[:size])
        refused(path)


def test_every_changed_byte_is_refused_or_without_effect(path):
    whole, run = file.packed(run_of()), None
    for place in range(0, len(whole), 173):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        found = _read(path)
        if isinstance(found, str):
            assert found in ("run-broken", "run-version")
            continue
        # A byte that says nothing of the content, such as a date in the zip's directory.
        run = run or file.read(_whole(path, whole))
        assert (found.events, found.inputs, found.faults) == (run.events, run.inputs, run.faults)


def _read(path: Path) -> Run | str:
    """The run, or the code of the error."""
    try:
        return file.read(path)
    except LabError as problem:
        return problem.code


def _whole(path: Path, content: bytes) -> Path:
    other = path.with_name("whole.labrun")
    other.write_bytes(content)
    return other


def test_a_zip_bomb_is_not_unpacked(path, parts, monkeypatch):
    monkeypatch.setitem(container.PARTS, "journal.jsonl", 1 << 20)
    bomb = written(path, {**parts, "journal.jsonl": b"\n" * (64 << 20)})
    assert bomb.stat().st_size < 1 << 20
    refused(bomb, "journal.jsonl has more than 1 MiB")


def test_a_header_that_lies_about_a_size_is_not_believed(path, parts):
    written(path, parts)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("packets.pcapng")
    at = content.find(b"packets.pcapng", entry.header_offset + 40 + 14)  # in the directory at the end
    struct.pack_into("<I", content, at - 46 + 24, 16)  # its size, unpacked
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/b", "..\\x", "x" * 200, "con\x1b[31m"])
def test_names_that_lead_elsewhere_are_refused(path, parts, name):
    written(path, {**parts, name: b"x"})
    refused(path, "no part's name")
    assert sorted(os.listdir(path.parent)) == [path.name]


def test_two_parts_of_one_name(path, parts):
    written(path, parts)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("journal.jsonl", b"")
    refused(path, "two parts named 'journal.jsonl'")


def test_a_thousand_parts(path, parts):
    written(path, {**parts, **{f"part{n}": b"" for n in range(1000)}})
    refused(path, "parts")


def test_a_part_that_is_unknown_is_left_alone(path, parts):
    """A later labctl may have more to say."""
    assert file.read(written(path, {**parts, "colours.json": b"{}"})).lab.name == "hello"


def test_another_packing(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    refused(path, "packed in a way")


@pytest.mark.parametrize("name", container.NEEDED)
def test_a_part_that_is_missing(path, parts, name):
    written(path, {key: value for key, value in parts.items() if key != name})
    refused(path, name, "missing")


def test_a_part_that_was_changed(path, parts):
    written(path, {**parts, "journal.jsonl": parts["journal.jsonl"].replace(b"hello", b"HELLO")}, listed=False)
    refused(path, "journal.jsonl is not as it was saved")


def test_a_later_version(path, parts):
    written(path, changed(parts, "manifest.json", lambda found: found.update(schema_version=7)))
    refused(path, "version 7", "versions up to 1", code="run-version")


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": "1"},
        {"schema_version": True},
        {"format": "something"},
        {"lab": "../x"},
        {"lab": None},
        {"saved": "yesterday"},
        {"payload": "yes"},
        {"notes": "text"},
        {"notes": ["\ud800"]},
        {"versions": {"labctl": 1}},
        {"parts": []},
    ],
)
def test_manifests_that_are_none(path, parts, change):
    written(path, changed(parts, "manifest.json", lambda found: found.update(change)), listed="parts" not in change)
    refused(path)


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("topology.json", b"[]"),
        ("topology.json", b'{"picture": {}, "nodes": []}'),
        ("topology.json", DEEP),
        ("topology.json", b"\xff\xfe"),
        ("recorders.json", b'{"recorders": [{"node": "alice"}]}'),
        ("recorders.json", b'{"recorders": 1}'),
        ("journal.jsonl", b"{}\n"),
        ("journal.jsonl", b"[]\n"),
        ("journal.jsonl", b'{"ts": "2026-11-28T10:00:00Z", "node": "a\\u001b[31m", "event": "x"}\n'),
        ("journal.jsonl", b'{"ts": "2026-11-28T10:00:00Z", "node": "a", "event": "x", "peer": ["1.2.3.4"]}\n'),
        ("journal.jsonl", b'{"ts": "2026-11-28T10:00:00Z", "node": "a", "event": "x", "n": NaN}\n'),
        ("journal.jsonl", b'{"ts": "2026-11-28T10:00:00Z", "node": "a", "event": "fault", "delay_ms": "x"}\n'),
        ("journal.jsonl", b'{"ts": "2026-11-28T10:00:00Z", "node": "a", "event": "x", "n": ' + b"9" * 9999 + b"}\n"),
        ("journal.jsonl", DEEP),
        ("packets.pcapng", b"\x0a\x0d\x0d\x0a" + bytes(40)),
        ("packets.pcapng", b"no capture at all"),
        ("faults.json", b'{"faults": [{"id": "f1"}]}'),
        ("inputs.jsonl", b'{"ts": "2026-11-28T10:00:00Z", "node": "a", "text": 5, "followed": []}\n'),
        ("inputs.jsonl", b'{"ts": "2026-11-28T10:00:00Z", "node": "a", "text": "x", "followed": [1]}\n'),
        ("sockets.json", b'{"sockets": [{"node": "a"}]}'),
        ("syscalls.jsonl", b'{"ts": "2026-11-28T10:00:00Z", "node": "a", "event": "syscall"}\n'),
        ("syscalls.jsonl", b'{"recording": "alice", "since": "x", "cut": 0}\n'),
        (
            "syscalls.jsonl",
            b'{"recording": "alice", "since": null, "cut": 0}\n'
            b'{"ts": "2026-11-28T10:00:00Z", "node": "alice", "event": "syscall", "duration_ns": "long"}\n',
        ),
        ("compose.yaml", b"\xff"),
    ],
)
def test_parts_that_are_none(path, parts, name, content):
    written(path, {**parts, name: content})
    refused(path, name)


def of_nodes(change):
    def apply(found):
        change({node["node"]: node for node in found["nodes"]}, found)

    return apply


@pytest.mark.parametrize(
    "change",
    [
        lambda nodes, found: nodes["alice"].update(node="bob"),
        lambda nodes, found: nodes["alice"].update(node="<img onerror>"),
        lambda nodes, found: nodes["alice"].update(owner="nobody"),
        lambda nodes, found: nodes["alice"].update(owner="alice"),
        lambda nodes, found: nodes["alice"].update(addresses={"lab": ["example"]}),
        lambda nodes, found: nodes["alice"].update(state="on fire"),
        lambda nodes, found: nodes["alice"].update(ports=[[1]]),
        lambda nodes, found: found.update(nodes=[nodes["alice"]] * 6000),
        lambda nodes, found: found["picture"]["nodes"][0].update(networks={"nosuch": []}),
        lambda nodes, found: found["picture"].update(links=[{"from": "alice"}]),
    ],
)
def test_topologies_that_are_none(path, parts, change):
    written(path, changed(parts, "topology.json", of_nodes(change)))
    refused(path, "topology.json")


def test_many_networks_take_no_more_than_their_number(path, parts):
    """With the square of it, this took a minute."""
    count = 20_000

    def change(found):
        drawn = found["picture"]
        drawn["networks"] = [drawn["networks"][0] | {"network": f"n{number}"} for number in range(count)]
        drawn["nodes"] = [
            drawn["nodes"][0] | {"node": f"x{number}", "networks": {f"n{number}": []}} for number in range(count)
        ]
        drawn["links"] = []

    written(path, changed(parts, "topology.json", change))
    begun = time.monotonic()
    drawn = file.read(path).picture
    assert time.monotonic() - begun < 20
    assert [(one.node, one.network) for one in drawn.attachments][-2:] == [("x19998", "n19998"), ("x19999", "n19999")]


@pytest.mark.parametrize("part", ["journal.jsonl", "syscalls.jsonl", "inputs.jsonl", "faults.json"])
def test_values_that_would_take_all_memory(path, parts, part, monkeypatch):
    """Three bytes of JSON are an array that takes seventy."""
    monkeypatch.setattr(checked, "MOST_VALUES", 100_000)
    line = b'{"a": [' + b"[]," * 100_000 + b"[]]}\n"
    written(path, {**parts, part: line})
    refused(path, part, "more than 100000 values")


def test_what_would_not_be_read_is_not_saved(path, monkeypatch):
    monkeypatch.setattr(checked, "MOST_VALUES", 20)
    with pytest.raises(LabError) as found:
        file.write(run_of(), path)
    assert found.value.code == "run-too-large"
    assert not path.exists()


def test_packets_of_a_stranger(path, parts):
    out = io.BytesIO()
    writer = Writer(out)
    writer.packet(writer.interface("mallory eth0:out", 1), 1, bytes(60))
    written(path, {**parts, "packets.pcapng": out.getvalue()})
    refused(path, "packets of 'mallory'")


def with_pieces(parts: dict[str, bytes], count: int, length: int) -> dict[str, bytes]:
    """The parts with packets that are each a piece of another datagram, which had so many bytes."""
    out = io.BytesIO()
    writer = Writer(out)
    number = writer.interface("alice eth0:out", 1)
    for place in range(count):
        writer.packet(number, 1, b"", comments=[f"labctl: piece of datagram {place}, {length} bytes"])
    return {**parts, "packets.pcapng": out.getvalue()}


def test_pieces_that_would_take_all_memory(path, parts):
    written(path, with_pieces(parts, 2000, 65535))
    refused(path, "more datagrams")


def test_pieces_of_nothing_take_no_more_than_their_number(path, parts):
    """With the square of it, these took a minute."""
    written(path, with_pieces(parts, 45_000, 0))
    begun = time.monotonic()
    assert sum(len(side.sent) for side in file.read(path).sides) == 45_000
    assert time.monotonic() - begun < 30


def test_what_it_says_reaches_no_terminal_raw(path, parts):
    line = {"ts": "2026-11-28T10:00:00Z", "node": "alice", "event": "x\x1b]0;y\x07", "text": "\x1b[31m\u202e"}
    written(path, {**parts, "journal.jsonl": json.dumps(line).encode() + b"\n"})
    for command in (["logs"], ["graph"], ["packet"], ["sockets"], ["ladder", "alice", "bob"]):
        done = CliRunner().invoke(command_line(), [*command, "--run", str(path)])
        assert done.exit_code == 0, done.output
        assert not set("\x1b\x07\u202e") & set(done.output)


def test_a_file_is_there_whole_or_not_at_all(path, monkeypatch):
    path.write_bytes(b"an older one")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(LabError) as found:
        file.write(run_of(), path)
    assert found.value.code == "file-unwritable"
    assert path.read_bytes() == b"an older one"
    assert os.listdir(path.parent) == [path.name]


def test_a_file_keeps_its_mode_and_a_new_one_has_the_masks(path):
    old = os.umask(0o027)
    try:
        file.write(run_of(), path)
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o600)
        file.write(run_of(), path)
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old)


def test_a_run_that_is_too_large_is_not_written(path, monkeypatch):
    monkeypatch.setitem(container.PARTS, "journal.jsonl", 10)
    with pytest.raises(LabError) as found:
        file.write(run_of(), path)
    assert found.value.code == "run-too-large"
    assert not path.exists()
