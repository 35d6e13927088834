"""The machines of the tests themselves: each is a whole engine, reached in three ways, and knows nobody's images."""

import os
import subprocess

import pytest

pytestmark = pytest.mark.machines


def version(**variables: str) -> str:
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(
        asked, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_each_engine_is_reached_in_three_ways(machines):
    path = f"{machines.path}:{os.environ['PATH']}"
    first, second, third = machines
    plain = version(DOCKER_HOST=first.plain)
    tls = version(DOCKER_HOST=second.tls, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(machines.certificates))
    ssh = version(DOCKER_HOST=third.ssh, PATH=path)
    assert plain == tls == ssh != ""
    with pytest.raises(subprocess.CalledProcessError):
        version(DOCKER_HOST=second.tls, DOCKER_TLS="1", DOCKER_CERT_PATH=str(machines.path))
