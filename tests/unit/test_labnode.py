"""The nodes' shared package: journal, keyboard, loop, stream, names. Real pipes and sockets, no container."""

import base64
import errno
import itertools
import json
import math
import os
import random
import socket
import struct
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.lab.faults.gate import OPEN, SHUT
from labnode import gate, journal, keyboard, names
from labnode.keyboard import Input, Keyboard
from labnode.loop import READ, WRITE, Loop
from labnode.stream import CHUNK, HIGH_COUNT, HIGH_WATER, Stream

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def written(capfd):
    """`written()` gives the events since it was last asked."""
    return lambda: [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def run_until(loop: Loop, done, within: float = 20) -> None:
    def give_up():
        raise AssertionError("what the test waits for did not happen")

    limit = loop.later(within, give_up)
    loop.run(until=done)
    loop.cancel(limit)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda name: name != "event"), JSON, max_size=4
)


class TestJournal:
    def test_an_event_is_one_line_with_its_time_its_node_and_its_fields(self, written):
        before = time.time_ns()
        fields = {"bytes": 3, "text": '"\n\\\t\0€😀', "none": None, "yes": True, "list": [1, "a"], "real": 0.5}
        journal.event("send", {"proto": "tcp", "local": ["10.0.0.1", 7]}, **fields)
        after = time.time_ns()
        (event,) = written()
        stamp = event.pop("ts")
        assert len(stamp) == len("2026-01-31T12:00:00.123456789Z")
        whole = (datetime.fromisoformat(stamp[:19] + "+00:00") - EPOCH) // timedelta(seconds=1)
        assert before <= whole * 10**9 + int(stamp[20:29]) <= after
        assert stamp[19] + stamp[29] == ".Z"
        assert event == {"node": journal.NODE, "event": "send", "proto": "tcp", "local": ["10.0.0.1", 7], **fields}

    def test_the_same_ends_in_every_event(self, written):
        with socket.create_server(("127.0.0.1", 0)) as server:
            ends = journal.ends(server, ("10.1.2.3", 4))
            journal.event("accept", ends)
            journal.event("recv", ends, bytes=0)
            first, second = written()
            address = list(server.getsockname())
        assert first["proto"] == second["proto"] == "tcp"
        assert first["local"] == second["local"] == address
        assert first["peer"] == second["peer"] == ["10.1.2.3", 4]

    def test_ends_of_a_socket_without_a_peer(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            assert journal.ends(sock) == {"proto": "udp", "local": list(sock.getsockname())}

    def test_an_ipv6_end_has_an_address_and_a_port_and_no_more(self):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            assert journal.ends(sock, ("fd00::1", 7, 0, 0))["peer"] == ["fd00::1", 7]

    def test_a_lone_surrogate_does_not_break_the_line(self, written):
        journal.event("log", text="a\ud800b")
        assert written()[0]["text"] == "a\ud800b"

    @pytest.mark.parametrize(("code", "name"), [(errno.EPIPE, "EPIPE"), ("EAI_NONAME", "EAI_NONAME"), (9999, "9999")])
    def test_an_error_is_named(self, written, code, name):
        journal.error(code, "a sentence", call="send", id="7")
        (event,) = written()
        assert (event["event"], event["error"], event["reason"], event["id"]) == ("error", name, "a sentence", "7")

    @pytest.mark.parametrize(
        ("data", "limit", "expected"),
        [
            (b"", 10, {"bytes": 0, "text": ""}),
            (b"hello", 5, {"bytes": 5, "text": "hello"}),
            (b"hello", 4, {"bytes": 5, "text": "hell", "cut": 1}),
            ("ab€".encode(), 4, {"bytes": 5, "text": "ab", "cut": 3}),
            ("ab😀".encode(), 5, {"bytes": 6, "text": "ab", "cut": 4}),
            (b"\xff\xfe", 10, {"bytes": 2, "data": base64.b64encode(b"\xff\xfe").decode()}),
            (b"a\xffbc", 3, {"bytes": 4, "data": base64.b64encode(b"a\xffb").decode(), "cut": 1}),
            (b"\x80" * 8, 4, {"bytes": 8, "data": base64.b64encode(b"\x80" * 4).decode(), "cut": 4}),
            (b"a\0b", 10, {"bytes": 3, "text": "a\0b"}),
        ],
    )
    def test_payload(self, data, limit, expected):
        assert journal.payload(data, limit) == expected

    @given(st.binary(max_size=40), st.integers(0, 40))
    def test_a_payload_is_all_of_it_or_says_how_much_is_missing(self, data, limit):
        shown = journal.payload(data, limit)
        head = shown["text"].encode() if "text" in shown else base64.b64decode(shown["data"])
        assert shown["bytes"] == len(data)
        assert data.startswith(head)
        assert len(head) + shown.get("cut", 0) == len(data)
        assert len(head) >= min(limit, len(data)) - 3

    @given(st.text(max_size=40), st.integers(4, 40))
    def test_a_text_is_never_made_binary_by_the_cut(self, text, limit):
        assert "data" not in journal.payload(text.encode(), limit)

    @given(FIELDS)
    def test_fields_are_written_as_json_has_them(self, fields):
        assert json.loads(f'{{"event":"x"{journal.members(fields)}}}') == {"event": "x", **fields}

    def test_what_is_a_number_is_written_as_one(self):
        """Constants of socket are of enum; and JSON has no infinity (RFC 8259, section 6)."""
        fields = {"family": socket.AF_INET, "both": [socket.AF_INET, math.inf, math.nan], "large": 10**30}
        both = [int(socket.AF_INET), None, None]
        found = json.loads(f"{{{journal.members(fields)[1:]}}}")
        assert found == {"family": int(socket.AF_INET), "both": both, "large": 10**30}

    def test_what_json_has_no_notation_for_is_no_event(self):
        with pytest.raises(TypeError, match="JSON has no notation"):
            journal.event("x", what=[b"bytes"])

    def test_held_events_are_written_in_order_and_none_is_lost(self, written):
        journal.gather()
        try:
            for number in range(5):
                journal.event("x", number=number)
            assert written() == []
            journal.flush()
            assert [event["number"] for event in written()] == list(range(5))
            journal.event("x", number=5)
        finally:
            journal.release()
        journal.event("x", number=6)
        assert [event["number"] for event in written()] == [5, 6]

    def test_what_is_held_is_bounded(self, capfd):
        journal.gather()
        try:
            for _ in range(10):
                journal.event("x", text="a" * 10_000)
            assert len(capfd.readouterr().out) >= 60_000
        finally:
            journal.release()

    def test_a_line_longer_than_the_pipe_is_written_whole(self, monkeypatch):
        reader, writer = os.pipe()
        read = bytearray()
        thread = threading.Thread(target=lambda: read.extend(b"".join(iter(lambda: os.read(reader, 5000), b""))))
        thread.start()
        saved = os.dup(1)
        os.dup2(writer, 1)
        os.close(writer)
        try:
            journal.event("x", text="é" * 300_000)
        finally:
            os.dup2(saved, 1)
            os.close(saved)
        thread.join(20)
        os.close(reader)
        assert json.loads(read)["text"] == "é" * 300_000


ENVELOPE = b'\x1e{"id":"a1","text":"h\\u00e9llo \\u001e","to":"[fd00::1]:7","count":3}\n'
PLAIN_A = Input(None, "a", None, {})
TYPED = {
    "a plain line": (b"hello\n", [Input(None, "hello", None, {})]),
    "an empty line": (b"\n", [Input(None, "", None, {})]),
    "not ASCII": ("wörld €😀\n".encode(), [Input(None, "wörld €😀", None, {})]),
    "CR LF": (b"hello\r\n", [Input(None, "hello", None, {})]),
    "text like JSON": (b'{"text":"x"}\n', [Input(None, '{"text":"x"}', None, {})]),
    "an envelope": (ENVELOPE, [Input("a1", "héllo \x1e", "[fd00::1]:7", {"count": 3})]),
    "CR in an envelope": (b'\x1e{"text":"x\\r"}\n', [Input(None, "x\r", None, {})]),
    "null for nothing": (b'\x1e{"text":"x","id":null,"to":null}\n', [Input(None, "x", None, {})]),
    "both": (
        b"a\n" + ENVELOPE + b"b\n",
        [
            Input(None, "a", None, {}),
            Input("a1", "héllo \x1e", "[fd00::1]:7", {"count": 3}),
            Input(None, "b", None, {}),
        ],
    ),
    "an envelope in a line that is being typed": (
        b'half \x1e{"text":"x","id":"1"}\n\x1e{"text":"y","id":"2"}\na line\n',
        [Input("1", "x", None, {}), Input("2", "y", None, {}), Input(None, "half a line", None, {})],
    ),
    "no newline yet": (b"a\nb", [Input(None, "a", None, {})]),
}
REFUSED = {
    "not UTF-8": (b"\xff\xfe", "EILSEQ"),
    "half a character": ("€".encode()[:2], "EILSEQ"),
    "an envelope that is not UTF-8": (b'\x1e{"text":"\xff"}', "EILSEQ"),
    "no JSON": (b"\x1ehello", "EBADMSG"),
    "half an envelope": (b'\x1e{"text":"he', "EBADMSG"),
    "no object": (b'\x1e["text"]', "EBADMSG"),
    "no text": (b'\x1e{"id":"1"}', "EBADMSG"),
    "text that is none": (b'\x1e{"text":7}', "EBADMSG"),
    "a newline in the text": (b'\x1e{"text":"a\\nb"}', "EBADMSG"),
    "a lone surrogate": (b'\x1e{"text":"\\ud800"}', "EBADMSG"),
    "a lone surrogate in the id": (b'\x1e{"text":"x","id":"\\udc80"}', "EBADMSG"),
    "an id that is no string": (b'\x1e{"text":"x","id":7}', "EBADMSG"),
    "a target that is no string": (b'\x1e{"text":"x","to":["a",7]}', "EBADMSG"),
    "JSON without end": (b'\x1e{"text":' + b"[" * 200_000, "EBADMSG"),
    "a number without end": (b'\x1e{"text":"x","count":' + b"9" * 5000 + b"}", "EBADMSG"),
}


class TestKeyboard:
    @pytest.fixture
    def keys(self):
        reader, writer = os.pipe()
        yield Keyboard(reader), writer
        os.close(reader)
        os.close(writer)

    @pytest.mark.parametrize(("data", "expected"), TYPED.values(), ids=TYPED)
    def test_lines_however_they_are_cut(self, keys, data, expected):
        board, writer = keys
        for count in (0, 1, 2):
            for cuts in itertools.combinations(range(1, len(data)), count):
                if count == 2 and random.Random(str(cuts)).random() > 200 / len(data) ** 2:
                    continue
                got = []
                for start, end in itertools.pairwise((0, *cuts, len(data))):
                    os.write(writer, data[start:end])
                    got += board.read()
                assert got == expected, cuts
                board._pending.clear()

    def test_byte_by_byte(self, keys):
        board, writer = keys
        data, expected = TYPED["both"]
        got = []
        for byte in data:
            os.write(writer, bytes([byte]))
            got += board.read()
        assert got == expected

    @pytest.mark.parametrize(("line", "error"), REFUSED.values(), ids=REFUSED)
    def test_what_is_wrong_is_refused_whole_and_the_next_line_is_read(self, keys, written, line, error):
        board, writer = keys
        data, got = line + b"\nnext\n", []
        while data:  # a pipe holds 64 KiB
            data = data[os.write(writer, data[: 1 << 16]) :]
            got += board.read()
        assert got == [Input(None, "next", None, {})]
        failed, typed = written()
        assert (failed["event"], failed["error"], failed["call"]) == ("error", error, "input")
        assert failed["reason"]
        assert (typed["event"], typed["text"]) == ("input", "next")

    def test_an_error_names_the_id_where_it_is_known(self, keys, written):
        board, writer = keys
        os.write(writer, b'\x1e{"text":"a\\nb","id":"42"}\n')
        assert board.read() == []
        assert written()[0]["id"] == "42"

    def test_the_input_event(self, keys, written):
        board, writer = keys
        os.write(writer, b'\x1e{"text":"x","id":"42","to":"echo:7","rate":1}\ny\n')
        board.read()
        first, second = written()
        del first["ts"], second["ts"]
        known = {"node": journal.NODE, "event": "input"}
        assert first == known | {"id": "42", "to": "echo:7", "bytes": 1, "text": "x"}
        assert second == known | {"bytes": 1, "text": "y"}

    @pytest.mark.parametrize(("size", "accepted"), [(keyboard.LIMIT, True), (keyboard.LIMIT + 1, False)])
    def test_the_longest_line(self, keys, written, size, accepted):
        board, writer = keys
        got, data = [], memoryview(b"a" * size + b"\nnext\n")
        while data:
            data = data[os.write(writer, data[: 1 << 16]) :]
            got += board.read()
        assert [len(typed.text) for typed in got] == ([size, 4] if accepted else [4])
        events = written()
        assert [event.get("error") for event in events] == ([None, None] if accepted else ["EMSGSIZE", None])
        assert events[0].get("cut", 0) == (size - journal.PREVIEW if accepted else 0)

    def test_escapes_do_not_count(self, keys, written):
        board, writer = keys
        got = []
        for size in (keyboard.LIMIT, keyboard.LIMIT + 1):
            data = memoryview(b'\x1e{"id":"7","text":"%b"}\n' % (b'\\"' * (size // 2) + b"a" * (size - size // 2)))
            while data:
                data = data[os.write(writer, data[: 1 << 16]) :]
                got += board.read()
        assert [len(typed.text) for typed in got] == [keyboard.LIMIT]
        assert [(event["id"], event.get("error")) for event in written()] == [("7", None), ("7", "EMSGSIZE")]

    def test_a_line_far_over_the_limit_is_one_error_and_takes_no_memory(self, keys, written):
        board, writer = keys
        for _ in range(3 * keyboard.LONGEST >> 16):
            os.write(writer, b"a" * (1 << 16))
            assert board.read() == []
            assert len(board._pending) <= keyboard.LONGEST
        os.write(writer, b"a\nnext\n")
        assert [typed.text for typed in board.read()] == ["next"]
        assert [event["event"] for event in written()] == ["error", "input"]

    def test_the_end_of_the_file_is_known(self):
        reader, writer = os.pipe()
        board = Keyboard(reader)
        os.close(writer)
        assert board.read() == []
        assert board.closed
        os.close(reader)

    def test_nothing_to_read_is_nothing(self, keys):
        board, _ = keys
        os.set_blocking(board.fileno(), False)
        assert board.read() == []
        assert not board.closed


class TestLoop:
    def test_timers_run_in_the_order_of_their_time_and_then_of_their_setting(self):
        loop, ran = Loop(), []
        loop.later(0.02, lambda: ran.append("late"))
        for number in range(3):
            loop.later(0, lambda number=number: ran.append(number))
        run_until(loop, lambda: len(ran) == 4)
        assert ran == [0, 1, 2, "late"]

    def test_a_timer_is_never_early(self):
        loop, ran = Loop(), []
        begun = time.monotonic()
        for delay in (0.001, 0.0105, 0.03):
            loop.later(delay, lambda delay=delay: ran.append(time.monotonic() - begun - delay))
        run_until(loop, lambda: len(ran) == 3)
        assert min(ran) >= 0

    def test_what_was_called_off_does_not_run(self):
        loop, ran = Loop(), []
        timers = [loop.later(0, lambda number=number: ran.append(number)) for number in range(1000)]
        for timer in timers[:999]:
            loop.cancel(timer)
        loop.cancel(None)
        run_until(loop, lambda: ran)
        assert ran == [999]

    def test_a_timer_that_sets_itself_again_does_not_keep_the_sockets_waiting(self):
        loop, read = Loop(), []
        ours, theirs = socket.socketpair()

        def again():
            loop.later(-1, again)

        with ours, theirs:
            loop.watch(ours, READ, lambda _: read.append(ours.recv(10)))
            again()
            theirs.send(b"x")
            run_until(loop, lambda: read)
        assert read == [b"x"]

    @pytest.mark.parametrize("seconds", [1e9, float("inf")])
    def test_a_timer_that_is_far_away_is_no_error(self, seconds):
        loop, ran = Loop(), []
        loop.later(seconds, lambda: ran.append("never"))
        loop.later(0, lambda: ran.append("now"))
        run_until(loop, lambda: ran)
        assert ran == ["now"]

    def test_a_source_is_watched_for_what_was_asked_last(self):
        loop, ran = Loop(), []
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.send(b"x")
            loop.watch(ours, READ, lambda ready: ran.append(("first", ready)))
            loop.watch(ours, READ | WRITE, lambda ready: ran.append(("second", ready)))
            run_until(loop, lambda: ran)
            assert ran[0] == ("second", READ | WRITE)
            loop.watch(ours, 0)
            loop.watch(ours, 0)
            ran.clear()
            loop.later(0.01, lambda: ran.append("timer"))
            run_until(loop, lambda: ran)
        assert ran == ["timer"]

    def test_a_source_that_an_earlier_callback_closed_is_not_called(self):
        loop, ran = Loop(), []
        pairs = [socket.socketpair() for _ in range(2)]

        def close_the_other(number):
            ran.append(number)
            loop.watch(pairs[1 - number][0], 0)
            loop.watch(pairs[number][0], 0)

        for number, (ours, theirs) in enumerate(pairs):
            loop.watch(ours, READ, lambda _, number=number: close_the_other(number))
            theirs.send(b"x")
        run_until(loop, lambda: ran)
        assert len(ran) == 1
        for sock in itertools.chain(*pairs):
            sock.close()

    def test_events_are_written_when_the_loop_waits(self, capfd):
        loop, seen = Loop(), []
        loop.later(0, lambda: journal.event("x", number=1))
        loop.later(0, lambda: journal.event("x", number=2))
        loop.later(0.05, lambda: seen.extend(capfd.readouterr().out.splitlines()))
        loop.later(0.1, lambda: seen.append("end"))
        run_until(loop, lambda: "end" in seen)
        assert [json.loads(line)["number"] for line in seen[:-1]] == [1, 2]

    def test_events_are_written_when_a_callback_raises(self, written):
        loop = Loop()

        def fail():
            journal.event("x")
            raise RuntimeError("as expected")

        loop.later(0, fail)
        with pytest.raises(RuntimeError, match="as expected"):
            loop.run()
        assert [event["event"] for event in written()] == ["x"]


class Pair:
    """A stream on a loop, and the plain socket at its other end."""

    def __init__(self, **options):
        self.loop, self.got, self.closed, self.eof = Loop(), bytearray(), [], []
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.peer = socket.create_connection(server.getsockname())
            self.sock, _ = server.accept()
        handlers = {"on_data": self.got.extend, "on_eof": lambda: self.eof.append(True), "on_close": self.closed.append}
        self.stream = Stream(self.loop, self.sock, **{**handlers, **options})

    def run(self, done, within: float = 20) -> None:
        run_until(self.loop, done, within)

    def turn(self) -> None:
        """Lets the loop call all that is ready by now."""
        ours, theirs = socket.socketpair()
        called = []
        with ours, theirs:
            theirs.send(b"x")
            self.loop.watch(ours, READ, called.append)
            self.run(lambda: called)
            self.loop.watch(ours, 0)

    def reset(self) -> None:
        """The peer's end is closed by RST (socket(7), SO_LINGER of zero)."""
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()


@pytest.fixture
def pair():
    """`pair()` makes a stream and its other end."""
    made: list[Pair] = []

    def make(**options) -> Pair:
        made.append(Pair(**options))
        return made[-1]

    yield make
    for one in made:
        one.stream.close()
        one.peer.close()


class TestStream:
    def test_offsets_are_positions_in_the_stream(self, pair, written):
        it = pair()
        for data in (b"hello", b"", b"w\xc3\xb6rld", b"\xff"):
            it.stream.send(data)
        sends = [event for event in written() if event["event"] == "send"]
        assert [(event["offset"], event["bytes"]) for event in sends] == [(0, 5), (5, 0), (5, 6), (11, 1)]
        assert [event.get("text") for event in sends] == ["hello", "", "wörld", None]
        assert sends[3]["data"] == base64.b64encode(b"\xff").decode()
        assert it.peer.recv(100, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == b"hellow\xc3\xb6rld\xff"
        for data in (b"ab", b"c"):
            it.peer.send(data)
            it.run(lambda: it.got.endswith(data))  # noqa: B023
        assert [(event["offset"], event["text"]) for event in written()] == [(0, "ab"), (2, "c")]

    def test_every_event_has_both_ends(self, pair, written):
        it = pair()
        it.stream.send(b"x")
        it.peer.send(b"y")
        it.run(lambda: it.got)
        assert it.peer.recv(10) == b"x"
        it.peer.close()
        it.run(lambda: it.eof)
        it.stream.finish()
        events = written()
        assert [event["event"] for event in events] == ["send", "recv", "recv", "shutdown", "close"]
        for event in events:
            assert (event["proto"], event["local"], event["peer"]) == tuple(it.stream.ends.values())
        assert events[2]["bytes"] == 0
        assert (events[4]["received"], events[4]["sent"]) == (1, 1)

    def test_a_half_close_leaves_the_other_direction_open(self, pair, written):
        it = pair()
        it.stream.send(b"a question")
        it.stream.finish(id="7")
        assert it.peer.recv(100) == b"a question"
        assert it.peer.recv(100) == b""
        it.peer.sendall(b"an answer")
        it.run(lambda: it.got)
        assert it.got == b"an answer"
        assert not it.stream.closed
        it.peer.shutdown(socket.SHUT_WR)
        it.run(lambda: it.closed)
        assert it.closed == [None]
        assert [(event["event"], event.get("id")) for event in written()] == [
            ("send", None),
            ("shutdown", "7"),
            ("recv", None),
            ("recv", None),
            ("close", "7"),
        ]

    def test_after_the_peers_half_close_bytes_still_go_out(self, pair):
        it = pair()
        it.peer.shutdown(socket.SHUT_WR)
        it.run(lambda: it.eof)
        assert it.eof == [True]
        it.stream.send(b"still here")
        assert it.peer.recv(100) == b"still here"
        assert not it.stream.closed

    def test_finish_waits_for_what_is_queued(self, pair, written):
        it = pair()
        data = random.randbytes(20_000_000)
        it.stream.send(data)
        it.stream.finish()
        assert it.stream.unsent
        assert not written()
        read = bytearray()
        thread = threading.Thread(target=lambda: read.extend(b"".join(iter(lambda: it.peer.recv(1 << 16), b""))))
        thread.start()
        it.run(lambda: not it.stream.unsent)
        thread.join(20)
        assert read == data
        assert [event["event"] for event in written()] == ["send", "shutdown"]

    def test_nothing_is_sent_after_finish(self, pair):
        it = pair()
        it.stream.finish()
        with pytest.raises(BrokenPipeError):
            it.stream.send(b"x")

    def test_a_reset_is_an_error_and_a_close(self, pair, written):
        it = pair()
        it.reset()
        it.run(lambda: it.closed)
        assert it.closed == ["ECONNRESET"]
        failed, closed = written()
        assert (failed["error"], failed["call"], failed["peer"]) == ("ECONNRESET", "recv", it.stream.ends["peer"])
        assert (closed["event"], closed["received"]) == ("close", 0)

    def test_sending_into_a_reset_connection_ends_it_with_what_was_lost(self, pair, written):
        it = pair()
        it.reset()
        while not it.closed:
            it.stream.send(b"x" * 10)
        assert it.closed[0] in ("ECONNRESET", "EPIPE")
        assert written()[-1]["unsent"] == 10

    def test_one_that_answers_does_not_read_more_than_it_can_get_rid_of(self, pair):
        it = pair()
        it.stream._on_data = it.stream.send
        it.peer.setblocking(False)
        filler, taken, before = b"x" * CHUNK, 0, -1
        while it.stream.received > before:
            before = it.stream.received
            try:
                while True:
                    taken += it.peer.send(filler)
            except BlockingIOError:
                it.turn()
        assert HIGH_WATER <= it.stream.unsent < HIGH_WATER + CHUNK
        assert taken > it.stream.received

    def test_many_small_pieces_count_too(self, pair):
        it = pair()
        it.stream.send(bytes(20_000_000))
        sent = it.stream.sent
        it.stream.queued = sent + 1  # as if next to nothing waited
        for _ in range(HIGH_COUNT):
            it.stream.send(b"")
        it.peer.send(b"x")
        it.turn()
        assert it.stream.received == 0

    def test_without_backpressure_it_reads_while_it_waits_to_send(self, pair):
        it = pair(backpressure=False)
        it.stream.send(bytes(20_000_000))
        assert it.stream.unsent > HIGH_WATER
        it.peer.send(b"read me")
        it.run(lambda: it.got)
        assert it.got == b"read me"

    def test_held_it_does_not_read(self, pair):
        it = pair()
        it.stream.pause(True)
        it.peer.send(b"x")
        it.turn()
        assert it.got == b""
        it.stream.pause(False)
        it.run(lambda: it.got)
        assert it.got == b"x"

    def test_fields_replace_the_preview(self, pair, written):
        it = pair()
        it.stream.send(b"secret", bytes=6, id="9")
        (event,) = written()
        assert (event["id"], event["bytes"]) == ("9", 6)
        assert "text" not in event

    def test_closing_twice_is_closing_once(self, pair, written):
        it = pair()
        it.stream.close()
        it.stream.close()
        it.stream.finish()
        assert it.closed == [None]
        assert [event["event"] for event in written()] == ["close"]

    def test_a_connection_that_was_reset_before_it_was_looked_at_keeps_its_ends(self, written):
        with socket.create_server(("127.0.0.1", 0)) as server:
            peer = socket.create_connection(server.getsockname())
            address = peer.getsockname()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            sock, name = server.accept()
        loop, closed = Loop(), []
        ends = journal.ends(sock, name)
        Stream(loop, sock, on_data=None, on_eof=None, on_close=closed.append, ends=ends)
        run_until(loop, lambda: closed)
        assert [event["peer"] for event in written()] == [list(address)] * 2


class TestNames:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("echo:7", ("echo", 7)),
            ("10.77.0.3:65535", ("10.77.0.3", 65535)),
            ("[fd00::1]:7", ("fd00::1", 7)),
            ("[fe80::1%eth0]:7", ("fe80::1%eth0", 7)),
        ],
    )
    def test_split(self, text, expected):
        assert names.split(text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            *("", "echo", ":7", "echo:", "echo:seven", "echo:0", "echo:65536", "echo:-1", "echo:\u0667", "echo:7 "),
            *("fd00::1:7", "[echo]:7", "[fd00::1]", "[]:7", "a\nb:7", "a\0b:7", "echo:1" + "0" * 5000),
        ],
    )
    def test_what_is_no_host_and_port(self, text):
        with pytest.raises(ValueError, match=r"is not host:port"):
            names.split(text)

    def test_a_name_is_found_without_holding_the_loop_up(self):
        loop, found = Loop(), []
        names.resolve(loop, "127.0.0.1", 7, lambda *result: found.append(result))
        assert not found
        run_until(loop, lambda: found)
        (addresses, problem) = found[0]
        assert problem is None
        assert [(one[0], one[1], one[4]) for one in addresses] == [
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 7))
        ]

    @pytest.mark.parametrize("host", ["a\0b", "\ud800", "x" * 300])
    def test_what_can_be_no_name_is_an_answer(self, host):
        loop, found = Loop(), []
        names.resolve(loop, host, 7, lambda *result: found.append(result), socket.SOCK_DGRAM)
        run_until(loop, lambda: found)
        assert found[0][0] == []
        assert names.error_name(found[0][1]).startswith("EAI_")

    def test_errors_are_named(self):
        assert names.error_name(ConnectionRefusedError(errno.ECONNREFUSED, "")) == "ECONNREFUSED"
        assert names.error_name(socket.gaierror(socket.EAI_NONAME, "")) == "EAI_NONAME"
        assert names.error_name(socket.gaierror(socket.EAI_AGAIN, "")) == "EAI_AGAIN"


def test_labctl_and_a_node_mean_the_same_by_a_limit_of_processes():
    """The one tells the other by it to wait for its rules, and can't import it: see labnode.gate."""
    assert gate.SHUT == SHUT
    assert gate.SHUT != OPEN
