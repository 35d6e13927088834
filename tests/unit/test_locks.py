"""Locks between several labctl: who has one, who waits, and what becomes of their files."""

import errno
import os
import time

import pytest

from labctl.engine.docker.wire import Wire
from labctl.engine.memory import MemoryEngine
from labctl.errors import LabError
from labctl.lab.life import down as downs
from labctl.lab.locks import KeyboardLock, LabLock


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"labctl-{os.getuid()}"


def said(lines: list[str]):
    return lines.append


def test_one_has_it_and_the_other_is_told(folder):
    first, second, told = LabLock("a"), LabLock("a"), []
    first.acquire(0, said(told))
    with pytest.raises(LabError) as caught:
        second.acquire(0, said(told))
    assert caught.value.code == "lab-busy"
    assert told == ["another labctl is at work on a; waiting for it"]
    LabLock("b").acquire(0, said([]))
    first.close()
    second.acquire(0, said([]))


def test_a_child_that_holds_it_keeps_it():
    first, second = LabLock("a"), LabLock("a")
    first.acquire(0, said([]))
    inherited = os.dup(first.fileno())
    first.close()
    assert not second.try_once()
    os.close(inherited)
    assert second.try_once()


def test_a_lock_on_a_file_that_is_gone_is_none(folder):
    """Who waited for a lock whose file went with the lab takes a new one, on the file that is there now."""
    first, second, third = LabLock("a"), LabLock("a"), LabLock("a")
    first.acquire(0, said([]))
    assert not second.try_once()
    first.forget()
    assert not folder.joinpath("a").exists()
    first.close()
    assert not second.try_once(), "it held the old file"
    assert second.try_once()
    assert not third.try_once()


def test_the_word_that_compose_works_outlives_its_writer():
    first, second = LabLock("a"), LabLock("a")
    first.acquire(0, said([]))
    assert not first.is_unfinished
    first.begin()
    first.close()
    second.acquire(0, said([]))
    assert second.is_unfinished
    second.finish()
    assert not second.is_unfinished


def test_what_compose_was_to_make_outlives_its_writer():
    first, second = LabLock("a"), LabLock("a")
    first.acquire(0, said([]))
    first.begin(f"a-node-{number}" for number in range(500))
    first.begin(["a_lab", "a-node-1"])
    first.close()
    second.acquire(0, said([]))
    assert second.asked == {"a_lab", "a-node-1"}
    second.begin()
    assert (second.is_unfinished, second.asked) == (True, frozenset())
    second.finish()
    assert second.asked == frozenset()


class Late(MemoryEngine):
    """An engine that goes on with what it was asked for: a node more appears with the second look at the containers."""

    looks = 0

    def containers(self, *arguments, **options):
        self.looks += 1
        if self.looks == 2:
            self.add("a", "late", addresses={"a_lab": ("10.0.0.3",)})
        return super().containers(*arguments, **options)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(["a_lab", "a-one-1", "a-late-1"], False), (["a_lab", "a-one-1", "a-other-1"], True), ([], True)],
)
def test_down_after_a_killed_up_waits_for_what_may_still_appear(monkeypatch, asked, waits):
    monkeypatch.setattr(downs, "QUIET", 0.3)
    killed, engine = LabLock("a"), Late()
    killed.acquire(0, said([]))
    killed.begin(asked)
    killed.close()
    engine.add("a", "one", addresses={"a_lab": ("10.0.0.2",)})
    looks, look = [], downs.look
    monkeypatch.setattr(downs, "look", lambda *of: looks.append(look(*of)) or looks[-1])
    begun = time.monotonic()
    removed = downs.down(engine, "a", said([]))
    assert (removed.containers, engine.containers(), engine.networks()) == (2, [], [])
    # Once nothing is there it looks again, for as long as nothing has come, or it does not; however slow all is.
    assert (len([found for found in looks if not found.names]) > 1) == waits
    assert time.monotonic() - begun >= 0.3 or not waits


def test_keyboards_in_use_stay(folder):
    lab, used, unused = LabLock("a"), KeyboardLock("a", "1" * 64), KeyboardLock("a", "2" * 64)
    assert lab.try_once()
    assert used.try_once()
    assert unused.try_once()
    unused.close()
    lab.forget()
    assert [file.name for file in folder.joinpath("a").iterdir()] == [f"{'1' * 24}.keyboard"]


@pytest.mark.parametrize("name", ["../../x", "x" * 300, "/etc", ""])
def test_a_name_that_somebody_else_wrote_stays_in_the_folder(folder, name):
    lock = LabLock(name)
    assert lock.try_once()
    assert len(list(folder.glob("*/lab"))) == 1


def test_a_folder_that_cant_be_written(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(file))
    with pytest.raises(LabError) as caught:
        LabLock("a").try_once()
    assert caught.value.code == "lock-failed"


class Stubborn(MemoryEngine):
    """An engine that won't remove some networks."""

    def __init__(self, *kept: str):
        super().__init__()
        self.kept = kept

    def remove_network(self, network: str) -> None:
        if network in self.kept:
            raise LabError("engine-refused", action="remove a network", why="it has active endpoints")
        super().remove_network(network)


def test_a_guest_on_the_network_is_named_and_all_else_is_removed(folder):
    engine = Stubborn("net")
    engine.add("mine", "a", addresses={"net": ("10.0.0.2",), "other": ("10.1.0.2",)})
    engine.add("theirs", "db", addresses={"net": ("10.0.0.3",)}, ours=False)
    engine.add("second", "a", addresses={"second": ("10.2.0.2",)})
    removed, problems = downs.down_all(engine, ["mine", "second"], lambda line: None)
    assert [problem.code for problem in problems] == ["network-in-use"]
    assert "theirs-db-1" in problems[0].message
    assert [item.lab for item in removed] == ["second"], "one lab that can't go keeps no other"
    assert [item.name for item in engine.containers()] == ["theirs-db-1"]
    assert [item.name for item in engine.networks()] == ["net"]
    engine.kept = ()
    assert downs.down(engine, "mine", lambda line: None).networks == 1


class Idle(MemoryEngine):
    """An engine that is at work removing a container, and never ends."""

    asked = 0

    def remove_container(self, container: str) -> None:
        self.asked += 1


def test_what_is_never_removed_is_not_asked_for_without_end(monkeypatch):
    monkeypatch.setattr(downs, "STUCK", 0.3)
    engine = Idle()
    engine.add("mine", "a", addresses={"net": ("10.0.0.2",)})
    with pytest.raises(LabError, match=r"did not answer within 0.3 s \(remove mine-a-1\)"):
        downs.down(engine, "mine", lambda line: None)
    assert engine.asked < 10


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_a_limit_that_is_none_is_explained(monkeypatch, text):
    monkeypatch.setenv("LABCTL_ENGINE_LIMIT", text)
    with pytest.raises(LabError) as caught:
        Wire(None)
    assert caught.value.code == "bad-option"


def test_full_disk(folder, monkeypatch):
    """The file was made, and the word in it finds no space."""
    lock = LabLock("a")
    lock.acquire(0, said([]))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(LabError) as caught:
        lock.begin()
    assert caught.value.message == f"{folder}/a/lab can't be locked: No space left on device"
    lock.forget()
    assert not (folder / "a").exists()


def test_no_folder_for_temporary_files(monkeypatch):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("TMPDIR", "/nowhere")
    monkeypatch.setattr("tempfile.gettempdir", none)
    with pytest.raises(LabError, match="a file in TMPDIR can't be locked: No usable temporary directory found"):
        LabLock("a")


@pytest.fixture
def victim(tmp_path):
    """A file of ours that somebody else would like to see emptied."""
    file = tmp_path / "precious"
    file.write_text("precious")
    return file


def planted_folder(folder, victim):
    """The folder of all labs is a link to one in which the lock's file is a link."""
    (folder.parent / "trap" / "a").mkdir(parents=True, mode=0o700)
    (folder.parent / "trap" / "a" / "lab").symlink_to(victim)
    folder.symlink_to(folder.parent / "trap")


def planted_lab(folder, victim):
    folder.mkdir(mode=0o700)
    (folder.parent / "trap").mkdir(mode=0o700)
    (folder / "a").symlink_to(folder.parent / "trap")


def planted_link(folder, victim):
    (folder / "a").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    (folder / "a" / "lab").symlink_to(victim)


def planted_hard_link(folder, victim):
    (folder / "a").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    os.link(victim, folder / "a" / "lab")


def planted_pipe(folder, victim):
    (folder / "a").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    os.mkfifo(folder / "a" / "lab")


def open_to_others(folder, victim):
    folder.mkdir()
    folder.chmod(0o777)


def open_lab(folder, victim):
    folder.mkdir(mode=0o700)
    (folder / "a").mkdir()
    (folder / "a").chmod(0o770)


@pytest.mark.parametrize(
    "plant",
    [planted_folder, planted_lab, planted_link, planted_hard_link, planted_pipe, open_to_others, open_lab],
)
def test_what_somebody_else_may_have_planted_is_not_used(folder, victim, plant):
    plant(folder, victim)
    with pytest.raises(LabError) as caught:
        LabLock("a").try_once()
    assert caught.value.code == "lock-failed"
    KeyboardLock("a", "1" * 64).remove()
    assert victim.read_text() == "precious"


def test_another_users_folder_is_not_used(folder, tmp_path, monkeypatch):
    """What is said after `su`: the session's folder is still the other user's, so it is left alone."""
    lock = LabLock("a")
    assert lock.try_once()
    monkeypatch.setattr(os, "getuid", lambda: 4711)  # the files are those of the user who runs the tests
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "labctl-4711").mkdir(mode=0o700)
    with pytest.raises(LabError, match=r"tmp/labctl-4711 is another user's"):
        LabLock("a").try_once()
    assert not list((tmp_path / "tmp" / "labctl-4711").iterdir())
