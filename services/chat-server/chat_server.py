"""A chat server: listens, and talks with one caller at a time.

    socket, setsockopt, bind, listen                     once, for IPv4 and for IPv6
    accept, then talk; who calls meanwhile is refused    again and again

Type a line to say it. `byebye` ends the conversation, and the next caller may come. What a conversation is, the caller
shares: /opt/chat. Environment: PORT (12345), CHAT_MODE (`free`, or `turns`: the caller speaks first).
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque

from chat.conversation import BUSY, SIGNS_OF_LIFE, SILENCE
from chat.framing import encode
from chat.person import Person
from labnode import journal, life
from labnode.loop import READ
from labnode.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.loop import Loop
    from labnode.types import Done, Ready

PORT = int(os.environ.get("PORT") or 12345)
BACKLOG = 128  # callers that the kernel lets wait until accept(2) takes them (listen(2)); what exceeds it, it drops
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)  # of what the host has none left at the moment
REFUSED = 16  # refused callers, at most, who have not hung up yet


class Server:
    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.listeners: list[socket.socket] = []
        self.refused: deque[Stream] = deque()
        self.person = Person(loop, caller=False, on_end=lambda _reason: self.answer_calls())
        self.listen(socket.AF_INET, "0.0.0.0")
        try:
            self.listen(socket.AF_INET6, "::")
        except OSError as problem:
            if problem.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise  # else this kernel has no IPv6, which takes nothing from the rest
        self.answer_calls()

    def listen(self, family: int, address: str) -> None:
        sock = socket.socket(family, socket.SOCK_STREAM)
        # Without it, bind(2) fails for a minute after a conversation that we closed first (TIME_WAIT).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, PORT))
        journal.event("bind", journal.ends(sock))
        sock.listen(BACKLOG)
        journal.event("listen", journal.ends(sock), backlog=BACKLOG)
        sock.setblocking(False)
        self.listeners.append(sock)

    def answer_calls(self) -> None:
        for listener in self.listeners:
            self.loop.watch(listener, READ, self.accepting(listener))

    def accepting(self, listener: socket.socket) -> Ready:
        return lambda _ready: self.accept(listener)

    def ignore_calls(self) -> None:
        for listener in self.listeners:
            self.loop.watch(listener, 0)

    def accept(self, listener: socket.socket) -> None:
        if self.person.says_goodbye:
            self.ignore_calls()  # not for long: who calls now waits in the backlog and is the next to talk
            return
        try:
            sock, peer = listener.accept()
        except BlockingIOError:
            return  # the caller has gone already
        except OSError as problem:
            journal.error(problem.errno, f"accept: {problem.strerror}", journal.ends(listener), call="accept")
            if problem.errno in SHORT:  # asking again at once would fail again, as fast as it goes
                self.ignore_calls()
                self.loop.later(1, self.answer_calls)
            return
        ends = journal.ends(sock, peer)
        journal.event("accept", ends)
        for level, option, value in SIGNS_OF_LIFE:
            sock.setsockopt(level, option, value)
        if self.person.talks:
            self.refuse(sock, ends)
        else:
            self.person.begin(sock, ends)

    def refuse(self, sock: socket.socket, ends: journal.Ends) -> None:
        """Tells a second caller why, then waits until he hangs up: closing with his bytes unread would reset it all."""
        if len(self.refused) >= REFUSED:
            self.refused[0].close()
        journal.event("refuse", ends, reason="a conversation is open already")

        def closed(_error: str | None) -> None:
            self.loop.cancel(limit)
            self.refused.remove(stream)

        stream = Stream(
            self.loop, sock, ends=ends, on_data=lambda _data: None, on_eof=lambda: None, on_close=closed, preview=0
        )
        self.refused.append(stream)
        limit = self.loop.later(SILENCE, stream.close)
        message = encode(BUSY)
        stream.send(message, bytes=len(message), text=BUSY)
        stream.finish()

    def close(self) -> None:
        self.ignore_calls()
        for listener in self.listeners:
            ends = journal.ends(listener)
            listener.close()
            journal.event("close", ends)
        for stream in list(self.refused):
            stream.close()
        self.person.leave()


def main(loop: Loop) -> Done:
    server = Server(loop)
    life.ready(listening=[["tcp", *sock.getsockname()[:2]] for sock in server.listeners])
    return server.close


if __name__ == "__main__":
    life.run(main)
