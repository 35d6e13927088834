"""Watches a lab by way of labctl.api, and tells the page's story: states, the journal, packets, faults."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labctl.api.lab import Lab
from labctl.cancel import Cancel
from labctl.errors import Cancelled, LabError, LabNotFound
from labctl.events.codec import EPOCH, stamp_of
from labctl.events.model import Event
from labctl.packets.model import Packet
from labctl.page.story import KEPT, Story
from labctl.render.runs import document as run

if TYPE_CHECKING:
    from labctl.api import place
    from labctl.api.place import FoundNode

LOOK = 1.0  # seconds between two looks at the engine
AGAIN = 1.0  # seconds before what failed is tried again
MANY = 20  # hosts of a lab whose packets are recorded unasked
KNOWN = 20_000  # events, and packets, that are told apart from those that come again
OVERLAP = 2_000_000_000  # ns

_Signature = tuple[tuple[str, str, str], ...]


class Watching:
    """Three threads: one looks how the lab is, one follows its journal, one its packets. A context manager.

    `lab` gives the lab anew for each of them, with the token that ends its waiting. `recording`: whether packets are
    recorded; None: where the lab has at most twenty hosts.
    """

    def __init__(self, lab: Callable[[Cancel], Lab], name: str, story: Story, *, recording: bool | None = None) -> None:
        self._lab, self._name, self.story = lab, name, story
        self._recording = recording
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._signature: _Signature | None = None
        self._idents: set[str] = set()  # of the containers that were there last
        self._turn: Cancel | None = None  # ends what follows the lab as it was until now
        self._changed = threading.Condition(self._lock)
        self._turns = 0
        self._threads: list[threading.Thread] = []
        self._looked_well = True
        self._events, self._arrows = _Known(), _Known()
        self._seq = 0
        self._since: str | None = None
        self._packets = run.Packets()
        self._bytes: deque[tuple[int, Packet]] = deque(maxlen=KEPT["packet"])
        self._packets_since: int | None = None
        self._faults_due = threading.Event()

    def __enter__(self) -> Watching:
        self.story.tell("lab", self._name)
        self.look()
        for work in (self._look_on, self._follow_journal, self._follow_packets, self._follow_faults):
            thread = threading.Thread(target=work, daemon=True, name=f"page:{work.__name__}")
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._faults_due.set()
        with self._changed:
            if self._turn:
                self._turn.cancel()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(5)

    def packet(self, number: int) -> Packet | None:
        """A packet that was told, by its number, as long as it is kept."""
        with self._lock:
            if not self._bytes or not self._bytes[0][0] <= number <= self._bytes[-1][0]:
                return None
            return self._bytes[number - self._bytes[0][0]][1]

    def record(self, on: bool) -> None:
        """Whether packets are recorded from now on."""
        with self._changed:
            self._recording = on
        self._next_turn()
        self.look(again=True)

    # How the lab is

    def _look_on(self) -> None:
        while not self._over.wait(LOOK):
            again, self._looked_well = not self._looked_well, True
            self._try(lambda again=again: self.look(again=again))  # type: ignore[misc]

    def look(self, *, again: bool = False) -> None:
        """Tells how the lab is where that has changed since the last look, or `again`."""
        try:
            lab = self._lab(Cancel())
            found = lab.snapshot()
        except LabNotFound:
            self._gone()
            return
        signature = tuple((node.name, node.container.id, _state(node)) for node in found.nodes)
        before = self._signature
        if signature == before and not again:
            return
        idents = {ident for _, ident, _ in signature}
        if self._idents and not self._idents & idents:
            self._begin_anew()
        self._idents = idents
        states = {
            status.node.name: status.told if status.state == "exited" else status.state for status in lab.status()
        }
        described = run.topology(lab.graph().picture, states)
        self.story.tell_all("topology", [described])
        self.story.tell("up", {"up": True, "recording": self.is_recording(found)})
        self._signature = signature
        if before is None or _runs(before) != _runs(signature):
            self._next_turn()
            if len({node.container.machine for node in found.nodes}) > 1:
                self.story.tell("note", f"The machines {lab.clocks()}.")
        self._faults_due.set()

    def is_recording(self, found: place.Lab) -> bool:
        """Whether packets are recorded."""
        return len(found.hosts) <= MANY if self._recording is None else self._recording

    def _gone(self) -> None:
        if self._signature != ():
            self._signature = ()
            self.story.tell("up", {"up": False, "recording": False})
            self._next_turn()

    def _begin_anew(self) -> None:
        with self._lock:
            if self._turn:
                self._turn.cancel()
            self._events, self._arrows = _Known(), _Known()
            self._bytes.clear()
            self._seq, self._since, self._packets, self._packets_since = 0, None, run.Packets(), None
            self.story.begin_anew()
        self.story.tell("lab", self._name)

    def _next_turn(self) -> None:
        """What follows the lab begins again with those that are there now."""
        with self._changed:
            if self._turn:
                self._turn.cancel()
            self._turn, self._turns = Cancel(), self._turns + 1
            self._changed.notify_all()

    def _turn_after(self, turn: int) -> tuple[int, Cancel] | None:
        """The next turn, once there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._over.is_set() or (self._turns > turn and self._turn is not None))
            if self._over.is_set() or self._turn is None:
                return None
            return self._turns, self._turn

    # What happens in it

    def _each_turn(self, work: Callable[[Lab, Cancel], None]) -> None:
        turn = 0
        while found := self._turn_after(turn):
            turn, cancel = found
            while not cancel.is_cancelled and not self._over.is_set():
                if self._signature:
                    self._try(lambda cancel=cancel: work(self._lab(cancel), cancel))  # type: ignore[misc]
                self._wait(cancel)

    def _wait(self, cancel: Cancel) -> None:
        """Before it is tried again, or until the next turn."""
        with self._changed:
            self._changed.wait_for(lambda: cancel.is_cancelled or self._over.is_set(), AGAIN)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Cancelled:
            pass
        except LabError as problem:
            if not self._over.is_set():
                self.story.tell("note", str(problem))

    def _follow_journal(self) -> None:
        self._each_turn(self._journal)

    def _journal(self, lab: Lab, cancel: Cancel) -> None:
        for event in lab.journal(follow=True, since=self._since, until=cancel):
            if not self._events.is_new(_key(event)):
                continue
            if cancel.is_cancelled:  # of another lab, by now
                return
            self._seq += 1
            # What comes within a moment may come out of order: when it is followed anew, that is heard again.
            self._since = max(self._since or EPOCH, stamp_of(event.nanoseconds - OVERLAP))
            self.story.tell("event", run.event_document(event, self._seq))
            if event.name in ("rule", "fault"):
                self._faults_due.set()
            if event.name == "ready":
                self._look_soon()

    def _look_soon(self) -> None:
        """A node has said that it is ready, which its container doesn't tell."""
        self._looked_well = False

    # Its packets

    def _follow_packets(self) -> None:
        self._each_turn(self._follow_while)

    def _follow_while(self, lab: Lab, cancel: Cancel) -> None:
        if not self.is_recording(lab.snapshot()):
            self.story.tell("recorder", "off")
            with self._changed:
                self._changed.wait_for(lambda: cancel.is_cancelled or self._over.is_set())
            return
        self.story.tell("recorder", "starting")
        for ladder in lab.follow(since_ns=self._packets_since, until=cancel, ready=self._recorded):
            told = []
            for arrow in ladder.arrows:
                if not self._arrows.is_new((arrow.at_ns, arrow.flow, arrow.rightwards, arrow.copy, arrow.label)):
                    continue
                found = self._packets.document(arrow, ladder.drawn, data=False)
                with self._lock:
                    self._bytes.append((found["number"], arrow.crossing.packet))
                told.append(found)
                self._packets_since = max(self._packets_since or 0, arrow.at_ns - OVERLAP)
            self.story.tell_all("packet", told)
            for note in ladder.notes:
                self.story.tell("note", note)

    def _recorded(self) -> None:
        self.story.tell("recorder", "on")

    # Its faults

    def _follow_faults(self) -> None:
        told: list[Any] | None = None
        while not self._over.is_set():
            self._faults_due.wait()
            self._faults_due.clear()
            if self._over.is_set():
                return
            with contextlib.suppress(LabError):
                found = [fault.as_json() for fault in self._lab(Cancel()).faults()] if self._signature else []
                if found != told:
                    told = found
                    self.story.tell("faults", found)
            self._over.wait(LOOK)


class _Known:
    """The newest of what was told."""

    def __init__(self) -> None:
        self._keys: dict[object, None] = {}

    def is_new(self, key: object) -> bool:
        """Whether it comes for the first time."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > KNOWN:
            del self._keys[next(iter(self._keys))]
        return True


def _key(event: Event) -> str:
    return json.dumps([event.ts, event.node, event.name, event.local, event.peer, dict(event.fields)], default=str)


def _state(node: FoundNode) -> str:
    return f"{node.container.state} {node.container.health or ''} {node.container.exit_code}"


def _runs(signature: _Signature) -> set[str]:
    """The containers in which something goes on."""
    return {ident for _, ident, state in signature if state.startswith(("running", "paused"))}
