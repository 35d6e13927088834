"""Saved runs and anybody's captures as a page, and the commands that write them."""

import base64
import gzip
import json
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from saved_runs import ALICE, BOB, lossy, run_of
from traffic import BEGIN, RAW, udp

from labctl.bundle import captures, file, save
from labctl.cli.app import command_line
from labctl.errors import LabError
from labctl.lab.keyboard.send import send
from labctl.lab.life.up import Request, up
from labctl.packets.files.write import Writer


def capture(path: Path, packets: list[tuple[int, bytes]]) -> Path:
    with path.open("wb") as out:
        writer = Writer(out)
        number = writer.interface("eth0", RAW)
        for at, data in packets:
            writer.packet(number, BEGIN + at, data)
    return path


def both_ends(tmp_path: Path) -> tuple[Path, Path]:
    """What alice and bob saw of a segment that was lost and sent again; bob's clock is a second ahead."""
    wire = lossy(b"hello\n", b"bye\n")
    ends = []
    for name, ahead in (("alice", 0), ("bob", 1_000_000_000)):
        seen = [*wire.sent[name], *wire.arrived[name]]
        ends.append(capture(tmp_path / f"{name}.pcapng", sorted((at + ahead, data) for at, data in seen)))
    return ends[0], ends[1]


def inside(page: str) -> dict:
    """The run that a page holds."""
    found = re.search(r'id="run">([^<]+)<', page)
    assert found
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def ran(*words: str | Path):
    return CliRunner().invoke(command_line(), [str(word) for word in words])


def test_two_captures_show_what_was_lost_between_them(tmp_path):
    found, problem = captures.document(*map(str, both_ends(tmp_path)))
    assert problem is None
    assert {node["name"] for node in found["topology"]["nodes"]} == {ALICE, BOB}
    lost = [packet for packet in found["packets"] if packet["fate"] == "lost"]
    again = [packet for packet in found["packets"] if "retransmits" in packet]
    assert [packet["text"] for packet in lost] == ["hello\n"]
    assert [packet["retransmits"] for packet in again] == [lost[0]["number"]]
    assert any("clock" in note for note in found["notes"])


def test_one_capture_shows_all_hosts_of_it(tmp_path):
    talk = [(n, udp(f"10.0.0.{n}", 5000, "10.0.0.100", 7, b"x")) for n in range(1, 6)]
    talk.append((10, udp("127.0.0.1", 5000, "127.0.0.1", 7, b"to myself")))
    found, _ = captures.document(str(capture(tmp_path / "one.pcap", talk)))
    names = {node["name"] for node in found["topology"]["nodes"]}
    assert names == {*(f"10.0.0.{n}" for n in (*range(1, 6), 100)), "127.0.0.1:5000", "127.0.0.1:7"}
    assert {packet["fate"] for packet in found["packets"]} == {"seen"}
    assert [packet["number"] for packet in found["packets"]] == list(range(1, 7))


def test_more_hosts_than_can_be_drawn_are_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(captures, "HOSTS", 3)
    talk = [(n, udp(f"10.0.0.{n}", 5000, "10.0.0.100", 7, b"x")) for n in range(1, 6)]
    found, _ = captures.document(str(capture(tmp_path / "one.pcap", talk)))
    assert len(found["topology"]["nodes"]) == 3
    assert found["notes"] == ["3 packets of further hosts are not shown."]


def test_a_capture_that_ends_in_the_middle_shows_what_was_whole(tmp_path):
    path = both_ends(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-30])
    done = ran("open", path, "-o", tmp_path / "page.html")
    assert isinstance(done.exception, LabError)
    assert done.exception.code == "capture-broken"
    assert len(inside((tmp_path / "page.html").read_text())["packets"]) > 3


def test_captures_of_different_things(tmp_path):
    one = capture(tmp_path / "a.pcap", [(1, udp(ALICE, 1, BOB, 2, b"x"))])
    other = capture(tmp_path / "b.pcap", [(1, udp("10.1.0.1", 1, "10.1.0.2", 2, b"y"))])
    with pytest.raises(LabError) as found:
        captures.document(str(one), str(other))
    assert found.value.code == "nothing-in-common"


def test_open_writes_the_page_and_prints_where(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "run.labrun"
    file.write(run_of(), path)
    done = ran("open", path)
    assert done.exit_code == 0, done.output
    page = next(tmp_path.glob("labctl-pages-*/run.labrun.html"))
    assert page.as_uri() in done.output
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    held = inside(page.read_text())
    assert held["lab"] == "hello"
    named = [[held["shapes"][number]["name"] for number, *_ in packet["layers"]] for packet in held["packets"]]
    assert ["IPv4", "TCP", "text"] in named, "layer by layer, as labctl packet has it"
    assert ran("open", path, tmp_path / "other.pcap").exit_code == 2


def test_what_a_run_says_is_no_html(tmp_path):
    """It is packed and encoded as a whole, so no text of it can end the element that it stands in."""
    hostile = b"</script><img src=x onerror=alert(1)>\n"
    path = tmp_path / "run.labrun"
    file.write(run_of(hostile), path)
    assert ran("open", path, "-o", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert "onerror=alert" not in page
    assert hostile.decode() in [packet["text"] for packet in inside(page)["packets"]]


def test_save_writes_the_run_and_the_page(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("labctl.engine.connect", lambda: engine)
    monkeypatch.setattr("labctl.api.machine.prepare", lambda engine, report: None)
    monkeypatch.setattr(save, "_sockets", lambda *_: ())
    lab = up(engine, Request("hello"), lambda text: None)
    send(engine, lab, "alice", "a word")
    run, page = tmp_path / "run.labrun", tmp_path / "run.html"
    done = ran("save", run, "--html", page)
    assert done.exit_code == 0, done.output
    assert "7 nodes with names and addresses" in done.output
    assert "No packets were recorded" in done.output
    assert [one.text for one in file.read(run).inputs] == ["a word"]
    assert inside(page.read_text())["lab"] == "hello"
    assert "image" in json.loads(file.read(run).compose)["services"]["alice"]
    bare = ran("save", run, "--no-payload", "--json")
    assert json.loads(bare.stdout)["payload"] is False
    assert [one.text for one in file.read(run).inputs] == [None]
    assert ran("save").exit_code == 2


def test_a_file_that_can_not_be_written(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("labctl.engine.connect", lambda: engine)
    monkeypatch.setattr("labctl.api.machine.prepare", lambda engine, report: None)
    monkeypatch.setattr(save, "_sockets", lambda *_: ())
    up(engine, Request("hello"), lambda text: None)
    done = ran("save", tmp_path / "nosuch" / "run.labrun")
    assert isinstance(done.exception, LabError)
    assert done.exception.code == "file-unwritable"
