"""A chat client: calls until somebody listens, talks, and calls again.

    getaddrinfo, socket, setsockopt, connect     for each address of the name, until one answers
    talk                                         until either side says `byebye` or hangs up

Type a line to say it; one that nobody can hear yet waits. `byebye` ends the conversation. What a conversation is, the
server shares: /opt/chat. Environment: TARGET (`alice:12345`), CHAT_MODE (`free`, or `turns`: we speak first).
"""

from __future__ import annotations

import errno
import os
import socket

from chat.conversation import SIGNS_OF_LIFE
from chat.person import Person
from labnode import journal, life, names
from labnode.loop import WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.loop import Loop
    from labnode.types import Address, Done, Resolved, Timer

TARGET = os.environ.get("TARGET") or "alice:12345"
PATIENCE = 5.0  # seconds in which a connection must be made
DELAYS = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0)  # seconds behind each attempt; the last one stays


class Caller:
    def __init__(self, loop: Loop) -> None:
        try:
            self.host, self.port = names.split(TARGET)
        except ValueError:
            raise OSError(errno.EINVAL, f"TARGET is host:port, and not `{TARGET}`") from None
        self.loop = loop
        self.attempt = 1
        self.addresses: list[Resolved] = []
        self.connecting: socket.socket | None = None
        self.limit: Timer | None = None
        self.person = Person(loop, caller=True, on_end=self.ended)

    def call(self) -> None:
        names.resolve(self.loop, self.host, self.port, self.resolved)

    def resolved(self, addresses: list[Resolved], problem: OSError | None) -> None:
        self.addresses = addresses
        if problem:
            self.retry(names.error_name(problem), f"{self.host}: {problem.strerror}")
        else:
            self.connect()

    def connect(self) -> None:
        """Calls the next of the addresses, without waiting for the answer."""
        family, kind, protocol, _, address = self.addresses.pop(0)
        sock = self.connecting = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        for level, option, value in SIGNS_OF_LIFE:
            sock.setsockopt(level, option, value)
        error = sock.connect_ex(address)
        if error != errno.EINPROGRESS:
            self.answered(sock, address, error)
            return
        # connect(2): a socket that is being connected becomes writable when that has succeeded, or failed.
        self.loop.watch(sock, WRITE, lambda _ready: self.answered(sock, address, None))
        self.limit = self.loop.later(PATIENCE, lambda: self.answered(sock, address, errno.ETIMEDOUT))

    def answered(self, sock: socket.socket, address: Address, error: int | None) -> None:
        self.loop.cancel(self.limit)
        self.loop.watch(sock, 0)
        self.connecting = None
        if error is None:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not error:
            ends = journal.ends(sock, address)
            journal.event("connect", ends, name=TARGET, attempt=self.attempt)
            self.person.begin(sock, ends)
            return
        sock.close()
        if self.addresses:
            self.connect()
        else:
            self.retry(errno.errorcode[error], f"{address[0]}: {os.strerror(error)}")

    def ended(self, reason: str) -> None:
        if reason != "refused":
            self.attempt = 1
        if reason == "byebye":
            self.call()
        else:
            error = {"refused": "EBUSY", "reset": "ECONNRESET", "timeout": "ETIMEDOUT"}.get(reason, "ENOTCONN")
            self.retry(error, f"the conversation ended: {reason}")

    def retry(self, error: str, reason: str) -> None:
        delay = DELAYS[min(self.attempt, len(DELAYS)) - 1]
        journal.event("retry", name=TARGET, attempt=self.attempt, delay_s=delay, error=error, reason=reason)
        self.attempt += 1
        self.loop.later(delay, self.call)

    def close(self) -> None:
        if self.connecting:
            self.loop.watch(self.connecting, 0)
            self.connecting.close()
        self.person.leave()


def main(loop: Loop) -> Done:
    caller = Caller(loop)
    # Ready to be typed at, that is: whether somebody listens yet is what `connect` and `session` tell.
    life.ready(target=TARGET)
    caller.call()
    return caller.close


if __name__ == "__main__":
    life.run(main)
