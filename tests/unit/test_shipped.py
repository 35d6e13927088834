"""What comes with labctl and labs are made of: found in a checkout and in an installed labctl, and missed by name."""

import shutil
from pathlib import Path

import pytest

from labctl.errors import LabError
from labctl.errors.tables import ERRORS
from labctl.topology import builtin, shipped

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
        builtin.digest(tmp_path / "services")
    assert told.value.code == "files-missing"


@pytest.mark.parametrize("code", ERRORS)
def test_no_hint_needs_a_checkout(code):
    """What `make` does is told beside what can be typed without one."""
    assert "`make" not in ERRORS[code].hint.replace("in a checkout `make", "")
    assert "setup/" not in ERRORS[code].hint
