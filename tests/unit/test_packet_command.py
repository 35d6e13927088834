"""`labctl packet` as a process on capture files; no engine is asked for anything."""

import fcntl
import gzip
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from traffic import BEGIN, MS, icmp, ip, tcp, udp

from labctl.packets.files.write import Writer
from labctl.packets.model import ACK, PSH, SYN
from labctl.packets.protocols.link import RAW
from labctl.render.text import width

LABCTL = str(Path(sys.executable).parent / "labctl")
A, B = "10.77.0.11", "10.77.0.12"


def labctl(*args, input=b"", **variables):
    """stdin is a pipe; nothing here may need an engine, so there is none."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LABCTL", "NO_COLOR"))}
    environment |= {"DOCKER_HOST": "unix:///nowhere/docker.sock", **variables}
    done = subprocess.run([LABCTL, *args], input=input, capture_output=True, timeout=60, env=environment, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def capture(packets, node="alice") -> bytes:
    """A pcapng of raw IP packets, a millisecond apart."""
    out = io.BytesIO()
    writer = Writer(out)
    number = writer.interface(node, RAW)
    for place, data in enumerate(packets):
        writer.packet(number, BEGIN + place * MS, data)
    return out.getvalue()


def conversation() -> list[bytes]:
    return [
        tcp(A, 4000, B, 80, 1000, 0, SYN),
        tcp(B, 80, A, 4000, 5000, 1001, SYN | ACK),
        tcp(A, 4000, B, 80, 1001, 5001, ACK),
        tcp(A, 4000, B, 80, 1001, 5001, PSH | ACK, "grüße, 世界".encode()),
        udp(A, 5005, B, 5005, b"a datagram"),
    ]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "five.pcapng"
    path.write_bytes(capture(conversation()))
    return path


def packet_lines(text: str) -> list[str]:
    return text.splitlines()[2:]


def test_each_packet_is_a_line(file):
    code, out, err = labctl("packet", str(file))
    assert (code, err) == (0, "")
    lines = packet_lines(out)
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert [line.split()[1] for line in lines] == ["0.000000", "0.001000", "0.002000", "0.003000", "0.004000"]
    assert all(line.split()[2] == "alice" for line in lines)
    assert f"{A}:4000 > {B}:80" in lines[0]
    assert "TCP SYN, ACK  seq 0  ack 1" in lines[1]
    assert lines[3].endswith('"grüße, 世界"')
    assert lines[4].endswith('UDP  len 10  "a datagram"')
    assert "2025-11-22T08:26:40.123456789Z" in out.splitlines()[0]


def test_the_list_as_json(file):
    code, out, _ = labctl("packet", str(file), "--json")
    found = json.loads(out)
    assert (code, found["schema_version"], found["count"], found["file"]) == (0, 1, 5, str(file))
    assert [item["number"] for item in found["packets"]] == [1, 2, 3, 4, 5]
    assert found["packets"][3]["text"] == "grüße, 世界"
    assert found["packets"][1] | {"what": None} == {
        "number": 2,
        "ts": "2025-11-22T08:26:40.124456789Z",
        "ts_ns": BEGIN + MS,
        "node": "alice",
        "protocol": "tcp",
        "source": [B, 80],
        "target": [A, 4000],
        "captured_length": 40,
        "original_length": 40,
        "what": None,
        "text": None,
        "notes": [],
        "malformed": None,
        "unread": None,
    }


@pytest.mark.turn(2)
@pytest.mark.parametrize(("number", "shown"), [("1", 1), ("4", 4), ("5", 5), ("-1", 5), ("-5", 1)])
def test_one_packet_layer_by_layer(file, number, shown):
    code, out, err = labctl("packet", str(file), number)
    assert (code, err) == (0, "")
    assert out.startswith(f"packet {shown}  ")
    assert "network: IPv4  (20 bytes from 0)" in out
    assert "\nbytes\n" not in out


def test_layers_adds_the_bytes(file):
    plain, whole = labctl("packet", str(file), "4")[1], labctl("packet", str(file), "4", "--layers")[1]
    assert whole.startswith(plain.rstrip("\n"))
    shown = whole.split("\nbytes\n")[1]
    data = bytes.fromhex("".join(line[8:57] for line in shown.splitlines()).replace(" ", ""))
    assert data == conversation()[3]


def test_layers_of_all_packets(file):
    code, out, _ = labctl("packet", str(file), "--layers")
    assert code == 0
    assert re.findall(r"^packet (\d+)", out, re.M) == ["1", "2", "3", "4", "5"]
    assert out.count("\nbytes\n") == 5
    found = json.loads(labctl("packet", str(file), "--layers", "--json")[1])
    assert [bytes.fromhex(item["bytes"]) for item in found["packets"]] == conversation()


def test_one_packet_as_json(file):
    found = json.loads(labctl("packet", str(file), "-2", "--json")[1])
    assert (found["schema_version"], found["number"]) == (1, 4)
    assert [layer["level"] for layer in found["layers"]] == ["network", "transport", "application"]


def test_standard_input(file):
    assert labctl("packet", "-", input=file.read_bytes())[1] == labctl("packet", str(file))[1]
    assert labctl("packet", "-", "2", input=file.read_bytes())[1] == labctl("packet", str(file), "2")[1]


@pytest.mark.turn(2)
@pytest.mark.parametrize("columns", [80, 100, 200])
def test_lines_fit_the_terminal(file, columns):
    file.write_bytes(capture([*conversation(), udp("fd77:5::1", 5005, "fd77:5::2", 5005, "世界".encode() * 99)]))
    code, out = at_terminal(columns, "packet", str(file))
    assert code == 0
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in out.splitlines()]
    assert len(lines) == 8
    assert all(width(line) <= columns for line in lines), lines
    if columns < 200:  # as wide as it can be: a wide character may not fit the last column
        assert lines[-1].endswith("…")
        assert width(lines[-1]) >= columns - 1


def at_terminal(columns: int, *args: str) -> tuple[int, str]:
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    child = subprocess.Popen(
        [LABCTL, *args], stdin=side, stdout=side, stderr=side, env={**environment, "TERM": "xterm"}
    )
    os.close(side)
    data = b""
    try:
        while more := os.read(main, 65536):
            data += more
    except OSError:  # EIO: the program has ended
        pass
    os.close(main)
    return child.wait(60), data.decode()


def test_colours_only_where_they_are_wanted(file):
    assert "\x1b" not in labctl("packet", str(file))[1]
    assert "\x1b[" in labctl("--color", "always", "packet", str(file))[1]
    assert "\x1b" not in labctl("packet", str(file), NO_COLOR="1")[1]


def test_a_limit_is_told_of(file):
    code, out, err = labctl("packet", str(file), "--limit", "2")
    assert code == 0
    assert len(packet_lines(out)) == 2
    assert err == "2 of 5 packets are shown; --limit 5 shows all\n"
    found = json.loads(labctl("packet", str(file), "--limit", "2", "--json")[1])
    assert (found["count"], len(found["packets"])) == (5, 2)


def refused(*args, input=b"") -> dict:
    """Exit status 1 and the same error in words and as one document."""
    code, out, err = labctl("packet", *args, "--json", input=input)
    assert code == 1
    found = json.loads(out)
    assert err.splitlines()[0] == f"labctl: {found['error']['message']}"
    assert "Traceback" not in err
    return found


def test_files_that_can_not_be_read(tmp_path):
    def why(name: str) -> tuple[str, str]:
        error = refused(name)["error"]
        return error["code"], error["message"].removeprefix(name)

    assert why(str(tmp_path / "none.pcap")) == ("capture-unreadable", " can't be read: No such file or directory")
    assert why(str(tmp_path)) == ("capture-unreadable", " can't be read: Is a directory")
    assert why(str(tmp_path / ("x" * 300)))[0] == "capture-unreadable"


@pytest.mark.turn(3)
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the capture is empty"),
        (b"just some text, and no capture", "this is no capture: it begins with 6a 75 73 74"),
        (b"\xd4\xc3\xb2\xa1\x02", "the capture ends inside its header: 5 of 24 bytes"),
        (gzip.compress(b"x", mtime=0), "this is no capture: it begins with 78,"),
    ],
)
@pytest.mark.parametrize("number", [(), ("1",), ("-1",)])
def test_what_is_no_capture(tmp_path, data, words, number):
    path = tmp_path / "file"
    path.write_bytes(data)
    error = refused(str(path), *number)["error"]
    assert error["code"] == "capture-broken"
    assert error["message"].startswith(f"{path}: {words}")
    assert refused("-", *number, input=data)["error"]["message"].startswith(f"standard input: {words}")


def test_a_truncated_capture_is_shown_as_far_as_it_is_whole(file):
    file.write_bytes(file.read_bytes()[:-20])
    code, out, err = labctl("packet", str(file))
    assert code == 1
    assert len(packet_lines(out)) == 4
    assert err.startswith(f"labctl: {file}: the capture ends")
    found = refused(str(file))
    assert (found["count"], len(found["packets"]), found["error"]["code"]) == (4, 4, "capture-broken")
    # What comes before the break is as good as ever; the last one may not be the last.
    assert labctl("packet", str(file), "4")[::2] == (0, "")
    code, out, err = labctl("packet", str(file), "-1")
    assert (code, out[:8]) == (1, "packet 4")
    assert "the capture ends" in err
    error = refused(str(file), "5")["error"]
    assert error["message"] == f"{file} has no packet 5: it has 4 whole, and is broken after that"


@pytest.mark.turn(2)
@pytest.mark.parametrize("number", ["6", "-6", str(10**12), str(-(10**20))])
def test_a_number_out_of_range(file, number):
    error = refused(str(file), number)["error"]
    assert (error["code"], error["message"]) == ("no-such-packet", f"{file} has no packet {number}: it has 5")


def test_a_capture_without_packets(file):
    file.write_bytes(capture([]))
    assert labctl("packet", str(file))[:2] == (0, "")
    assert json.loads(labctl("packet", str(file), "--json")[1])["packets"] == []
    assert refused(str(file), "1")["error"]["message"].endswith("it has none")


@pytest.mark.parametrize("args", [("0",), ("one",), ("--limit", "0"), ("1", "2")])
def test_wrong_usage(file, args):
    code, out, err = labctl("packet", str(file), *args)
    assert (code, out) == (2, "")
    assert "Usage: labctl packet" in err


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path):
    """More than a pipe holds, so that the writing goes on when the reader is gone."""
    path = tmp_path / "big.pcapng"
    path.write_bytes(capture([udp(A, 5005, B, 5005, b"x" * 60)] * 3000))
    child = subprocess.Popen(
        [LABCTL, "packet", str(path), "--limit", "3000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout.readline()
    child.stdout.close()
    err = child.stderr.read()
    assert (child.wait(60), err) == (128 + signal.SIGPIPE, b"")


def test_nothing_in_a_packet_reaches_the_terminal_as_it_is(file):
    file.write_bytes(capture([udp(A, 5005, B, 5005, b"\x1b]0;owned\x07\x9b31m and some more text")], node="a\x1b[31m"))
    for args in ((), ("1",), ("1", "--layers")):
        out = labctl("packet", str(file), *args)[1]
        assert all(character.isprintable() or character == "\n" for character in out)


def test_other_protocols_and_broken_packets(file):
    file.write_bytes(capture([icmp(A, B, 8, 0, struct.pack(">HH", 7, 1)), ip(A, B, 6, b"\0\1")]))
    lines = packet_lines(labctl("packet", str(file))[1])
    assert "ICMP echo request  id 7  seq 1" in lines[0]
    assert "malformed: " in lines[1]


def test_a_capture_of_nothing_says_so():
    for more in ((), ("--layers",)):
        status, shown, said = labctl("packet", "-", *more, input=capture([]))
        assert (status, shown, said) == (0, "", "there is no packet in it\n")
    status, shown, _ = labctl("packet", "-", "--json", input=capture([]))
    assert (status, json.loads(shown)["packets"]) == (0, [])
