"""Who sits at the keyboard: what is typed is said, or waits until it can be."""

from __future__ import annotations

import errno
import os

from chat import framing
from chat.conversation import Conversation, known
from chat.waiting import BYTES, LINES, Line, Waiting
from labnode import journal, life

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from labnode.keyboard import Input
    from labnode.loop import Loop

CROWDED = 1 << 16  # unsent bytes at which the keyboard is not read: whoever types faster than TCP sends is slowed down
FAREWELL = 0.5  # seconds that an open conversation has to end in order when the node is told to leave


class Person:
    """One node's side of the chat, over one conversation after another.

    The caller speaks first where people take turns (`CHAT_MODE=turns`). `on_end(reason)` is called after each
    conversation, when the next one can begin.
    """

    def __init__(self, loop: Loop, *, caller: bool, on_end: Callable[..., object]) -> None:
        mode = os.environ.get("CHAT_MODE") or "free"
        if mode not in ("free", "turns"):
            raise OSError(errno.EINVAL, f"CHAT_MODE is `free` or `turns`, and not `{mode}`")
        self._turn = None if mode == "free" else caller
        self._loop, self._on_end = loop, on_end
        self._waiting = Waiting()
        self._conversation: Conversation | None = None
        self._pause_keyboard = life.watch_keyboard(loop, self._typed)

    @property
    def talks(self) -> bool:
        return self._conversation is not None

    @property
    def says_goodbye(self) -> bool:
        """A conversation is over but for its last bytes."""
        return self._conversation is not None and self._conversation.reason is not None

    def begin(self, sock: socket.socket, ends: journal.Ends) -> None:
        """Talks over this connected socket from now on, and says first what has waited."""
        self._conversation = Conversation(
            self._loop, sock, ends, turn=self._turn, on_turn=self._say_waiting, on_sent=self._pace, on_end=self._ended
        )
        self._say_waiting()

    def leave(self) -> None:
        """Ends the conversation in order, if there is one, and says which lines were never sent."""
        self._on_end = lambda _reason: None
        self._pause_keyboard(True)
        if self._conversation:
            self._conversation.hang_up()
        if self._conversation:
            self._loop.later(FAREWELL, self._conversation.stream.close)
            self._loop.run(until=lambda: self._conversation is None)
        while self._waiting:
            line = self._waiting.take()
            journal.error("ECANCELED", "the node leaves, and this line was never sent", **known(line), text=line.text)

    def _typed(self, typed: Input) -> None:
        line = Line(typed.text, len(typed.text.encode()) + 1, typed.id)
        if typed.to:
            self._refuse(line, "EISCONN", f"a chat has one partner: a line can't be sent to {typed.to}")
        elif line.size > framing.LIMIT + 1:
            self._refuse(line, "EMSGSIZE", f"a message is {framing.LIMIT} bytes at most; this one is not sent")
        elif not (why := self._why_wait(framing.is_byebye(line.text))):
            self._say(line)
            self._pace()
        elif framing.is_byebye(line.text):
            self._refuse(line, "ENOTCONN", why)
        elif self._waiting.add(line):
            journal.event("queued", **known(line), bytes=line.size, waiting=len(self._waiting), reason=why)
        else:
            self._refuse(line, "ENOBUFS", f"{why}, and {LINES} lines or {BYTES} bytes wait already")

    @staticmethod
    def _refuse(line: Line, error: str, reason: str) -> None:
        journal.error(error, reason, **known(line), call="send", bytes=line.size)

    def _why_wait(self, byebye: bool) -> str | None:
        """Why a line can't be said now. Leaving is not speaking: a `byebye` needs no turn."""
        if not self._conversation:
            return "nobody is there to talk to"
        if self._conversation.reason:
            return "the conversation is ending"
        if self._conversation.turn is False and not byebye:
            return "it is the partner's turn to speak"
        return None

    def _say(self, line: Line) -> None:
        if self._conversation:
            self._conversation.say(line)

    def _say_waiting(self) -> None:
        while self._waiting and not self._why_wait(False):
            self._say(self._waiting.take())
        self._pace()

    def _pace(self) -> None:
        self._pause_keyboard(self._conversation is not None and self._conversation.stream.unsent >= CROWDED)

    def _ended(self, conversation: Conversation) -> None:
        self._conversation = None
        lost = self._waiting.put_back(conversation.unsaid)
        reason = "the partner did not get it; it waits for the next conversation"
        for at, line in enumerate(conversation.unsaid[: len(self._waiting)], 1):
            journal.event("queued", **known(line), bytes=line.size, waiting=at, reason=reason)
        for line in lost:
            self._refuse(line, "ENOBUFS", f"{LINES} lines or {BYTES} bytes wait already")
        self._pace()
        self._on_end(conversation.reason)
