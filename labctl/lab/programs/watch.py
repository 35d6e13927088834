"""Starts a program again, in its place, whenever a file of its folder changes, and shows what it prints meanwhile.

Files are looked at by their times, sizes and numbers, a few times a second: that works on every kernel and file system,
and the folder is somebody's own few files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from labctl import cancel
from labctl.cancel import Cancel
from labctl.engine.model import Engine, Stream
from labctl.errors import Cancelled, LabError, LabTimeout, NodeFailed
from labctl.events.codec import EPOCH, normalise, stamp_of
from labctl.events.model import nanoseconds_of
from labctl.lab.life.change import change
from labctl.lab.model import Lab, Node, find
from labctl.lab.programs import folder, wanted
from labctl.lab.programs.outcome import how_of
from labctl.lab.programs.remove import need_program
from labctl.phases import reached

LOOK = 0.25  # seconds between two looks at the files
CALM = 0.1  # seconds that nothing may change before it is started again: an editor writes a file in several steps
READY_LIMIT = 30.0  # seconds
READ_LIMIT = 10.0  # seconds for a line that is there
Files = dict[str, tuple[int, int, int]]
Show = Callable[[str, bool], None]


def watch(
    engine: Engine,
    lab: Lab,
    name: str,
    show: Show,
    told: Callable[[str], None],
    *,
    until: Cancel | None = None,
    whole: bool = False,
) -> None:
    """Until `until` is cancelled; see Program.watch. With `whole` what it has printed by now is shown as well, and
    an end that it came to before is told.

    Raises LabError `not-a-program`, `unknown-node` also where it is removed meanwhile, `bad-option` where the program
    has no folder, `cancelled`.
    """
    node = need_program(lab, name)
    place = wanted.folder_of(node.container.labels)
    if place is None:
        raise LabError("bad-option", option="--watch", why=f"{name} has no folder in which files could change")
    watching = engine.cancelled_by(*engine.cancels, *([until] if until else ()))
    try:
        _watch(watching, lab, node, place, show, told, whole=whole)
    except Cancelled:
        if until is None or not until.is_cancelled:
            raise


def _watch(
    engine: Engine, lab: Lab, node: Node, place: Path, show: Show, told: Callable[[str], None], *, whole: bool
) -> None:
    before = look(place)
    with closing(_Output(engine, node, whole=whole)) as output:
        told(f"watching {place} (^C ends that, and leaves {node.name} as it is)")
        reached("run:watching")
        while True:
            output.show(show, LOOK)
            if end := output.has_ended and output.look_again(need_program(find(engine, lab.name), node.name)):
                told(end)
            now = look(place)
            if now == before:
                continue
            while (later := _after(engine, place, CALM)) != now:
                now = later
            names = changed(before, now, place)
            before = now
            told(f"{names} changed: starting {node.name} again")
            engine.send_folder(node.container.id, str(place), wanted.PLACE)
            how, is_well = _restart(engine, lab.name, node.name)
            output.restarted(end_is_told=not is_well)
            output.show(show, CALM)
            told(how)


def _after(engine: Engine, place: Path, seconds: float) -> Files:
    cancel.sleep(seconds, engine.cancels)
    return look(place)


def look(place: Path) -> Files:
    """All files of the folder that a program may be made of: when they were written, how large they are, and which they
    are. What is written by us, `labctl run --watch > out.txt`, is none of them."""
    found: Files = {}
    ours = list(_written_by_us())
    for entry in folder.files(place):
        with suppress(OSError):  # it has just gone
            if entry.is_file() and not any(os.path.samestat(entry.stat(), one) for one in ours):
                status = entry.stat()
                found[entry.path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _written_by_us() -> Iterator[os.stat_result]:
    for number in (1, 2):
        with suppress(OSError):  # it is closed
            yield os.fstat(number)


def changed(before: Files, now: Files, place: Path) -> str:
    """The names of what is new, gone or another one."""
    paths = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    names = [str(Path(path).relative_to(place)) for path in paths]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _restart(engine: Engine, lab: str, name: str) -> tuple[str, bool]:
    """What came of it, below what it has printed, and whether it began well."""
    begun = time.monotonic()
    try:
        change(engine, find(engine, lab), "restart", name, timeout=READY_LIMIT)
    except (NodeFailed, LabTimeout) as problem:  # the next change may mend it
        brief = problem.having(lines="")
        return f"{brief.message}\n  {brief.hint}".rstrip(), False
    return f"{name} runs again ({time.monotonic() - begun:.1f} s)", True


class _Output:
    """What a program prints, in this run and the ones after it."""

    def __init__(self, engine: Engine, node: Node, *, whole: bool) -> None:
        self._engine, self._ident = engine, node.container.id
        self._stream: Stream | None = None
        self._end_is_told = False
        self._last = EPOCH if whole else self._newest()
        self.restarted(end_is_told=not whole and not node.is_running)

    def _newest(self) -> str:
        """The time of the last line that there is."""
        stream, newest = self._engine.logs(self._ident, tail=1), EPOCH
        try:
            for happening in self._engine.wait([stream], time.monotonic() + READ_LIMIT):
                newest = max(newest, normalise(happening.line.stamp) or EPOCH) if happening.line else newest
        finally:
            stream.close()
        return newest

    def close(self) -> None:
        if self._stream:
            self._stream.close()

    @property
    def has_ended(self) -> bool:
        return self._stream is None

    def look_again(self, node: Node) -> str:
        """Somebody else may have started it again, or another one in its place; else how it ended, once."""
        self._ident = node.container.id
        if node.is_running:
            self.restarted()
        elif node.container.state == "exited" and not self._end_is_told:
            self._end_is_told = True
            return f"{node.name} ended {how_of(node.container.exit_code or 0)}"
        return ""

    def restarted(self, *, end_is_told: bool = False) -> None:
        """What it has printed since the last line that was shown is still to come. Of one that failed as it began, the
        end is told there."""
        self._end_is_told = end_is_told
        self.close()
        since = stamp_of(nanoseconds_of(self._last) + 1_000_000_000)  # asked for is a second less than we say
        self._stream = self._engine.logs(self._ident, follow=True, since=since)

    def show(self, show: Show, seconds: float) -> None:
        """What comes within some seconds."""
        until = time.monotonic() + seconds
        if self._stream:
            for happening in self._engine.wait([self._stream], until):
                if happening.line is None:
                    self._stream = None
                    break
                stamp = normalise(happening.line.stamp) or EPOCH
                if stamp > self._last:
                    self._last = stamp
                    show(happening.line.text.rstrip(b"\r").decode(errors="replace"), happening.line.stderr)
                if time.monotonic() > until:
                    break
        cancel.sleep(until - time.monotonic(), self._engine.cancels)
