"""The plugin of pytest (entry point `pytest11`). Nothing of Docker, nor of labctl itself, is imported until used."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from labctl.testing.tested import TestedLab

MARKERS = (
    'lab(topology="hello", *, record=False, scope="function", may_not_fire=False, profiles=()): the lab that the '
    "fixture `lab` is: a topology of labctl's, or a file beside the test; scope: function, module or session",
    'needs(*words): skip the test where the machine lacks "engine", "compose", "ipv6", "nftables" or "nfqueue"; where '
    "CI is set it fails instead",
)
SCOPES = ("function", "module", "session")
FOLDER = "lab_artifacts"
_KEY = pytest.StashKey[list[Any]]()
_SHARED = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("labctl", "labs of labctl")
    group.addoption(
        "--lab-artifacts",
        metavar="DIR",
        help="where failed tests leave packets.pcapng, journal.jsonl and report.html",
    )
    parser.addini(FOLDER, "where failed tests with a lab leave their files (default: none are left)", default="")


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[_SHARED] = {}
    if not _is_worker(config):
        from labctl.testing import labs

        labs.begin_run()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Labs of the whole run end with it, and those of workers that died."""
    if _is_worker(session.config):
        return
    from labctl.testing import labs

    for problem in labs.end_run():
        session.config.issue_config_time_warning(UserWarning(problem), stacklevel=1)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _worker(config: pytest.Config) -> str:
    return str(getattr(config, "workerinput", {}).get("workerid", "main"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    words = tuple(word for mark in item.iter_markers("needs") for word in mark.args)
    if item.get_closest_marker("lab") and "engine" not in words:
        words = ("engine", *words)
    if words:
        _need(*words)


def _need(*words: str) -> None:
    """Skips the test where the machine lacks one of these; where CI is set, it fails."""
    from labctl.testing import abilities

    try:
        why = abilities.refused(words)
    except ValueError as problem:
        raise pytest.UsageError(str(problem)) from None
    if why and os.environ.get("CI"):
        pytest.fail(f"this machine lacks what the test needs, and CI is set: {why}", pytrace=False)
    if why:
        pytest.skip(f"this machine lacks what the test needs: {why}")


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[TestedLab]:
    """The lab of the test's marker, `@pytest.mark.lab("hello", record=True)`; without one, the seven hosts."""
    from labctl.testing import labs

    wish = _wish(request)
    _need("engine")  # also of a test without a marker
    if wish.scope == "function":
        name = labs.made(wish, request.path.parent, labs.own_name(_worker(request.config)))
    else:
        name = _shared(request, wish)
    made = _tested(request.node, name, wish)
    yield made
    if wish.scope == "function":
        labs.gone(name)
    else:
        _healed(made, wish)


@pytest.fixture
def lab_factory(request: pytest.FixtureRequest) -> Iterator[Callable[..., TestedLab]]:
    """`lab_factory("hello", record=True)` brings a lab up that is the test's own, and gone when it ends."""
    from labctl.testing import labs

    _need("engine")
    names: list[str] = []

    def make(topology: str = "hello", **options: Any) -> TestedLab:
        wish = labs.Wish(topology, **options)
        names.append(labs.own_name(_worker(request.config)))
        labs.made(wish, request.path.parent, names[-1])
        return _tested(request.node, names[-1], wish)

    yield make
    for name in names:
        labs.gone(name)


def _wish(request: pytest.FixtureRequest) -> Any:
    from labctl.testing.labs import Wish

    mark = request.node.get_closest_marker("lab")
    if mark is None:
        return Wish()
    options = dict(mark.kwargs)
    if "profiles" in options:
        options["profiles"] = tuple(options["profiles"])
    try:
        wish = Wish(*mark.args, **options)
    except TypeError:
        raise pytest.UsageError(f"{request.node.nodeid}: {MARKERS[0].partition(':')[0]} is the marker") from None
    if wish.scope not in SCOPES:
        raise pytest.UsageError(f"{request.node.nodeid}: a lab's scope is {', '.join(SCOPES)}, not {wish.scope!r}")
    return wish


def _shared(request: pytest.FixtureRequest, wish: Any) -> str:
    """The lab that tests of a module, or of all, have together; made for the first of them."""
    from labctl.testing import labs

    config, module = request.config, str(request.path)
    name = labs.shared_name(wish, module, _worker(config))
    if name not in config.stash[_SHARED]:
        config.stash[_SHARED][name] = labs.made(wish, request.path.parent, name)
        if wish.scope == "module":
            request.node.getparent(pytest.Module).addfinalizer(lambda: _end(config, name))
    return name


def _end(config: pytest.Config, name: str) -> None:
    from labctl.testing import labs

    config.stash[_SHARED].pop(name, None)
    labs.gone(name)


def _healed(lab: TestedLab, wish: Any) -> None:
    """A lab that others go on with: the rules of this test are gone, and of a module's lab all nodes run. Of one that
    several workers have, nobody knows whether another one has stopped a node."""
    from labctl.errors import LabError

    try:
        lab.take_back()
        if wish.scope == "module":
            lab.start_all()
    except LabError as problem:
        pytest.fail(f"{lab.name} can't be made whole for the next test: {problem.message}", pytrace=False)


def _tested(item: pytest.Item, name: str, wish: Any) -> TestedLab:
    from labctl.api.labs import find
    from labctl.testing.tested import TestedLab

    made = TestedLab(find(name).engine, name, record=wish.record, may_not_fire=wish.may_not_fire)
    if wish.record:
        made.record()
    item.stash.setdefault(_KEY, []).append(made)
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A fault that never fired proves nothing."""
    yield
    for lab in item.stash.get(_KEY, []):
        if idle := lab.idle_rules():
            rules = "; ".join(idle)
            pytest.fail(
                f"a fault of this test did nothing, so the test proves nothing about it: {rules}. "
                "Where that is meant: lab.link(..., may_not_fire=True)",
                pytrace=False,
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed and call.when == "call":
        for lab in item.stash.get(_KEY, []):
            from labctl.testing import report as reports

            report.sections.extend(reports.sections(lab))
            if folder := _folder(item.config):
                name = re.sub(r"[^\w.-]+", "-", item.nodeid).strip("-")[-120:]
                where = reports.artifacts(lab, folder / name, item.nodeid)
                report.sections.append(("labctl: files", str(where)))
    return report  # type: ignore[return-value]


def _folder(config: pytest.Config) -> Path | None:
    given = config.getoption("--lab-artifacts") or config.getini(FOLDER)
    return config.invocation_params.dir / given if given else None
