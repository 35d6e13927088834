"""The engine's HTTP by a server of our own on a real socket: split anywhere, cut off, silent, wrong."""

import contextlib
import hashlib
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from labctl.engine.docker import DockerEngine, inspected, ssh, streams, websocket, wire
from labctl.engine.docker.endpoint import Endpoint, find
from labctl.engine.docker.streams import Demultiplexer
from labctl.engine.docker.wire import Body, Refused, Response, Wire, encode_query
from labctl.errors import LabError


@pytest.fixture
def served(tmp_path):
    """`served(answer)` serves one connection on a Unix socket: `answer(sock)` gets it after the request was read."""
    listening = []

    def serve(answer) -> Wire:
        path = tmp_path / f"{len(listening)}.sock"
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        listening.append(server)

        def run():
            sock, _ = server.accept()
            with sock:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += sock.recv(65536)
                with contextlib.suppress(BrokenPipeError):  # the last bytes say only that all was read
                    answer(sock)

        threading.Thread(target=run, daemon=True).start()
        return Wire(Endpoint(f"unix://{path}", "a test"))

    yield serve
    for server in listening:
        server.close()


def reply(text: bytes):
    return lambda sock: sock.sendall(text)


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}',
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"a":1}',
    ],
)
def test_a_body_by_length_in_chunks_or_to_the_end(served, answer):
    def in_single_bytes(sock):
        for byte in answer:
            sock.sendall(bytes([byte]))

    assert served(reply(answer)).call("GET", "/x") == {"a": 1}
    assert served(in_single_bytes).call("GET", "/x") == {"a": 1}


@pytest.mark.parametrize("cut", range(1, 40))
def test_chunks_split_anywhere(cut):
    text = b"5\r\nhello\r\n1\r\n!\r\nA\r\n0123456789\r\n0\r\n\r\n"
    body = Body(chunked=True, length=None)
    assert body.feed(text[:cut]) + body.feed(text[cut:]) == b"hello!0123456789"
    assert body.ended


def test_an_error_keeps_the_engines_words(served):
    answer = b'HTTP/1.1 409 Conflict\r\nContent-Length: 24\r\n\r\n{"message":"name in use"}'
    with pytest.raises(Refused) as caught:
        served(reply(answer)).call("POST", "/x", body={})
    assert (caught.value.status, caught.value.message) == (409, '{"message":"name in use"')
    answer = answer.replace(b"24", b"25")
    with pytest.raises(Refused) as caught:
        served(reply(answer)).call("POST", "/x", body={})
    assert caught.value.message == "name in use"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1\r\n\r\n"])
def test_what_is_no_engine_is_unreachable(served, answer):
    with pytest.raises(LabError) as caught:
        served(reply(answer)).call("GET", "/x")
    assert caught.value.code == "engine-unreachable"


def test_silence_ends_at_the_limit(served):
    done = threading.Event()
    wire = served(lambda sock: done.wait(10))
    with pytest.raises(LabError, match=r"did not answer within 0.1 s \(GET /x\)"):
        wire.call("GET", "/x", limit=0.1)
    done.set()


def test_no_socket_and_no_permission(tmp_path):
    with pytest.raises(LabError) as caught:
        Wire(Endpoint(f"unix://{tmp_path}/none.sock", "a test")).call("GET", "/x")
    assert caught.value.message.startswith(f"no Docker engine answers at unix://{tmp_path}/none.sock (a test): No such")
    problem = Wire(Endpoint("unix:///x", "a test")).unreachable(PermissionError(13, "Permission denied"))
    assert problem.code == "engine-permission"
    with pytest.raises(LabError) as caught:
        Wire(Endpoint("npipe:////./pipe/docker", "a test")).call("GET", "/x")
    assert caught.value.code == "engine-endpoint"


def test_queries():
    found = encode_query({"all": True, "filters": {"label": ["a=b c"]}, "tail": None, "limit": 0})
    assert found == "?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%20c%22%5D%7D&limit=0"
    assert encode_query({"x": None}) == ""


def frame(channel: int, payload: bytes) -> bytes:
    return bytes([channel, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 1000])
def test_frames_split_anywhere(size):
    stamp = b"2026-01-31T12:00:00.000000001Z "
    data = (
        frame(1, stamp + b"one\n") + frame(2, stamp + b"error\n") + frame(1, stamp + b"lo") + frame(1, stamp + b"ng\n")
    )
    data += frame(1, stamp + b"rest")
    reader = Demultiplexer(stamped=True)
    lines = [line for at in range(0, len(data), size) for line in reader.feed(data[at : at + size])] + reader.finish()
    assert [(line.text, line.stderr) for line in lines] == [
        (b"one", False),
        (b"error", True),
        (b"long", False),
        (b"rest", False),
    ]
    assert {line.stamp for line in lines} == {"2026-01-31T12:00:00.000000001Z"}


def test_what_a_program_printed_last_is_no_part_of_its_next_run():
    """A prompt has no newline; a line of more than 16 KiB comes in entries of one time, and goes on."""
    ended, again = b"2026-01-31T12:00:00.000000001Z ", b"2026-01-31T12:00:05.000000001Z "
    reader = Demultiplexer(stamped=True)
    data = frame(1, ended + b"say: ") + frame(1, again + b"connected\n")
    data += frame(1, again + b"x" * 16384) + frame(1, again + b"y\n") + frame(1, again + b"say: ")
    lines = reader.feed(data) + reader.finish()
    assert [line.text for line in lines] == [b"say: ", b"connected", b"x" * 16384 + b"y", b"say: "]
    assert [(line.stamp or "")[17:19] for line in lines] == ["00", "05", "05", "05"]


def test_a_terminals_stream_has_no_frames():
    reader = Demultiplexer(raw=True)
    assert [line.text for line in reader.feed(b"a\nb") + reader.finish()] == [b"a", b"b"]


def test_waiting_again_finds_what_was_left(served):
    lines = frame(1, b"one\ntwo\nthree\n")
    wire = served(
        reply(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n" + lines)
    )
    engine = DockerEngine(wire.endpoint)
    stream = engine.attach("c", keyboard=False)
    first = next(iter(engine.wait([stream], None)))
    assert first.line
    rest = [happening.line and happening.line.text for happening in engine.wait([stream], None)]
    assert (first.line.text, rest) == (b"one", [b"two", b"three", None])
    assert list(engine.wait([stream], None)) == []
    stream.close()


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 65535, 65536, 300_001])
def test_a_message_of_a_websocket(size):
    """As a server reads it (RFC 6455, section 5.2)."""
    data = bytes(number % 251 for number in range(size))
    got = websocket.frame(data)
    assert got[0] == 0x82
    assert got[1] & 0x80, "a client's are masked"
    extended = {126: 2, 127: 8}.get(got[1] & 0x7F, 0)
    length = int.from_bytes(got[2 : 2 + extended], "big") if extended else got[1] & 0x7F
    mask, payload = got[2 + extended : 6 + extended], got[6 + extended :]
    assert (length, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))) == (size, data)


def test_an_archive_that_is_cut_is_none(served):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in (b"5\r\nhello\r\n", b"5\r\nhel"):
        engine = DockerEngine(served(reply(head + body)).endpoint)
        with pytest.raises(LabError, match="it hung up in the middle of an answer"):
            list(engine.archive("c", "/x"))
    engine = DockerEngine(served(reply(head + b"5\r\nhello\r\n0\r\n\r\n")).endpoint)
    assert b"".join(engine.archive("c", "/x")) == b"hello"


def test_the_end_of_what_is_typed_goes_over_ssh(tmp_path, monkeypatch):
    """Who reads up to the end would else wait for ever."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\ncat\necho and that was all\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    stream = streams.DockerStream("c", Response(ssh.dial("far", None, None), 101, {}, b""), Demultiplexer(raw=True))
    reader, writer = os.pipe()
    os.write(writer, b"typed\n")
    os.close(writer)
    try:
        said = [
            happening.line.text
            for happening in streams.converse(stream, reader, time.monotonic() + 30)
            if happening.line
        ]
    finally:
        stream.close()
        os.close(reader)
    assert said == [b"typed", b"and that was all"]


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def test_docker_host_holds_over_a_context(tmp_path):
    found = find({"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CONFIG": str(tmp_path)})
    assert (found.url, found.source, found.tls, found.is_local) == ("tcp://h:2376", "DOCKER_HOST", tmp_path, False)
    with pytest.raises(LabError, match="DOCKER_HOST names no usable Docker endpoint"):
        find({"DOCKER_HOST": "localhost:2375", "HOME": str(tmp_path)})


def test_the_current_context_and_a_named_one(tmp_path):

    folder = tmp_path / "contexts/meta" / hashlib.sha256(b"mine").hexdigest()
    write(folder / "meta.json", {"Name": "mine", "Endpoints": {"docker": {"Host": "unix:///mine.sock"}}})
    write(tmp_path / "config.json", {"currentContext": "mine"})
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert find(env).url == "unix:///mine.sock"
    assert find(env).source == "the context mine"
    assert find({**env, "DOCKER_CONTEXT": "default", "HOME": str(tmp_path)}).source == "the default"
    with pytest.raises(LabError, match="the Docker context other names no usable Docker endpoint"):
        find({**env, "DOCKER_CONTEXT": "other"})


def test_a_broken_configuration_is_the_default(tmp_path):
    (tmp_path / "config.json").write_text("{")
    assert find({"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}).source == "the default"


@pytest.mark.parametrize(
    ("state", "status", "health"),
    [
        ("running", "Up 3 seconds (health: starting)", "starting"),
        ("running", "Up About a minute (healthy)", "healthy"),
        ("running", "Up 2 hours (unhealthy)", "unhealthy"),
        ("running", "Up 3 seconds", None),
        ("paused", "Up 3 seconds (Paused)", None),
        ("exited", "Exited (0) 3 seconds ago", None),
    ],
)
def test_health_is_read_from_the_list(state, status, health):
    item = {"Id": "1" * 64, "Names": ["/x"], "Image": "i", "State": state, "Status": status}
    assert inspected.container(item).health == health


UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nUpgrade: tcp\r\n\r\n"
SAID = b"\1\0\0\0\0\0\0\6hello\n" + b"\2\0\0\0\0\0\0\4oh\n\n"


@pytest.mark.parametrize("cut", [0, 20, len(UPGRADED), len(UPGRADED) + 5, len(UPGRADED) + 14, len(UPGRADED + SAID)])
@pytest.mark.parametrize("unread", [True, False])
@pytest.mark.parametrize("conversing", [True, False])
def test_what_a_command_said_before_it_was_listened_to_is_heard(served, cut, unread, conversing):
    """It may have ended by the time that its stream is there; and the engine may hang up on what it never read."""
    over = threading.Event()

    def answer(sock):
        sock.sendall((UPGRADED + SAID)[:cut])
        sock.sendall((UPGRADED + SAID)[cut:])
        if not unread:
            sock.shutdown(socket.SHUT_WR)
        over.wait(20)

    response = served(answer).stream("POST", "/exec/x/start", upgrade="tcp", body={"Detach": False})
    stream = streams.DockerStream("x", response, streams.Pieces())
    if unread:
        stream.write(b"typed\n")
    over.set()
    heard = streams.converse(stream, None, time.monotonic() + 20) if conversing else streams.wait([stream], None)
    said = [(item.line.text, item.line.stderr) if item.line else None for item in heard]
    stream.close()
    assert said == [(b"hello\n", False), (b"oh\n\n", True), None]


def test_what_is_trusted_is_read_once_and_again_where_it_changed(tmp_path, monkeypatch):
    read = []

    class Context:
        def __init__(self, endpoint):
            read.append(endpoint.verify)

        def wrap_socket(self, sock, server_hostname):
            return sock, server_hostname

    monkeypatch.setattr(wire, "_context", Context)
    monkeypatch.setattr(wire, "_contexts", {})
    (tmp_path / "ca.pem").write_text("one")
    checked = Endpoint("tcp://h:2376", "a test", tmp_path)
    for _ in range(2):
        assert wire._secure("a socket", checked, "h") == ("a socket", "h")
    wire._secure("a socket", checked._replace(verify=False), "h")
    assert read == [True, False]
    os.utime(tmp_path / "ca.pem", ns=(1, 1))
    wire._secure("a socket", checked, "h")
    (tmp_path / "cert.pem").write_text("another")
    wire._secure("a socket", checked, "h")
    assert read == [True, False, True, True]
