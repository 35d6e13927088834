"""What comes with labctl and labs are made of: found in a checkout and in an installed labctl, and missed by name."""

import shutil
from pathlib import Path

import pytest

from labctl.engine.model import LABEL_ROLE, LABEL_SOURCE, Image
from labctl.errors import LabError
from labctl.errors.tables import ERRORS
from labctl.lab.images import needed
from labctl.lab.placing import blueprint as blueprints
from labctl.topology import builtin, shipped
from labctl.topology.digest import digest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of labctl elsewhere, with nothing beside it."""
    found = tmp_path / "site packages" / "labctl"
    found.mkdir(parents=True)
    monkeypatch.setattr(shipped, "PACKAGE", found)
    return found


def filled(folder: Path) -> Path:
    for name in shipped.NAMES:
        (folder / name).mkdir(parents=True)
    return folder


def test_a_checkout_has_it_beside_the_package():
    assert shipped.root() == ROOT
    assert not shipped.is_installed()


def test_an_installed_labctl_has_it_inside(package):
    filled(package.parent)  # of somebody else
    assert shipped.root() == package.parent
    filled(package / "data")
    assert shipped.root() == package / "data"
    assert shipped.is_installed()


@pytest.mark.parametrize("name", shipped.NAMES)
def test_what_is_missing_is_named(package, name):
    shutil.rmtree(filled(package / "data") / name)
    for ask in (shipped.root, builtin.names, lambda: builtin.find(None), lambda: builtin.find("line:3")):
        with pytest.raises(LabError, match="what labs are made of is missing") as told:
            ask()
        assert told.value.code == "files-missing"
        assert told.value.values["path"] == package / "data" / name


def test_a_folder_that_is_not_there_has_no_digest(tmp_path):
    with pytest.raises(LabError) as told:
        digest(tmp_path / "services")
    assert told.value.code == "files-missing"


@pytest.mark.parametrize("code", ERRORS)
def test_no_hint_needs_a_checkout(code):
    """What `make` does is told beside what can be typed without one."""
    assert "`make" not in ERRORS[code].hint.replace("in a checkout `make", "")
    assert "setup/" not in ERRORS[code].hint


def test_own_images_that_a_file_only_names_are_built(engine, tmp_path):
    """No registry is asked: what it had under such a name would be somebody else's."""
    engine.pull = engine.registry_answers = lambda *_: pytest.fail("a registry was asked")
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: labctl/udp-peer}, b: {image: labctl/udp-peer}, c: {image: mine/c}}")
    engine.images |= {"mine/c": Image("c", {}), "debian:trixie-slim": Image("d", {})}
    said: list[str] = []
    blueprint = blueprints.read(engine, str(file))
    found = needed.ensure(engine, blueprint, said.append, again=False, limit=60)
    assert said == ["building udp-peer"]
    wanted = digest(ROOT / "services", without="probe")
    assert found["a"].labels == found["b"].labels
    assert (found["a"].labels[LABEL_ROLE], found["a"].labels[LABEL_SOURCE]) == ("udp", wanted)


@pytest.mark.parametrize(
    "name", ["labctl/udp-peer:1", "labctl/base", "labctl/other", "other/udp-peer", "labctl/test-a"]
)
def test_what_only_sounds_like_labctls_is_pulled(engine, tmp_path, name):
    file = tmp_path / "compose.yaml"
    file.write_text(f"services: {{a: {{image: '{name}'}}}}")
    said: list[str] = []
    needed.ensure(engine, blueprints.read(engine, str(file)), said.append, again=False, limit=60)
    assert said == [f"pulling {name}"]
