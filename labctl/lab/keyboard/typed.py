"""Types a line at a node and follows what comes of it, in the node's own journal and in others'.

The engine forwards what several clients type at one container in pieces of up to 32 KiB, so two long lines could mix.
Therefore one labctl at a time types at a node (a lock of this machine's user), until the node's `input` event shows
that it has the whole line; the id in the envelope tells whose line an event belongs to.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from labctl.engine.model import Engine, Stream
from labctl.errors import LabError, LineRefused, NotConfirmed, NotTaken
from labctl.events.codec import decode
from labctl.events.model import Event
from labctl.lab.locks import RETRY, KeyboardLock
from labctl.lab.model import Lab, Node
from labctl.phases import reached

RECORD_SEPARATOR = b"\x1e"
MAY_GO_OUT = "the line may have gone out, or may still"


def envelope(ident: str, text: str, to: str | None = None, options: Mapping[str, Any] | None = None) -> bytes:
    """A typed line as labctl sends it: a JSON text sequence (RFC 7464), see docs/node-contract.md."""
    fields = {"id": ident, "text": text, **({"to": to} if to else {}), **(options or {})}
    return RECORD_SEPARATOR + json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def need_keyboard(engine: Engine, node: Node) -> None:
    """Raises LabError `no-keyboard` where a container was started without one."""
    if not engine.details(node.container.id).stdin_open:
        raise LabError("no-keyboard", node=node.name)


class Typed:
    """A line that is being typed at `node`, and the events of it and of the nodes `others` from then on.

    A context manager. On entering, the journals are open and the line is typed: `LabError` says why it could not be.
    `timeout` counts from when the journals are open, however long the way to the engine is. Once the line is on its
    way, every error says by its value `may_go_out` whether it may still go out: who types it again may say it twice.
    """

    def __init__(
        self,
        engine: Engine,
        lab: Lab,
        node: Node,
        text: str,
        *,
        others: Iterable[Node] = (),
        to: str | None = None,
        options: Mapping[str, Any] | None = None,
        timeout: float,
        keep_lock: bool = False,
    ) -> None:
        if "\n" in text:
            raise LabError("newline-in-line")
        self.id = os.urandom(6).hex()
        self.timeout = timeout
        self._engine, self._node, self._keep_lock = engine, node, keep_lock
        self._others = [other for other in others if other != node]
        self._line = envelope(self.id, text, to, options)
        self._deadline = 0.0
        self._typed = self._sent = False
        self._names = {member.container.id: member.name for member in lab.nodes}
        self._lock = KeyboardLock(lab.name, node.container.id)
        self._stack = ExitStack()
        self._streams: list[Stream] = []
        self._early: list[Event] = []
        self._on_end: Callable[[], None] = lambda: None
        self.ended: set[str] = set()  # of the other nodes, those whose programs have ended meanwhile

    def __enter__(self) -> Typed:
        need_keyboard(self._engine, self._node)
        try:
            # The journals first: what the line causes must not be missed.
            for node in [self._node, *self._others]:
                stream = self._engine.attach(node.container.id, keyboard=node is self._node)
                self._stack.callback(stream.close)
                self._streams.append(stream)
            reached("keyboard:attached")
            self._stack.callback(self._lock.close)
            self._deadline = time.monotonic() + self.timeout
            self._lock.take(self.timeout, self._busy, retry=RETRY, cancels=self._engine.cancels)
            reached("keyboard:locked")
            self._type()
            reached("keyboard:input-seen")
            if not self._keep_lock:
                self._lock.close()
        except BaseException as problem:
            self._tell_of_line(problem)
            self._stack.close()
            raise
        return self

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        self._tell_of_line(problem)
        self._stack.close()

    def _busy(self) -> LabError:
        return LabError("keyboard-busy", node=self._node.name, seconds=self.timeout)

    def _type(self) -> None:
        keyboard = self._streams[0]
        self._typed = True
        keyboard.write(self._line)
        reached("keyboard:typed")
        for event in self._read():
            self._early.append(event)
            if event.node == self._node.name and event.id == self.id:
                self._checked(event)  # a line that is no line to the node gets no `input`
                if event.name == "input":
                    return
        # What is left of it is never written, and half a line is none.
        raise LabError("not-taken" if keyboard.unwritten else "maybe-taken", node=self._node.name, seconds=self.timeout)

    def _tell_of_line(self, problem: BaseException | None) -> None:
        """Whoever reads of a failure must know whether the line may be typed again."""
        if not self._typed:
            return
        if isinstance(problem, LabError):
            refused = isinstance(problem, LineRefused) and not self._sent
            may = not isinstance(problem, NotTaken) and not refused
            problem.values["may_go_out"] = may
            if may and not isinstance(problem, NotConfirmed):  # whose own words say so
                problem.hint = "; ".join(filter(None, [problem.hint, MAY_GO_OUT]))
        elif problem and not isinstance(problem, Exception):  # a signal
            problem.add_note(f"it was typed at {self._node.name}: {MAY_GO_OUT}")

    def events(self, within: float | None = None, *, on_end: Callable[[], None] = lambda: None) -> Iterator[Event]:
        """What the journals bring from the moment of typing until the time is over, or `within` seconds from now.

        `on_end()` is called when one of the other nodes has ended; `ended` holds their names. Raises LabError
        `node-refused` where the node answers the line with an error, `node-stopped` at its end.
        """
        self._on_end = on_end
        if within is not None:
            self._deadline = time.monotonic() + within
        while self._early:
            yield self._checked(self._early.pop(0))
        for event in self._read():
            yield self._checked(event)

    def _checked(self, event: Event) -> Event:
        self._sent = self._sent or (event.name == "send" and event.id == self.id)
        if event.name == "error" and event.id == self.id:
            raise LabError("node-refused", node=event.node, reason=event.get("reason"), error=event.get("error"))
        return event

    def _read(self) -> Iterator[Event]:
        for happening in self._engine.wait(self._streams, self._deadline):
            name = self._names[happening.stream.container]
            if happening.line:
                yield decode(happening.line.text, node=name, stderr=happening.line.stderr)
                continue
            self._engine.containers(running=True)  # raises where it is the engine that went away
            if name == self._node.name:
                raise LabError("node-stopped", node=name)
            self.ended.add(name)
            self._on_end()
