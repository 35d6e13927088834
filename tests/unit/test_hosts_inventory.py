"""The list of machines: what may stand in it, several who change it at once, and what becomes of a broken one."""

import json
import subprocess
import sys

import pytest

from labctl.engine.compose.command import Compose
from labctl.engine.hosts import inventory
from labctl.engine.hosts.host import Host
from labctl.errors import LabError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path / "labctl"


def refused(code, *args, **options) -> str:
    with pytest.raises(LabError) as caught:
        inventory.add(*args, **options)
    assert caught.value.code == code
    return caught.value.message


def test_without_a_file_there_are_none(folder):
    assert inventory.load() == {}
    assert not folder.exists()


def test_what_was_added_is_there_in_its_order_and_is_the_users_alone(folder):
    inventory.add("b", "ssh://me@rack-1:2222")
    inventory.add("a", "unix:///run/docker.sock")
    assert inventory.load() == {"b": Host("b", "ssh://me@rack-1:2222"), "a": Host("a", "unix:///run/docker.sock")}
    assert list(inventory.load()) == ["b", "a"]
    assert inventory.file() == folder / "hosts.json"
    assert (inventory.file().stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert inventory.remove("b").address == "ssh://me@rack-1:2222"
    assert list(inventory.load()) == ["a"]


def test_a_name_stands_for_one_machine():
    inventory.add("rack", "ssh://one")
    assert "ssh://one" in refused("host-there", "rack", "ssh://two")
    inventory.add("rack", "ssh://two", replace=True)
    assert inventory.load()["rack"].address == "ssh://two"
    with pytest.raises(LabError, match="no machine rak; did you mean rack"):
        inventory.remove("rak")
    with pytest.raises(LabError, match="no machine rac; did you mean rack"):
        inventory.chosen(["rac"])
    assert list(inventory.chosen([])) == list(inventory.chosen(["rack", "rack"])) == ["rack"]


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a,b", "a=b", "a b", "a" * 64, "ä", "a\n"])
def test_names_that_are_none(name):
    refused("host-name", name, "ssh://one")
    assert inventory.load() == {}


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("rack-1", "begins with none of"),
        ("http://rack-1", "begins with none of"),
        ("ssh://", "names no machine"),
        ("ssh://-oProxyCommand=x", "names no machine"),
        ("ssh://me:secret@rack-1", "can't hold a password"),
        ("ssh://rack-1/path", "nothing may follow"),
        ("tcp://rack-1", "a port is missing"),
        ("tcp://rack-1:99999", "Port out of range"),
        ("tcp://me@rack-1:2376", "can't hold a password"),
        ("unix://run/docker.sock", "whole path"),
        ("context:", "no name"),
        ("tcp://rack-1:" + "9" * 5000, "more than 2048"),
    ],
)
def test_addresses_that_are_none(address, why):
    assert why in refused("host-address", "rack", address)


def test_a_context_has_to_be_there():
    assert "the Docker context nowhere" in refused("engine-endpoint", "rack", "context:nowhere")
    inventory.add("here", "context:default")


def test_files_for_tls_stay_where_they_are_and_are_found_by_their_names(tmp_path, folder):
    files = {kind: tmp_path / f"my-{kind}" for kind in ("ca", "cert", "key")}
    for kind, path in files.items():
        path.write_text(kind)
    assert "--tls-ca" in refused("host-address", "rack", "tcp://rack-1:2376", ca=tmp_path / "none")
    assert "go together" in refused("host-address", "rack", "tcp://rack-1:2376", cert=files["cert"])
    assert "for tcp:// alone" in refused("host-address", "rack", "ssh://rack-1", **files)
    found = inventory.add("rack", "tcp://rack-1:2376", **files)
    assert inventory.load()["rack"] == found
    assert [(found.tls / f"{kind}.pem").read_text() for kind in files] == list(files)
    assert all((found.tls / f"{kind}.pem").is_symlink() for kind in files)
    inventory.remove("rack")
    assert sorted(path.name for path in folder.iterdir()) == ["hosts.json", "hosts.lock"]
    assert all(path.exists() for path in files.values())


def test_only_a_port_that_asks_nobody_who_he_is_is_open(tmp_path):
    assert Host("a", "tcp://rack-1:2375").is_open
    assert not Host("a", "tcp://rack-1:2376", tmp_path).is_open
    assert not Host("a", "ssh://rack-1").is_open
    assert not Host("a", "tcp://127.0.0.1:2375").is_open


def test_dockers_own_client_is_told_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    (tmp_path / "ca").write_text("")
    inventory.add("open", "ssh://me@rack-1")
    inventory.add("secured", "tcp://rack-1:2376", ca=tmp_path / "ca")
    for name, verify in (("open", ""), ("secured", "1")):
        engine = inventory.connect(inventory.load()[name])
        assert engine.where.endswith(f"(the host {name})")
        _, told = Compose(engine.endpoint).client(["ps"])
        assert (told["DOCKER_HOST"], told["DOCKER_TLS_VERIFY"]) == (inventory.load()[name].address, verify)
    assert told["DOCKER_CERT_PATH"] == str(inventory.load()["secured"].tls)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "isn't what `labctl hosts add` writes"),
        ("[]", "isn't what"),
        ('{"schema_version": 1, "hosts": [1]}', "isn't what"),
        ('{"schema_version": 1, "hosts": {"a": {}}}', "isn't what"),
        ("[" * 100_000, "isn't what"),
        ('{"schema_version": 2, "hosts": {}}', "it has version 2, and this labctl knows 1"),
    ],
)
def test_a_file_that_is_none_is_told_and_left_as_it_is(folder, text, why):
    folder.mkdir()
    inventory.file().write_text(text)
    with pytest.raises(LabError, match=why) as caught:
        inventory.load()
    assert caught.value.code == "hosts-file"
    refused("hosts-file", "a", "ssh://one")
    assert inventory.file().read_text() == text


def test_a_folder_that_can_not_be_written_to(folder):
    folder.parent.joinpath("labctl").write_text("")
    assert "hosts.json" in refused("hosts-file", "a", "ssh://one")


def test_of_several_who_change_it_at_once_nobody_is_lost(folder):
    program = "import sys; from labctl.engine.hosts import inventory; inventory.add(sys.argv[1], 'ssh://one')"
    adding = [subprocess.Popen([sys.executable, "-c", program, f"h{number}"]) for number in range(6)]
    assert [child.wait(60) for child in adding] == [0] * 6
    assert sorted(inventory.load()) == [f"h{number}" for number in range(6)]
    assert json.loads(inventory.file().read_text())["schema_version"] == 1
