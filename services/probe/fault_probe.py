"""Faults on the links of one node. Runs in a probe, in the node's network namespace; labctl types at it.

Each line is an order, with an id that the answer repeats (docs/faults.md):

    change  rules to set and to clear; with a group, only once that group is committed
    commit  the group's changes, in all probes of the lab at once
    list    the rules and what they have done

Whatever it does to a packet is an event of the journal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import socket
import subprocess
import time

import sign
from labfault import tables
from labfault.link import Links
from labfault.nfqueue import Queue
from labfault.packet import Packet
from labfault.rule import Rule

from labnode import journal, life
from labnode.loop import READ, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.keyboard import Input
    from labnode.types import Done, Fields

    Key = tuple[str, ...]  # of a rule: its id and its link

COMMITS = "/run/labctl"  # a volume that all probes of the lab share
LOOK = 0.01  # seconds between two looks for a commit
# Longer than labctl waits for all to be prepared: on a busy machine the first waits for the last.
COMMITTABLE = 20.0  # seconds within which a group can be committed: so no probe gives it up while another takes it
PENDING = 25.0  # seconds after which one is given up that nobody commits
_GROUP = re.compile(r"[0-9a-f]{8,64}")


class FaultProbe:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._queue: Queue | None = None
        self._links = Links(self, self._again, self._report, self._ways, self._takes)
        self._rules: dict[Key, Rule] = {}  # by id and link: one id may stand on several links of a node
        self._pending: dict[str, tuple[float, Fields, Input]] = {}  # by group: when it was prepared
        self._tables = tables.Tables()
        self._routes: tables.Routes | None = None
        self._timer = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK)
        self._raw: dict[int, socket.socket] = {}
        self._gives_sign = False
        self._last_beat = 0.0
        self._highest = 0
        self._lost = 0
        loop.watch(self._timer, READ, self._on_timer)
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # one that lives; who sets a rule is told so
            tables.claim()

    # -- orders

    def on_input(self, typed: Input) -> None:
        try:
            {"change": self._change, "commit": self._commit, "list": self._list}[typed.text](typed)
        except KeyError as problem:
            journal.error("EINVAL", f"no such order, or it lacks {problem}", id=typed.id)
        except (OSError, ValueError, TypeError, subprocess.TimeoutExpired) as problem:
            journal.error(getattr(problem, "errno", None) or "EINVAL", _reason(problem), id=typed.id)

    def _answer(self, change: Fields, typed: Input) -> None:
        """Makes a change that was prepared; what fails now is told to whoever ordered it."""
        try:
            self._apply(change)
        except (OSError, subprocess.TimeoutExpired) as problem:
            journal.error(getattr(problem, "errno", None) or "EIO", _reason(problem), id=typed.id)
            return
        self._list(typed)

    def _list(self, typed: Input) -> None:
        rules = [rule.state() for rule in self._rules.values()]
        missing = self._missing()
        fields = {"missing": missing} if missing else {}
        journal.event("rules", id=typed.id, rules=rules, highest=self._highest, **fields)

    def _missing(self) -> str:
        """Why the kernel does not do what the rules say, '' where it does: it is asked, nothing is remembered."""
        try:
            if not self._tables.are_needed:
                return ""
            gone = self._tables.missing()
            if not gone and not (self._queue and self._queue.is_ours):
                gone = "the queue of packets"
        except OSError as problem:
            return f"the kernel does not tell whether they are in force: {problem.strerror or problem}"
        return f"{gone} was removed by some other program" if gone else ""

    def _change(self, typed: Input) -> None:
        change = typed.options["change"]
        [Rule(fields) for fields in change.get("set", ())]  # now, not when it is too late to refuse
        group = typed.options.get("group")
        self._follow_committed()  # what was decided before comes before: this may be what takes it back
        if group is None:
            self._apply(change)
            self._list(typed)
            return
        if not _GROUP.fullmatch(group):
            raise ValueError(f"{group!r} is no group")
        self._prepare(change)
        self._pending[group] = (time.monotonic(), change, typed)
        journal.event("prepared", id=typed.id, group=group)
        self._look_for(group)

    def _commit(self, typed: Input) -> None:
        group = typed.options["group"]
        begun = self._pending[group][0]
        if time.monotonic() - begun > COMMITTABLE:
            raise OSError(errno.ETIMEDOUT, "this change was prepared too long ago")
        os.close(os.open(f"{COMMITS}/{group}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._look_for(group)
        self._list(typed)

    def _follow_committed(self) -> None:
        for group in [known for known in self._pending if os.path.exists(f"{COMMITS}/{known}")]:
            self._look_for(group)

    def _look_for(self, group: str) -> None:
        if group not in self._pending:
            return
        begun, change, typed = self._pending[group]
        if os.path.exists(f"{COMMITS}/{group}"):
            del self._pending[group]
            self._answer(change, typed)
        elif time.monotonic() - begun > PENDING:
            del self._pending[group]
            self._close_when_idle()
        else:
            self._loop.later(LOOK, lambda: self._look_for(group))

    # -- rules

    def _prepare(self, change: Fields) -> None:
        """Everything that may fail, before anybody says that the change can be made."""
        working = _working(self._with(change))
        try:
            if working:
                queue = self._open()
                if self._tables.are_needed and self._tables.missing():
                    self._put_in_force(self._rules)  # somebody took it away: what was in force is so again
                self._tables.stand(queue.number)
                self._tables.try_out(working, tables.Routes())
        except (OSError, subprocess.TimeoutExpired):
            self._close_when_idle()
            raise

    def _with(self, change: Fields) -> dict[Key, Rule]:
        """The rules as they are after a change."""
        cleared = {tuple(key) for key in change.get("clear", ())}
        fresh = [Rule(fields) for fields in change.get("set", ())]
        kept = {key: rule for key, rule in self._rules.items() if key not in cleared}
        return kept | {rule.key: rule for rule in fresh}

    def _apply(self, change: Fields) -> None:
        """All of it, or nothing and an OSError."""
        after = self._with(change)
        self._put_in_force(after)
        for key in change.get("clear", ()):
            self._end(tuple(key), "cleared")
        for key, rule in after.items():
            if self._rules.get(key) is rule:
                continue
            self._rules[key] = rule
            self._highest = max(self._highest, int(re.sub(r"\D", "", rule.id) or 0))
            if rule.fields.get("for"):
                self._loop.later(rule.fields["for"], self._expiry(rule))
            shown = {name: rule.fields[name] for name in ("what", "seed", "kind") if name in rule.fields}
            journal.event("rule", rule=rule.id, state="set", link=rule.link, **shown)
        self._set_sign(bool(self._rules))

    def _expiry(self, rule: Rule) -> Done:
        return lambda: self._expire(rule)

    def _expire(self, rule: Rule) -> None:
        if self._rules.get(rule.key) is rule:
            self._end(rule.key, "its time is over")
            self._refresh()

    def _end(self, key: Key, why: str) -> None:
        rule = self._rules.pop(key, None)
        if rule:
            counts = {"matched": rule.matched, "done": rule.done}
            journal.event("rule", rule=rule.id, state="ended", link=rule.link, reason=why, **counts)

    def _refresh(self) -> None:
        """Some rules have ended by themselves."""
        try:
            self._put_in_force(self._rules)
            self._set_sign(bool(self._rules))
        except (OSError, subprocess.TimeoutExpired) as problem:
            journal.error(getattr(problem, "errno", None) or "EIO", f"the kernel's tables stay as they are: {problem}")

    def _put_in_force(self, rules: dict[Key, Rule]) -> None:
        """The kernel's tables, and the order of rules. Raises OSError, and then all is as it was."""
        working = _working(rules)
        try:
            if working:
                queue, routes = self._open(), tables.Routes()
                self._tables.set(working, routes, queue.number)
                self._routes = routes
            else:
                self._tables.let_pass()
        except (OSError, subprocess.TimeoutExpired):
            self._close_when_idle()
            raise
        self._links.replace(list(rules.values()))
        self._close_when_idle()

    def _set_sign(self, wanted: bool) -> None:
        """Its failure makes no rule fail: a node that waits goes on after a while, and says so."""
        if wanted == self._gives_sign:
            return
        try:
            (sign.give if wanted else sign.take_back)("rules")
            self._gives_sign = wanted
        except (OSError, subprocess.TimeoutExpired) as problem:
            journal.error(
                getattr(problem, "errno", None) or "EIO", f"nodes that wait for the rules aren't told: {problem}"
            )

    def _open(self) -> Queue:
        if self._queue is None:
            tables.claim()
            self._queue = Queue(tables.NUMBERS)
            self._loop.watch(self._queue, READ, self._on_packets)
            self._last_beat = time.monotonic()
            self._loop.later(tables.HEARTBEAT, self._beat)
        return self._queue

    def _close_when_idle(self) -> None:
        """Gives the queue back once it is of no use: what is held still leaves in its time."""
        if self._queue and not (self._tables.are_needed or self._pending):
            self._take_all(self._queue)
        if self._queue and not (self._tables.are_needed or self._pending or self._links.holds):
            # Not before: with a hook the kernel drops what was queued at it.
            self._tables.clear()
            self._loop.watch(self._queue, 0)
            self._tell_lost(self._queue)
            self._queue.close()
            self._queue = None

    def _beat(self) -> None:
        if self._queue is None:
            return
        self._tables.beat()
        now = time.monotonic()
        if now - self._last_beat > tables.LEASE:
            late = now - self._last_beat
            journal.error(
                "ETIMEDOUT", f"the rules were not in force for a while: the probe stood still for {late:.1f} s"
            )
        self._last_beat = now
        self._tell_lost(self._queue)
        if not [name for _, name in socket.if_nameindex() if name != "lo"]:
            for key in list(self._rules):
                self._end(key, "the node's network is gone")
            raise life.Stop("the node's network is gone")
        self._loop.later(tables.HEARTBEAT, self._beat)

    def _tell_lost(self, queue: Queue) -> None:
        with contextlib.suppress(OSError):
            lost = queue.lost()
            if lost > self._lost:
                why = "packets came faster than they can be looked at, and were lost"
                journal.error("ENOBUFS", why, count=lost - self._lost)
            self._lost = lost

    # -- packets

    def _on_packets(self, _ready: int) -> None:
        if self._queue is None:
            return
        for ident, data in self._queue.read():
            self._links.arrive(ident, data, time.monotonic())
        self._release()

    def _take_all(self, queue: Queue) -> None:
        """Decides on everything that waits in the queue."""
        found = True
        while found:
            found = False
            for ident, data in queue.read():
                self._links.arrive(ident, data, time.monotonic())
                found = True
        queue.flush()

    def _on_timer(self, _ready: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._timer, 8)
        if self._queue:
            self._release()

    def _release(self) -> None:
        due = self._links.release_due(time.monotonic())
        if self._queue:
            self._queue.flush()
        if due is None and not self._tables.are_needed:
            self._close_when_idle()
        # epoll_wait(2) counts whole milliseconds, timerfd(2) nanoseconds. A time that is past is due at once, 0 never.
        os.timerfd_settime(self._timer, flags=os.TFD_TIMER_ABSTIME, initial=due or 0)

    def decide(self, ident: int, verdict: int, data: bytes | None = None) -> None:
        assert self._queue is not None  # whence it came
        self._queue.decide(ident, verdict, data)

    def _ways(self, destination: bytes) -> set[bytes]:
        return self._routes.ways(destination) if self._routes else {destination}

    def _takes(self, packet: Packet) -> bool:
        """A raw socket cuts nothing into fragments, and what is only forwarded fills no socket's buffer."""
        return self._routes is not None and self._routes.is_own(packet.src) and packet.size <= self._routes.mtu

    def _report(self, rule: Rule, packet: Packet, action: str, fields: Fields) -> None:
        journal.event("fault", rule=rule.id, action=action, link=rule.link, **packet.event(), **fields)
        if rule.is_spent:
            self._loop.later(0, self._refresh)

    def _again(self, packet: Packet, data: bytes) -> None:
        """Sends a copy: a raw socket with the headers included (raw(7)), marked so that no rule sees it."""
        family = socket.AF_INET6 if packet.version == 6 else socket.AF_INET
        # The first verdict must be out before the copy is.
        if self._queue:
            self._queue.flush()
        try:
            if family not in self._raw:
                self._raw[family] = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
                self._raw[family].setsockopt(socket.SOL_SOCKET, socket.SO_MARK, tables.COPY)
            self._raw[family].sendto(data, (socket.inet_ntop(family, packet.dst), 0))
        except OSError as problem:
            journal.error(problem.errno, f"the copy could not be sent: {problem.strerror}", packet.event())

    def close(self) -> None:
        for key in list(self._rules):
            self._end(key, "the probe was stopped")
        self._tables.let_pass()
        if self._queue:
            self._on_packets(READ)
        self._links.release_all()
        if self._queue:
            self._queue.flush()
        self._close_when_idle()


def _working(rules: dict[Key, Rule]) -> tables.Peers:
    """Whom the rules are about that may still find a packet: as `Tables.set` takes it."""
    return [rule.peers for rule in rules.values() if not rule.is_spent]


def _reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)


def main(loop: Loop) -> Done:
    # A node ignores SIGCHLD, and then no exit status of a command can be had (wait(2), NOTES).
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    probe = FaultProbe(loop)
    life.watch_keyboard(loop, probe.on_input)
    life.ready()
    return probe.close


if __name__ == "__main__":
    life.run(main)
