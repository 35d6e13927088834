"""^C, SIGTERM and SIGHUP in the middle of `up`: what it began is gone, what was there before is not."""

import json
import signal
import threading
import time

import docker
import pytest
from outside import PATIENCE, end_group, finish

pytestmark = pytest.mark.turn(2)

ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


class Happenings:
    """What the engine does from now on: a context manager whose `wait` returns in the moment that it is done."""

    def __init__(self):
        self._client = docker.from_env(timeout=60)
        self._seen: list[tuple[str, str, str]] = []
        self._changed = threading.Condition()

    def __enter__(self):
        self._stream = self._client.events(since=f"{time.time():.9f}", decode=True)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._stream.close()
        self._client.close()

    def _read(self) -> None:
        for event in self._stream:
            with self._changed:
                name = event["Actor"]["Attributes"].get("name", "")
                self._seen.append((event["Type"], event["Action"], name))
                self._changed.notify_all()

    def count(self, kind: str, action: str, prefix: str) -> int:
        return sum(1 for seen in self._seen if seen[:2] == (kind, action) and seen[2].startswith(prefix))

    def wait(self, kind: str, action: str, prefix: str, count: int = 1) -> None:
        """Until it has happened `count` times to what has a name that begins so."""
        with self._changed:
            there = self._changed.wait_for(lambda: self.count(kind, action, prefix) >= count, 60)
        assert there, f"no {kind} {action} of {prefix}: {self._seen}"


@pytest.mark.parametrize(
    ("kind", "action", "count", "number"),
    [
        ("network", "create", 1, signal.SIGINT),
        ("container", "create", 1, signal.SIGTERM),
        ("container", "create", 4, signal.SIGINT),
        ("container", "start", 1, signal.SIGHUP),
        ("container", "start", 5, signal.SIGINT),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_up_that_is_interrupted_takes_all_back(spare, kind, action, count, number):
    lab = spare(f"cut-{kind}-{action}-{count}")
    with Happenings() as happenings:
        child = lab.begin("up", "--lab", lab.name)
        happenings.wait(kind, action, lab.name, count)
        end_group(child, number)
        got = finish(child)
        assert (got.returncode, got.stdout) == (ENDS[number], ""), got
        assert "taking back what was begun\n" in got.stderr
        assert "Traceback" not in got.stderr
        assert lab.labelled() == []
        assert (lab.containers(), lab.networks()) == ({}, [])
        # Whatever was made has been removed.
        for what in ("container", "network"):
            happenings.wait(what, "destroy", lab.name, happenings.count(what, "create", lab.name))
    assert lab.ok("down").stderr == f"nothing is left of {lab.name}\n"


def waiting_for_a_node(spare, folder, word: str):
    """A lab that runs, and a file that adds a node which never gets ready."""
    lab = spare(word)
    quick = {"image": "labctl/echo-client", "hostname": "quick"}
    slow = {"image": "labctl/echo-client", "init": True, "command": ["sleep", "1000"]}
    file = folder / "compose.yaml"
    file.write_text(json.dumps({"services": {"quick": quick}}))
    lab.ok("up", str(file), "--lab", lab.name)
    file.write_text(json.dumps({"services": {"quick": quick, "slow": slow}}))
    return lab, file


@pytest.mark.parametrize("number", list(ENDS), ids=lambda number: number.name)
def test_what_was_there_before_stays(spare, tmp_path, number):
    """Interrupted while it waits for a node: that one is new and goes, the others go on as they were."""
    lab, file = waiting_for_a_node(spare, tmp_path, f"wait-{number.value}")
    before = lab.container("quick").attrs["State"]["StartedAt"]
    with Happenings() as happenings:
        child = lab.begin("up", str(file), "--lab", lab.name)
        happenings.wait("container", "start", f"{lab.name}-slow")
        end_group(child, number)
        got = finish(child)
    assert got.returncode == ENDS[number]
    assert "Traceback" not in got.stderr
    assert list(lab.containers()) == ["quick"]
    quick = lab.container("quick")
    assert (quick.status, quick.attrs["State"]["StartedAt"]) == ("running", before)
    assert len(lab.networks()) == 1


def test_control_c_twice_still_takes_all_back(spare, tmp_path):
    """Fingers are quick: the second one must not interrupt the taking back."""
    lab, file = waiting_for_a_node(spare, tmp_path, "twice")
    with Happenings() as happenings, lab.terminal("up", str(file), "--lab", lab.name) as terminal:
        happenings.wait("container", "start", f"{lab.name}-slow")
        terminal.type("\x03\x03")
        assert terminal.end(PATIENCE) == 130
        assert "Traceback" not in terminal.shown
    assert list(lab.containers()) == ["quick"]


def test_terminal_that_goes_away_takes_all_back(spare, tmp_path):
    """The window is closed: SIGHUP, and nobody left to read what labctl says."""
    lab, file = waiting_for_a_node(spare, tmp_path, "window")
    with Happenings() as happenings, lab.terminal("up", str(file), "--lab", lab.name) as terminal:
        happenings.wait("container", "start", f"{lab.name}-slow")
        terminal.hang_up()
        assert terminal.process.wait(PATIENCE) == 129
    assert list(lab.containers()) == ["quick"]


def test_up_goes_on_when_nobody_reads_what_it_says(spare, tmp_path):
    """`labctl up 2>&1 | head -0`: talk is only talk."""
    lab = spare("deaf")
    file = tmp_path / "compose.yaml"
    file.write_text(json.dumps({"services": {"only": {"image": "labctl/echo-client", "hostname": "only"}}}))
    child = lab.begin("up", str(file), "--lab", lab.name)
    child.stderr.close()
    child.stderr = None
    assert finish(child).returncode == 0
    assert lab.container("only").status == "running"
