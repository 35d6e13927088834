"""HTTP/1.1 on one accepted connection (RFC 9112): requests in, one response to each, in their order.

h11 makes events of the bytes that arrive; what is sent is put together in response.py. Nothing that a client sends, or
doesn't, may cost the others more than a moment: sizes, times and the work done in one go have limits.
"""

from __future__ import annotations

import os

import h11
import response
from chunks import Chunks
from request import BODY_LIMIT, HEAD_LIMIT, Request

from labnode import journal
from labnode.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from http_hello import Server

    from labnode.types import Done, Fields, Timer

REQUEST_SECONDS = float(os.environ.get("REQUEST_TIMEOUT", 10))  # from a request's first byte to its last; else 408
IDLE_SECONDS = float(os.environ.get("IDLE_TIMEOUT", 60))  # without a request
SEND_SECONDS = float(os.environ.get("SEND_TIMEOUT", 10))  # for a client to take the response that waits for it
LINGER_SECONDS = 2.0  # for a client to close after us
TURN = 16  # events of one connection before the others have their turn
ERRNOS = {408: "ETIMEDOUT", 413: "EMSGSIZE", 431: "EMSGSIZE"}  # as the journal calls them; EBADMSG else


class Connection:
    """One accepted connection: waits for a request, reads it, answers it, and again, until one side has had enough."""

    def __init__(self, server: Server, sock: socket.socket, ends: journal.Ends) -> None:
        self._server, self._loop = server, server.loop
        self._parser: h11.Connection | None = None  # one a request: an idle connection costs little
        self._request: Request | None = None
        self._chunks: Chunks | None = None
        self._requests = self._body = 0
        self._timed = self._stalled = self._leaving = False
        self._timer: Timer | None = None
        self._turn: Timer | None = None
        self._stream = Stream(
            self._loop,
            sock,
            on_data=self._on_data,
            on_eof=self._on_eof,
            on_sent=self._on_sent,
            on_close=self._on_close,
            ends=ends,
        )
        self._wait_idle()

    def close(self, reason: str) -> None:
        self._stream.finish(reason=reason)
        self._stream.close()

    def _on_data(self, data: bytes) -> None:
        if self._leaving:
            return
        self._feed(data)
        self._advance()

    def _on_eof(self) -> None:
        if self._parser:
            self._parser.receive_data(b"")  # in the middle of a request, which h11 refuses
            self._advance()
        else:
            self._leave()

    def _on_sent(self) -> None:
        if self._stalled and not self._stream.unsent:
            self._wait_idle()
            self._advance()

    def _on_close(self, _error: str | None) -> None:
        self._leaving = True
        self._parser = self._chunks = None
        self._loop.cancel(self._timer)
        self._loop.cancel(self._turn)
        self._server.forget(self)

    def _feed(self, data: bytes) -> None:
        if self._parser is None:
            data = data.lstrip(b"\r\n")  # empty lines before a request are no error (RFC 9112, section 2.2)
            if not data:
                return
            self._parser = h11.Connection(h11.SERVER, HEAD_LIMIT)
            self._server.heard_of(self)
        self._check(data)
        if self._parser:
            self._parser.receive_data(data)

    def _check(self, data: bytes) -> None:
        try:
            if self._chunks:
                self._chunks.feed(data)
        except ValueError as problem:
            self._refuse(400, str(problem))

    def _advance(self) -> None:
        """Takes what has arrived, event by event, until nothing is left, a response must wait or the turn is over."""
        self._loop.cancel(self._turn)
        self._turn, self._stalled = None, False
        for _ in range(TURN):
            if self._stream.unsent or not self._step():
                break
        else:
            self._turn = self._loop.later(0, self._advance)
        if not self._leaving:
            # While a response waits no request is taken: whoever doesn't read holds up nobody else.
            self._stalled = self._stream.unsent > 0
            self._stream.pause(self._stalled or self._turn is not None)
            if self._stalled:
                self._limit(SEND_SECONDS, lambda: self.close(f"a response was not taken for {SEND_SECONDS:g} s"))
            elif self._parser and not self._timed:
                self._timed = True
                late = f"a request was not complete after {REQUEST_SECONDS:g} s"
                self._limit(REQUEST_SECONDS, lambda: self._refuse(408, late))
        if not self._stream.closed:
            unread = len(self._parser.trailing_data[0]) if self._parser else 0
            self._server.holds(self, unread + self._stream.unsent)

    def _step(self) -> bool:
        """Takes the next event; False where there is none, for now or for good."""
        if self._leaving or self._parser is None:
            return False
        try:
            event = self._parser.next_event()
        except (h11.RemoteProtocolError, ValueError) as problem:
            # ValueError: h11 lets a Content-Length have more digits than int() takes.
            self._refuse(getattr(problem, "error_status_hint", 400), str(problem))
            return False
        if type(event) is h11.Request:
            self._on_request(self._parser, Request(event))
        elif type(event) is h11.Data:
            self._body += len(event.data)
            if self._body > BODY_LIMIT:
                self._refuse(413, f"a body is over {BODY_LIMIT} bytes")
        elif type(event) is h11.EndOfMessage and self._request:
            self._on_request_end(self._parser, self._request)
        elif self._parser.they_are_waiting_for_100_continue:  # RFC 9110, section 10.1.1
            go_on = h11.InformationalResponse(status_code=100, reason=b"Continue", headers=[])
            self._stream.send(self._parser.send(go_on))
        else:
            return False  # h11.NEED_DATA
        return True

    def _on_request(self, parser: h11.Connection, request: Request) -> None:
        self._request, self._body = request, 0
        self._requests += 1
        problem = request.problem()
        if not problem or problem[0] != 431:
            agent = request.headers.get(b"user-agent")
            known = {"agent": agent.decode("utf-8", "replace")} if agent else {}
            journal.event("request", self._stream.ends, method=request.method, target=request.target, **known)
        if problem:
            self._refuse(*problem)
        elif parser.they_are_waiting_for_100_continue and (status := response.status_of(request)) != 200:
            self._answer(status, close=True)  # whether the body comes all the same can't be known
        else:
            self._stream.preview = 0  # a body is counted, not shown
            if b"transfer-encoding" in request.headers:
                self._chunks = Chunks()
                self._check(parser.trailing_data[0])

    def _on_request_end(self, parser: h11.Connection, request: Request) -> None:
        rest, _ = parser.trailing_data
        self._parser = self._chunks = None
        self._answer(response.status_of(request))
        if not self._leaving:
            self._wait_idle()
            self._feed(rest)

    def _refuse(self, status: int, reason: str) -> None:
        journal.error(ERRNOS.get(status, "EBADMSG"), reason[:200], self._stream.ends, call="recv")
        self._answer(status, close=True)

    def _answer(self, status: int, close: bool = False) -> None:
        request, ends = self._request, self._stream.ends
        if status == 200 and request:
            kind, content, lines = response.found(request, self._server.greeting, ends, self._requests)
        else:
            kind, content, lines = response.other(status)
        keep = not close and request is not None and request.keeps()
        head_only = request is not None and request.method == "HEAD"
        data = response.message(status, kind, content, lines, head_only=head_only, keep=keep)
        self._stream.preview = journal.PREVIEW
        named: Fields = {"method": request.method, "target": request.target} if request else {}
        named |= {"body": self._body} if request and self._body else {}
        journal.event("response", ends, **named, status=status)
        # Of a page or an icon the journal shows the head: the rest is long, and says nothing about the connection.
        shown = {} if kind == response.TEXT else journal.payload(data, data.index(b"\r\n\r\n") + 4)
        self._stream.send(data, **shown)
        self._request = None
        if not keep:
            self._leave()

    def _leave(self, **why: object) -> None:
        """Closes our direction and gives the client a little time to close its own.

        What it still sends is read and thrown away: to close on unread bytes is to reset the connection, which may
        destroy the response on its way (RFC 9112, section 9.6).
        """
        if not self._leaving:
            self._leaving = True
            self._parser = self._chunks = None
            self._stream.preview = 0
            self._limit(SEND_SECONDS if self._stream.unsent else LINGER_SECONDS, self._stream.close)
            self._stream.pause(False)
            self._stream.finish(**why)

    def _wait_idle(self) -> None:
        self._timed = False
        self._limit(IDLE_SECONDS, lambda: self._leave(reason=f"no request for {IDLE_SECONDS:g} s"))

    def _limit(self, seconds: float, action: Done) -> None:
        self._loop.cancel(self._timer)
        self._timer = self._loop.later(seconds, action)
