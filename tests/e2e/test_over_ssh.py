"""An engine on another machine, over ssh: Docker's client and labctl both run `ssh HOST docker system dial-stdio`.

Here a program that is named ssh does so on this machine, as late as a far one would, and says what ssh and dial-stdio
say on their standard errors. It is all that either of them knows of ssh.
"""

import os
import shutil

import pytest

pytestmark = pytest.mark.turn(2)

SSH = """#!/bin/sh
# What is asked for is always the same; for whom and with which options is told apart nowhere.
echo "Warning: Permanently added 'far' (ED25519) to the list of known hosts." >&2
sleep "$LATENCY"
unset DOCKER_HOST DOCKER_CONTEXT
{docker} system dial-stdio
echo 'level=error msg="CloseWrite: transport endpoint is not connected"' >&2
"""
NO_WAY = """#!/bin/sh
echo "user@far: Permission denied (publickey)." >&2
exit 255
"""


@pytest.fixture
def over_ssh(lab, tmp_path):
    """`over_ssh(*args)` is `labctl` on an engine over ssh, where a connection takes `latency` seconds."""

    def run(*args: str, program: str = SSH, latency: float = 0.0):
        ssh = tmp_path / "ssh"
        ssh.write_text(program.format(docker=shutil.which("docker")))
        ssh.chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        return lab.run(*args, DOCKER_HOST="ssh://user@far:2222", PATH=path, LATENCY=str(latency))

    return run


@pytest.mark.parametrize(
    "args",
    [
        ["ps"],
        ["logs", "-n", "3"],
        ["chat", "send", "alice", "over ssh"],
        ["exec", "bob", "--", "true"],
        ["fault", "ls"],
    ],
    ids=" ".join,
)
def test_over_ssh_as_here_and_without_its_noise(over_ssh, args):
    got = over_ssh(*args)
    assert got.returncode == 0, got
    assert not any(noise in got.stderr for noise in ("CloseWrite", "Warning", "bug")), got


def test_a_datagram_that_arrives_is_seen_however_long_the_way_to_the_engine_is(over_ssh):
    """Each connection takes most of the two seconds that `udp send` waits for the datagram itself."""
    got = over_ssh("udp", "send", "udp1", "udp2", "from afar", latency=0.8)
    assert (got.returncode, got.stderr) == (0, ""), got
    assert 'udp1 -> udp2  "from afar"' in got.stdout


def test_the_doctor_looks_at_an_engine_over_ssh(over_ssh):
    got = over_ssh("doctor")
    assert got.returncode == 0, got
    assert "ssh://user@far:2222 (DOCKER_HOST)" in got.stdout
    assert "NFQUEUE" in got.stdout
    assert "could not be looked at" not in got.stdout


def test_what_ssh_says_is_why_there_is_no_engine(over_ssh):
    got = over_ssh("ps", program=NO_WAY)
    assert got.returncode == 1
    where = "ssh://user@far:2222 (DOCKER_HOST)"
    assert got.stderr.startswith(
        f"labctl: no Docker engine answers at {where}: user@far: Permission denied (publickey).\n"
    )
