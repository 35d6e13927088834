"""One conversation: one connection between two people, from its first line to its end, without a word lost in silence.

The end, in order. Who says `byebye` closes his direction behind it (a half-close: RFC 9293, section 3.6) and reads on.
Who hears it closes hers, behind all that she had said before; those lines cross the `byebye` on the wire and still
arrive as messages. Each end closes its socket once both directions are closed, so neither resets what is still under
way. When both say it at once, each has ended the conversation, and each journal says `by: local`.
"""

from __future__ import annotations

import binascii
import socket
from collections import deque

from chat import framing, waiting
from labnode import journal
from labnode.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from labnode.loop import Loop
    from labnode.types import Done, Fields, Timer

BUSY = "Somebody else is talking to me. Please call again later."  # told to a second caller, who is then hung up on
SILENCE = 5.0  # seconds in which a partner who has been said goodbye to must hang up, or say something
PATIENCE = 12  # how often that may begin anew
# A partner whose host vanished sends no farewell. Its kernel is asked for a sign of life after 5 s without one, three
# times, 2 s apart (RFC 9293, section 3.8.4); what we sent may stay unconfirmed for 10 s (RFC 5482, tcp(7)).
SIGNS_OF_LIFE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
)
GONE = ("ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN")


def known(line: waiting.Line) -> Fields:
    """The id that labctl gave an input, as an event's field; a person gives none."""
    return {"id": line.id} if line.id else {}


class Conversation:
    """A connected socket, and what was said over it.

    `turn` says who may speak: True we, False the partner, None both at any time. `on_turn()` is called when it is ours
    again, `on_sent()` when the kernel has taken bytes, `on_end(conversation)` when all is over: `by` and `reason` then
    say how it ended, and `unsaid` holds the lines that the partner did not get.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        ends: journal.Ends,
        *,
        turn: bool | None,
        on_turn: Done,
        on_sent: Done,
        on_end: Callable[[Conversation], object],
    ) -> None:
        self._loop, self.turn = loop, turn
        self._on_turn, self._on_end = on_turn, on_end
        self._framer = framing.Framer()
        self._said: deque[tuple[int, waiting.Line]] = (
            deque()
        )  # (offset behind it, line) of what the partner may not have got
        self._heard_byebye: int | None = None  # the offset behind it
        self._busy = False  # the partner's first line was BUSY
        self._limit: Timer | None = None
        self.by: str | None = None
        self.reason: str | None = None  # how it ends, once that has begun
        self.unsaid: list[waiting.Line] = []
        self.stream = Stream(
            loop,
            sock,
            ends=ends,
            on_data=self._hear,
            on_eof=self._hung_up,
            on_sent=on_sent,
            on_close=self._closed,
            preview=0,
            backpressure=False,
            drain=True,
        )
        journal.event("session", ends, state="open")

    def say(self, line: waiting.Line) -> None:
        """Sends a line now; after a `byebye` nothing can be said any more."""
        if self.turn:
            self.turn = False
        self._forget()
        self._said.append((self.stream.queued + line.size, line))
        self.stream.send(framing.encode(line.text), bytes=line.size, text=line.text, **known(line))
        if framing.is_byebye(line.text):
            self._end("local", "byebye")

    def hang_up(self) -> None:
        """Ends it without a word."""
        self._end("local", "closed")

    def _forget(self) -> None:
        """Lets go of lines that are sent. A caller may yet be told that nobody listens, and keeps his first ones."""
        while self._said and self._said[0][0] <= self.stream.sent:
            many = len(self._said) >= waiting.LINES or self.stream.sent >= waiting.BYTES
            if not self.stream.received and not many:
                return
            self._said.popleft()

    def _hear(self, data: bytes) -> None:
        if self._heard_byebye is None:
            for item in self._framer.feed(data):
                self._take(item)
                if self._heard_byebye is not None:
                    return

    def _take(self, item: framing.Item) -> None:
        ends, where = self.stream.ends, {"offset": item.offset, "bytes": item.size}
        if isinstance(item, framing.Incomplete):
            shown = journal.payload(item.data)
            journal.error("EBADMSG", "the stream ended within a message, which is dropped", ends, **where | shown)
            return
        if isinstance(item, framing.TooLong):
            journal.error("EMSGSIZE", f"a message over {framing.LIMIT} bytes was thrown away", ends, **where)
        elif isinstance(item, framing.Invalid):
            data = binascii.b2a_base64(item.data, newline=False).decode("ascii")
            journal.error("EILSEQ", "a message that is not UTF-8", ends, **where, data=data)
        else:
            journal.event("message", ends, **where, text=item.text)
            if framing.is_byebye(item.text):
                self._heard_byebye = item.offset + item.size
                self._end("peer", "byebye")
                return
            self._busy = item.offset == 0 and item.text == BUSY
        if self.turn is not None and not self._busy:
            self._partner_spoke(where)

    def _partner_spoke(self, where: Fields) -> None:
        # A message that can't be read is a turn as well: its sender waits for our answer now.
        if self.turn:
            journal.error("EPROTO", "the partner spoke out of turn; it stays ours", self.stream.ends, **where)
            return
        self.turn = True
        self._on_turn()

    def _hung_up(self) -> None:
        refused = self._busy and self.stream.received == len(framing.encode(BUSY))
        self._end("peer", "refused" if refused else "closed")

    def _end(self, by: str, reason: str) -> None:
        if self.reason is None:
            self.by, self.reason = by, reason
        self.stream.finish()
        if not self._limit and not self.stream.closed:
            self._await_end(PATIENCE)

    def _await_end(self, rounds: int) -> None:
        """Waits for the partner to hang up: while our bytes are under way, or lines come in, and not forever."""
        before = self.stream.received

        def look() -> None:
            speaks = self._heard_byebye is None and self.stream.received > before and rounds > 1
            if self.stream.unsent or self.stream.unacknowledged or speaks:
                self._await_end(rounds - 1)
            else:
                journal.error("ETIMEDOUT", "the partner does not hang up", self.stream.ends, call="close")
                self.stream.close("ETIMEDOUT")

        self._limit = self._loop.later(SILENCE, look)

    def _closed(self, error: str | None) -> None:
        self._loop.cancel(self._limit)
        if self.reason is None or (error and self.by == "local" and self.stream.unsent):
            self.by, self.reason = "peer", "timeout" if error in GONE else "reset"
        ends, late = self.stream.ends, self.stream.received - (self._heard_byebye or 0)
        if self._heard_byebye is None:
            for item in self._framer.close():
                self._take(item)
        elif late:
            journal.error("EPROTO", "the partner went on after byebye", ends, offset=self._heard_byebye, bytes=late)
        arrived = 0 if self.reason == "refused" else self.stream.sent
        self.unsaid = [line for end, line in self._said if end > arrived and not framing.is_byebye(line.text)]
        journal.event("session", ends, state="ended", by=self.by, reason=self.reason)
        self._on_end(self)
