"""Does a run once more: the same topology, the same faults and seeds, the same lines in the order of their causes."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from labctl.bundle.again import wanted
from labctl.bundle.again.steps import Breaking, Step, spec_of, steps_of
from labctl.bundle.checked import Malformed
from labctl.bundle.inputs import Marks
from labctl.bundle.model import Input, Mark, Run
from labctl.cancel import Cancel
from labctl.engine.model import Engine
from labctl.errors import Cancelled, LabError
from labctl.lab import journal
from labctl.lab.faults import rules
from labctl.lab.keyboard.send import type_plain
from labctl.lab.keyboard.typed import Typed
from labctl.lab.life.up import Request, up
from labctl.lab.links import Way, way
from labctl.lab.model import Lab, find
from labctl.topology.builtin import Options

TIMEOUT = 5.0  # seconds for what a step followed
SETTLE = 0.3  # seconds for what comes of the last one
Report = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What a replay would start: a line for each service, and `objections`, for which it has to be trusted."""

    services: tuple[str, ...]
    objections: tuple[str, ...]
    config: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Replayed:
    """How it went: how many lines were typed and rules set or taken back; `remarks` say in what it was other."""

    lab: str
    typed: int
    rules: int
    remarks: tuple[str, ...]


def wanted_of(engine: Engine, run: Run, file: str) -> Wanted:
    """Starts nothing. Raises LabError `no-replay`, `run-broken`."""
    if not run.compose:
        why = next((note for note in run.notes if "replayed" in note), "the lab's Compose file is not in it")
        raise LabError("no-replay", file=file, why=why.rstrip("."), mend="save a run of a lab whose file is there")
    try:
        config = wanted.configuration(run.compose)
        return Wanted(tuple(wanted.shown(config)), tuple(wanted.objections(engine, config)), config)
    except (Malformed, ValueError, TypeError, AttributeError, KeyError, RecursionError) as problem:
        raise LabError("run-broken", file=file, why=f"its compose.yaml is not that of a run: {problem}") from None


def start(engine: Engine, what: Wanted, name: str | None, *, record: bool, timeout: float, report: Report) -> Lab:
    """Brings the lab up. Raises LabError as `labctl.lab.life.up` does."""
    # The file is needed until the lab is there: its labels are the state from then on, and have what the file said.
    with tempfile.TemporaryDirectory(prefix="labctl-replay-") as folder:
        path = wanted.written(wanted.labelled(what.config), Path(folder))
        request = Request(None, name or str(what.config["name"]), timeout=timeout, record=record)
        return up(engine, request._replace(options=Options((str(path),))), report)


def replay(engine: Engine, run: Run, lab: Lab, *, timeout: float = TIMEOUT, report: Report) -> Replayed:
    """Does all the steps of a run in a lab that `start` has brought up, each once what it followed is there again.

    What isn't there after `timeout` seconds is no longer waited for, and told. Raises LabError.
    """
    remarks: list[str] = []
    typed = broken = 0
    with Watch(engine, lab) as watch:
        known: dict[str, rules.Applied] = {}
        for step in steps_of(run):
            if missing := watch.until(step.followed, timeout):
                remarks.append(f"{_shown(missing[0])} did not come before {_said(step)}")
            if isinstance(step, Breaking):
                broken += _break(engine, lab, step, known, remarks)
            elif step.because:
                remarks.append(f"{_said(step)} was left out: {step.because}")
            else:
                report(_said(step))
                _type(engine, lab, step.input, timeout)
                typed += 1
        if missing := watch.until(_last(run), timeout if run.inputs else SETTLE):
            remarks.append(f"{_shown(missing[0])} did not come again")
    return Replayed(lab.name, typed, broken, tuple(remarks))


def _last(run: Run) -> list[Mark]:
    """What each node showed last."""
    marks, last = Marks(), dict[str, Mark]()
    for event in run.events:
        if found := marks.of(event):
            last[found.node] = found
    return list(last.values())


class Watch:
    """Follows a lab's journal in a thread of its own, and knows which marks have been there. A context manager."""

    def __init__(self, engine: Engine, lab: Lab) -> None:
        self._end = Cancel()
        self._engine, self._lab = engine.cancelled_by(*engine.cancels, self._end), lab
        self._seen: set[Mark] = set()
        self._news = threading.Condition()
        self._over: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _problem: object, _trace: TracebackType | None) -> None:
        self._end.cancel()
        self._thread.join()

    def _follow(self) -> None:
        marks = Marks()
        try:
            for event in journal.follow(self._engine, self._lab):
                found = marks.of(event)
                if found:
                    with self._news:
                        self._seen.add(found)
                        self._news.notify_all()
        except Cancelled:
            pass
        except LabError as problem:
            with self._news:
                self._over = problem
                self._news.notify_all()

    def until(self, wanted: Sequence[Mark], timeout: float) -> list[Mark]:
        """Waits until all of some marks have been there; those that have not after `timeout` seconds.

        Raises LabError where the journal can't be followed any more.
        """
        with self._news:
            self._news.wait_for(lambda: self._over or self._seen.issuperset(wanted), timeout)
            if self._over:
                raise self._over
            return [mark for mark in wanted if mark not in self._seen]


def _type(engine: Engine, lab: Lab, one: Input, timeout: float) -> None:
    now = find(engine, lab.name)
    node = now.running(one.node, "nothing can be typed at it")
    assert one.text is not None
    if node.role is None:
        type_plain(engine, node, one.text, timeout)
        return
    with Typed(engine, now, node, one.text, to=_to(now, one) or None, timeout=timeout):
        pass


def _to(lab: Lab, one: Input) -> str:
    """Whom a line was for, at the address that it has now."""
    host, _, port = one.to.rpartition(":")
    if not one.to_node:
        return one.to
    version = 6 if ":" in host else 4
    found = [item for item in lab.node(one.to_node).addresses if (6 if ":" in item else 4) == version]
    near = [item for item in found if item == host.strip("[]")] or found
    return f"{f'[{near[0]}]' if version == 6 else near[0]}:{port}" if near else one.to


def _break(engine: Engine, lab: Lab, step: Breaking, known: dict[str, rules.Applied], remarks: list[str]) -> int:
    """Sets a rule, or takes one back that was set."""
    now = find(engine, lab.name)
    if step.ends:
        applied = known.get(step.id)
        mine = [one for one in rules.listing(engine, now) if applied and one.id == applied.id]
        rules.clear(engine, now, mine)
        return bool(mine)
    try:
        known[step.id] = rules.add(engine, now, [_way(now, link) for link in step.links], spec_of(step))
    except LabError as problem:
        remarks.append(f"the fault {step.id} ({step.what}) was left out: {problem.message}")
        return 0
    return 1


def _way(lab: Lab, link: str) -> Way:
    one, _, other = link.partition(":")
    if other == "*":
        return Way(lab.host(lab.node(one)), link, None)
    return way(lab, one, other)


def _said(step: Step) -> str:
    if isinstance(step, Breaking):
        return f"the end of {step.id}" if step.ends else f"the fault {step.id}"
    text = step.input.text
    return f"{step.input.node}: {text!r}" if text is not None else f"a line at {step.input.node}"


def _shown(mark: Mark) -> str:
    again = f", number {mark.nth}" if mark.nth > 1 else ""
    return f"{mark.node}'s {mark.event}{f' {mark.text!r}' if mark.text else ''}{again}"
