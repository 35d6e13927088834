"""Labs for tests: each with a name of its own, those of a whole run made once, also where several workers want one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RUN = "LABCTL_TEST_RUN"  # of the environment: the run, which pytest-xdist's workers have from who started them
UP_LIMIT = 300.0  # seconds until a lab must be ready: several workers start theirs at once


@dataclass(frozen=True)
class Wish:
    """What a marker asks for. `topology`: a name of labctl's, or a file beside the test."""

    topology: str = "hello"
    record: bool = False
    scope: str = "function"
    may_not_fire: bool = False
    profiles: tuple[str, ...] = ()

    def key(self, place: str) -> str:
        """A short name for what is the same lab: `place` is the module's where it is for that alone."""
        text = f"{self.topology} {self.profiles} {self.record} {place if self.scope == 'module' else ''}"
        return hashlib.sha256(text.encode()).hexdigest()[:6]


def begin_run() -> None:
    """Names a run; workers of it have the name from the environment."""
    os.environ[RUN] = secrets.token_hex(3)


def prefix() -> str:
    return f"pytest-{os.environ[RUN]}-"


def _mark() -> Path:
    """There once a lab was made: who ends the run looks for labs only then."""
    return Path(tempfile.gettempdir()) / f"labctl-{prefix()}labs"


def made(wish: Wish, folder: Path, name: str) -> str:
    """Brings a lab up, or finds it up where another worker did: labctl has a lock for each name. Where it does not come
    up, the test fails, and that is all of it that is shown."""
    import pytest

    import labctl
    from labctl.errors import LabError

    _mark().touch()
    file = folder / wish.topology
    topology = str(file) if file.is_file() else wish.topology
    try:
        labctl.up(topology, name=name, record=wish.record, profiles=wish.profiles, timeout=UP_LIMIT)
    except LabError as problem:
        gone(name)
        hint = f"\n{problem.hint}" if problem.hint else ""
        pytest.fail(f"the lab {wish.topology} did not come up: {problem.message}{hint}", pytrace=False)
    return name


def shared_name(wish: Wish, place: str, worker: str) -> str:
    """Of one that several tests have: the same for all workers where it is the whole run's."""
    who = "all" if wish.scope == "session" else worker
    return f"{prefix()}{who}-{wish.key(place)}"


def own_name(worker: str) -> str:
    return f"{prefix()}{worker}-{secrets.token_hex(3)}"


def gone(name: str) -> None:
    """Takes a lab down; what can't be now, the run's end tries again."""
    import labctl
    from labctl.errors import LabError

    with contextlib.suppress(LabError):
        labctl.find(name).down()


def end_run() -> Iterator[str]:
    """Takes down whatever labs of the run are left, and gives what could not be."""
    if not _mark().exists():
        return
    import labctl
    from labctl.errors import LabError

    try:
        for lab in labctl.labs():
            if lab.name.startswith(prefix()):
                lab.down()
    except LabError as problem:
        yield f"labs of this run are left (`labctl ls`, {prefix()}...): {problem.message}"
    _mark().unlink(missing_ok=True)
