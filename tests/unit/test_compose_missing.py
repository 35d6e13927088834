"""Why there is no Compose: told by what Docker's client says, whose words change from one to the next."""

import pytest

from labctl.engine.compose import plugin
from labctl.engine.compose.command import Compose
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import LabError

WARNING = "WARNING: Error loading config file: open /root/.docker/config.json: permission denied"
WORDS = [
    "docker: unknown command: docker compose",
    "unknown shorthand flag: 'f' in -f",
    "docker: 'compose' is not a docker command.\nSee 'docker --help'",
]


@pytest.fixture
def compose(tmp_path, monkeypatch):
    """`compose(words)` is Compose by a client that says that."""

    def make(words: str) -> Compose:
        (tmp_path / "words").write_text(words + "\n")
        (tmp_path / "docker").write_text(f"#!/bin/sh\ncat {tmp_path}/words >&2\nexit 1\n")
        (tmp_path / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
        monkeypatch.setattr(plugin, "_SYSTEM", ())  # this machine has one
        return Compose(Endpoint("unix:///var/run/docker.sock", "the default"))

    return make


@pytest.mark.parametrize("words", WORDS)
def test_the_home_of_another_user(compose, words, tmp_path):
    """The client then looks for no plugins, and says so as if there were none."""
    client = compose(f"{WARNING}\n{words}")
    for ask in (client.version, lambda: client.config(tmp_path / "compose.yaml")):
        with pytest.raises(LabError) as caught:
            ask()
        assert caught.value.code == "docker-config"
        assert "/root/.docker/config.json" in caught.value.message


@pytest.mark.parametrize("words", [WORDS[0], WORDS[2]])
def test_no_compose_at_all(compose, words, tmp_path):
    client = compose(words)
    for ask in (client.version, lambda: client.config(tmp_path / "compose.yaml")):
        with pytest.raises(LabError) as caught:
            ask()
        assert caught.value.code == "compose-missing"
