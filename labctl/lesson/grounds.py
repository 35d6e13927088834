"""The lab that a lesson is played on: brought up where it isn't there, and put in order before and after."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from labctl.api.lab import Lab
from labctl.api.labs import LESSONS, empty, find, labs, up
from labctl.api.topologies import doctor
from labctl.engine.model import Engine
from labctl.errors import LabError, LabNotFound, NodeNotFound
from labctl.lesson.written.model import EMPTY, Lesson

FILES = (".yaml", ".yml")


def lab_name(lesson: Lesson) -> str:
    """`lesson-hello`: shared by all lessons with that topology, and never the learner's own."""
    found = lesson.topology
    if found.endswith(FILES):
        found = lesson.name
    return LESSONS + re.sub(r"[^a-z0-9_-]", "-", found.lower())


def ready(
    lesson: Lesson,
    *,
    name: str | None = None,
    engine: Engine | None = None,
    report: Callable[[str], None] | None = None,
) -> Lab:
    """The lab, in order; `name` takes one that is there already. Raises LabError as `up` and `find` do."""
    _refuse_what_is_missing(lesson, engine)
    if name:
        lab = find(name, engine=engine)
        lab.prepare(report)
        put_in_order(lab, lesson)
        _start(lab)
        return lab
    if _is_there(lab_name(lesson), engine):
        put_in_order(find(lab_name(lesson), engine=engine), lesson)
    if lesson.topology == EMPTY:
        lab = empty(lab_name(lesson), engine=engine, report=report)
    else:
        lab = up(_topology(lesson), name=lab_name(lesson), engine=engine, report=report)
    lab.prepare(report)
    return lab


def _is_there(name: str, engine: Engine | None) -> bool:
    return any(lab.name == name for lab in labs(engine=engine))


def _start(lab: Lab) -> None:
    """The nodes of somebody's own lab that have ended, one after the other."""
    for status in lab.status():
        if status.state in ("exited", "created", "dead"):
            lab.node(status.node.name).start()


def _refuse_what_is_missing(lesson: Lesson, engine: Engine | None) -> None:
    """Raises LabError `lesson-needs`."""
    if not lesson.needs:
        return
    for found in doctor(engine=engine):
        if found.check.lower() in lesson.needs and found.level != "ok":
            raise LabError("lesson-needs", name=lesson.name, what=found.what)


def _topology(lesson: Lesson) -> str | Path:
    beside = lesson.folder / lesson.topology
    return beside if lesson.topology.endswith(FILES) and os.path.exists(beside) else lesson.topology


def put_in_order(lab: Lab, lesson: Lesson) -> None:
    """No faults, no programs of lessons, nobody paused. Nodes that have ended are started by `ready`, in the order in
    which they need each other. In somebody's own lab other programs than the lesson's may run: they are left alone."""
    try:
        found = lab.snapshot()
    except LabNotFound:  # one of programs alone, without any
        return
    lab.clear_faults()
    ours = lab.name.startswith(LESSONS)
    ended = [node.name for node in found.programs if ours or node.name in lesson.programs]
    if ended:
        lab.remove(*ended)
    if len(ended) == len(found.nodes):
        return
    for status in lab.status():
        if status.state == "paused":
            lab.node(status.node.name).unpause()


def record(lab: Lab, packets: Iterable[str], calls: Iterable[str]) -> None:
    """Recording at those of the named nodes that are there; what is recorded already goes on."""
    try:
        there = {node.name for node in lab.snapshot().nodes if node.has_network}
    except LabNotFound:
        return
    with_calls = sorted(there & set(calls))
    with_packets = sorted((there & set(packets)).difference(with_calls))  # recording calls does that, too
    with ThreadPoolExecutor(2) as pool:
        begun = [pool.submit(lab.record, *with_packets)] if with_packets else []
        begun += [pool.submit(lab.record, *with_calls, syscalls=True)] if with_calls else []
    with suppress(NodeNotFound):  # it was removed just now: it has nothing to be recorded
        for one in begun:
            one.result()
