"""The conversation over a real connection on the loopback: how each end is told, and what becomes of the lines."""

import json
import select
import socket
import struct

import pytest

from chat.conversation import BUSY, Conversation
from chat.framing import LIMIT
from chat.waiting import LINES, Line
from labnode import journal
from labnode.loop import Loop


def line(text: str) -> Line:
    return Line(text, len(text.encode()) + 1, text[:20])


class Partner:
    """The other end: a plain socket. `ours` is the conversation, and what it told."""

    def __init__(self, capfd, turn=None):
        self.capfd, self.loop, self.ended = capfd, Loop(), False
        with socket.create_server(("127.0.0.1", 0)) as listener:
            caller = socket.create_connection(listener.getsockname())
            self.sock, _ = listener.accept()
        self.sock.settimeout(10)
        self.turns = 0
        self.journal: list[dict] = []
        self.ours = Conversation(
            self.loop,
            caller,
            journal.ends(caller),
            turn=turn,
            on_turn=self._on_turn,
            on_sent=lambda: None,
            on_end=self._on_end,
        )
        self.caller = caller

    def _on_turn(self):
        self.turns += 1

    def _on_end(self, conversation):
        assert conversation is self.ours
        self.ended = True

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        poll = select.poll()
        poll.register(self.caller, select.POLLHUP)
        assert poll.poll(10_000)

    def until(self, done) -> None:
        self.loop.later(10, lambda: pytest.fail("it takes too long"))
        self.loop.run(until=done)
        self.journal += map(json.loads, self.capfd.readouterr().out.splitlines())

    def until_ended(self) -> tuple[str, str]:
        self.until(lambda: self.ended)
        last = self.journal[-1]
        assert (last["event"], last["state"]) == ("session", "ended")
        return last["by"], last["reason"]

    def heard(self) -> list[str]:
        return [event["text"] for event in self.journal if event["event"] == "message"]

    def errors(self) -> list[tuple]:
        return [(e["error"], e.get("offset"), e.get("bytes")) for e in self.journal if e["event"] == "error"]


def test_a_reset_that_is_met_while_sending_loses_nothing_that_had_arrived(capfd):
    partner = Partner(capfd)
    partner.sock.sendall(b"".join(b"%d\n" % n for n in range(1000)) + b"half")
    partner.reset()
    partner.ours.say(line("too late"))
    assert partner.until_ended() == ("peer", "reset")
    assert partner.heard() == [str(n) for n in range(1000)]
    assert partner.errors()[0][0] == "ECONNRESET"
    assert partner.errors()[-1] == ("EBADMSG", 3890, 4)
    assert partner.ours.unsaid == [line("too late")]


def test_lines_that_the_kernel_did_not_take_come_back(capfd):
    partner = Partner(capfd)
    said = [line(f"{n:04}" + "x" * (LIMIT - 4)) for n in range(200)]
    for one in said:
        partner.ours.say(one)
    partner.reset()
    assert partner.until_ended() == ("peer", "reset")
    gone = len([e for e in partner.journal if e["event"] == "send"])
    assert 0 < gone < 200
    assert partner.ours.unsaid == said[gone:]
    closed = next(e for e in partner.journal if e["event"] == "close")
    assert closed["unsent"] == 200 * (LIMIT + 1) - closed["sent"]
    assert closed["unacknowledged"] > 0


def test_a_refused_caller_keeps_what_he_said(capfd):
    partner = Partner(capfd)
    for text in "hello", "anybody?":
        partner.ours.say(line(text))
    partner.sock.sendall(BUSY.encode() + b"\n")
    partner.sock.shutdown(socket.SHUT_WR)
    assert partner.until_ended() == ("peer", "refused")
    assert partner.ours.unsaid == [line("hello"), line("anybody?")]
    assert partner.heard() == [BUSY]


def test_a_refused_caller_keeps_no_more_lines_than_may_wait(capfd):
    partner = Partner(capfd)
    for n in range(2 * LINES):
        partner.ours.say(line(str(n)))
    partner.sock.sendall(BUSY.encode() + b"\n")
    partner.sock.shutdown(socket.SHUT_WR)
    assert partner.until_ended() == ("peer", "refused")
    assert len(partner.ours.unsaid) == LINES


def test_a_partner_may_say_the_refusal_as_text(capfd):
    partner = Partner(capfd)
    partner.ours.say(line("what do you say?"))
    partner.sock.sendall(BUSY.encode() + b"\nbut not to you\n")
    partner.sock.shutdown(socket.SHUT_WR)
    assert partner.until_ended() == ("peer", "closed")
    assert partner.heard() == [BUSY, "but not to you"]
    assert partner.ours.unsaid == []


def test_a_byebye_that_never_left_ends_nothing(capfd):
    partner = Partner(capfd)
    partner.reset()
    partner.ours.say(line("byebye"))
    assert partner.until_ended() == ("peer", "reset")
    assert partner.ours.unsaid == []


def test_a_refusal_takes_no_turn(capfd):
    partner = Partner(capfd, turn=True)
    partner.sock.sendall(BUSY.encode() + b"\n")
    partner.sock.shutdown(socket.SHUT_WR)
    assert partner.until_ended() == ("peer", "refused")
    assert partner.errors() == []


def test_turns(capfd):
    partner = Partner(capfd, turn=True)
    partner.ours.say(line("one"))
    assert partner.ours.turn is False
    partner.sock.sendall(b"two\nand two\n")
    partner.until(lambda: partner.ours.stream.received == 12)
    assert partner.ours.turn is True
    assert partner.turns == 1
    assert partner.errors() == [("EPROTO", 4, 8)]
    assert partner.sock.recv(100) == b"one\n"
    partner.sock.close()
    assert partner.until_ended() == ("peer", "closed")


@pytest.mark.parametrize("spoilt", [b"\xff\n", b"x" * (LIMIT + 1) + b"\n"], ids=["invalid", "too long"])
def test_a_message_that_cannot_be_read_is_a_turn(capfd, spoilt):
    partner = Partner(capfd, turn=False)
    partner.sock.sendall(spoilt)
    partner.until(lambda: partner.ours.stream.received == len(spoilt))
    assert partner.ours.turn is True
    assert partner.turns == 1


def test_hanging_up_without_a_word(capfd):
    partner = Partner(capfd)
    partner.ours.say(line("and now I go"))
    partner.ours.hang_up()
    assert partner.sock.recv(100) == b"and now I go\n"
    assert partner.sock.recv(100) == b""
    partner.sock.sendall(b"wait\n")
    partner.sock.close()
    assert partner.until_ended() == ("local", "closed")
    assert partner.heard() == ["wait"]
