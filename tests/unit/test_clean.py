"""`labctl clean --images` on the in-memory engine: what counts as labctl's, what is in use, what stays."""

import os
from pathlib import Path

import pytest

from labctl import kept
from labctl.api import machine
from labctl.engine.hosts import inventory
from labctl.engine.memory import MemoryEngine
from labctl.engine.model import COMPOSE_IMAGE, LABEL_SOURCE, PROBE_IMAGE, Image
from labctl.errors import LabError
from labctl.lab.images.base import MADE, OFFICIAL
from labctl.lab.locks import KeyboardLock, LabLock
from labctl.lab.machine.clean import clean_images
from labctl.lesson.progress import Progress, Store, own_folder

OLD = "sha256:" + "0" * 64
OURS = {LABEL_SOURCE: "0123"}


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    """Where locks stand, and no folder of Wireshark's."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    return tmp_path


@pytest.fixture
def engine():
    found = MemoryEngine()
    names = {PROBE_IMAGE: OURS, "labctl/echo-server": OURS, MADE: OURS, OLD: OURS, "mine/x": OURS, "labctl/y": {}}
    for name, labels in names.items():
        found.images[name] = Image(name if name == OLD else f"id of {name}", labels)
    return found


def clean(engine, *, force=False, dry_run=False) -> tuple[list[str], dict[str, str]]:
    """What was removed, and what stays, with the reason."""
    found = clean_images(engine, lambda name: None, force=force, dry_run=dry_run)
    return [item.name for item in found if not item.stays], {item.name: item.stays for item in found if item.stays}


def test_only_what_has_the_label_and_a_name_of_ours_or_none(engine):
    removed, stays = clean(engine)
    assert sorted(removed) == sorted([PROBE_IMAGE, "labctl/echo-server", MADE, OLD])
    assert removed[-1] == MADE, "the others are made of it"
    assert list(engine.images) == ["mine/x", "labctl/y"]
    assert list(stays) == ["Docker's build cache"]


def test_what_was_kept_of_answers_goes_and_what_somebody_made_stays(engine, tmp_path, monkeypatch):
    for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    kept.note("question", "answer")
    inventory.add("a", "ssh://me@rack-1")
    Store(own_folder()).write("tcp", Progress(step="1"))
    why = {own_folder(): "mine"}
    for dry_run in (True, False):
        assert kept.answer("question") == "answer"
        found = machine.clean(engine=engine, dry_run=dry_run, staying=why)
        assert str(tmp_path / ".cache" / "labctl" / "compose") in [item.name for item in found if not item.stays]
        stays = {item.name: item.stays for item in found if item.stays}
        assert stays[str(tmp_path / ".local" / "state" / "labctl" / "lessons")] == "mine"
        assert "your list of machines" in stays[str(tmp_path / ".config" / "labctl" / "hosts.json")]
    assert kept.answer("question") is None
    assert not (tmp_path / ".cache" / "labctl").exists()
    assert list(inventory.load()) == ["a"]
    assert Store(own_folder()).read("tcp").step == "1"


def test_a_dry_run_removes_nothing(engine):
    before = dict(engine.images)
    removed, _ = clean(engine, dry_run=True)
    assert engine.images == before
    assert removed == clean(engine)[0]


def test_while_labs_are_there_it_is_refused(engine):
    engine.add("b", "n", state="exited")
    engine.add("a", "n")
    before = dict(engine.images)
    for dry_run in (False, True):
        with pytest.raises(LabError) as told:
            clean(engine, dry_run=dry_run)
        assert (told.value.code, told.value.values["labs"]) == ("labs-there", "a, b")
    assert engine.images == before


@pytest.mark.parametrize("dry_run", [False, True])
def test_by_force_all_goes_but_what_nodes_are_made_of(engine, dry_run, runtime):
    engine.add("a", "n", labels={COMPOSE_IMAGE: "id of labctl/echo-server"})
    lock = LabLock("a")
    assert lock.try_once()
    lock.close()
    removed, stays = clean(engine, force=True, dry_run=dry_run)
    assert stays["labctl/echo-server"] == "a node is made of it"
    assert PROBE_IMAGE in removed
    assert "labctl/echo-server" in engine.images
    assert (runtime / f"labctl-{os.getuid()}").is_dir()


class Using(MemoryEngine):
    """A container that Compose didn't make is made of one of its images."""

    def remove_image(self, image: str) -> None:
        if image == "labctl/echo-server":
            raise LabError("engine-refused", action="remove it", why="it is in use")
        super().remove_image(image)


def test_what_the_engine_refuses_stays_with_its_reason():
    engine = Using()
    for name in (PROBE_IMAGE, "labctl/echo-server"):
        engine.images[name] = Image(f"id of {name}", OURS)
    removed, stays = clean(engine)
    assert (removed, stays["labctl/echo-server"]) == ([PROBE_IMAGE], "it is in use")


def test_what_is_not_labctls_alone_is_told_with_what_removes_it(engine, runtime):
    engine.images[MADE] = Image(MADE, {})
    engine.images[OFFICIAL] = Image(OFFICIAL, {})
    removed, stays = clean(engine)
    assert MADE not in removed
    for name in (MADE, OFFICIAL):
        assert f"`docker rmi {name}`" in stays[name]
        assert name in engine.images


def test_the_folder_of_locks_goes_with_what_nobody_holds(engine, runtime):
    folder = runtime / f"labctl-{os.getuid()}"
    held = KeyboardLock("b", "c" * 64)
    for lock in (KeyboardLock("a", "c" * 64), LabLock("a"), held):
        assert lock.try_once()
        if lock is not held:
            lock.close()
    assert str(folder) not in clean(engine)[0]
    assert [path.name for path in folder.iterdir()] == ["b"]
    held.close()
    assert str(folder) in clean(engine, dry_run=True)[0]
    assert folder.is_dir()
    assert str(folder) in clean(engine)[0]
    assert not folder.exists()


def test_what_a_killed_compose_left_is_kept(engine, runtime):
    lock = LabLock("a")
    assert lock.try_once()
    lock.begin(["x"])
    lock.close()
    clean(engine)
    assert (runtime / f"labctl-{os.getuid()}" / "a" / "lab").read_text() == "composing\nx\n"


def test_wiresharks_folder_is_named(engine, runtime):
    from labctl.lab.recording import wireshark

    file = wireshark.install()
    assert f"rm {file}" in clean(engine)[1][str(file)]
    Path(file).write_text("somebody else's")
    assert str(file) not in clean(engine)[1]
