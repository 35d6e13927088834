"""Three machines with an engine each, for tests of labs that are on several (setup/machines.sh makes them).

A file of tests has them for itself: whoever else wants them waits. Machines that a user has (`make machines`) are taken
as they are, and stay; those that a run of tests made are gone at its end.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import overload

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "setup" / "machines.sh"
OUT = ROOT / "tests" / "out"
MADE = OUT / "machines-of-tests"  # there while the machines are ours to remove
LIMIT = 600.0  # seconds, where the image has to be made first


@dataclass(frozen=True)
class Machine:
    """`plain`, `tls` and `ssh` are the three addresses of its engine."""

    name: str
    address: str

    @property
    def plain(self) -> str:
        return f"tcp://{self.address}:2375"

    @property
    def tls(self) -> str:
        return f"tcp://{self.address}:2376"

    @property
    def ssh(self) -> str:
        return f"ssh://root@{self.address}"

    def run(self, *command: str, limit: float = 60) -> str:
        """What a command in the machine prints, without the last line's end."""
        docker = shutil.which("docker") or "docker"
        done = subprocess.run(
            [docker, "exec", self.name, *command], capture_output=True, text=True, timeout=limit, check=False
        )
        assert done.returncode == 0, f"{self.name}: {command}: {done}"
        return done.stdout.rstrip("\n")

    def docker(self, *arguments: str, limit: float = 60) -> str:
        """What the machine's own client prints."""
        return self.run("docker", *arguments, limit=limit)


@dataclass(frozen=True)
class Machines:
    """`certificates` holds ca.pem, cert.pem and key.pem; the `ssh` in the folder `path` knows the machines."""

    all: tuple[Machine, ...]
    certificates: Path
    path: Path

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.all)

    @overload
    def __getitem__(self, place: int) -> Machine: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Machine, ...]: ...

    def __getitem__(self, place: int | slice) -> Machine | tuple[Machine, ...]:
        return self.all[place]

    def apart(self) -> None:
        """None of them is in a swarm any more."""
        for machine in self.all:
            if machine.docker("info", "--format", "{{.Swarm.LocalNodeState}}") != "inactive":
                machine.docker("swarm", "leave", "--force")

    def facts(self) -> str:
        """What may tell why nothing comes from one to another over a network of the swarm, for a test that failed."""
        return "\n".join(f"--- {one.name}\n{one.run('sh', '-c', _FACTS)}" for one in self.all)


# Filters; the tunnels in the namespaces of overlays, and who is known there (ip-link(8), bridge(8)); the engine's log.
_FACTS = """
iptables -S; docker network ls
for space in /run/docker/netns/*; do
    echo "$space"
    nsenter --net="$space" sh -c 'ip -d -s link; ip neigh; bridge fdb show'
done
tail -n 40 /var/log/dockerd.log
exit 0
"""


@contextmanager
def held() -> Iterator[Machines]:
    """The machines, up, and nobody else's until the end of the block."""
    OUT.mkdir(exist_ok=True)
    with (OUT / "machines.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _there():
            MADE.touch()
        made = subprocess.run([SCRIPT, "up"], capture_output=True, text=True, timeout=LIMIT, check=False)
        assert made.returncode == 0, made
        keys = OUT / "machines"
        yield Machines(
            tuple(Machine(*line.split()[:2]) for line in made.stdout.splitlines()), keys / "tls", _ssh(keys.absolute())
        )


def take_down() -> None:
    """Removes the machines where a run of tests made them; the image stays, as those of other tests do. Where another
    run has them now, that one removes them."""
    if not MADE.exists():
        return
    with (OUT / "machines.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        subprocess.run([SCRIPT, "down"], timeout=LIMIT, check=True)
        MADE.unlink(missing_ok=True)


def _there() -> bool:
    docker = shutil.which("docker") or "docker"
    asked = [docker, "ps", "--all", "--quiet", "--filter", "label=dev.labctl.test-machines"]
    return bool(subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout.strip())


def _ssh(keys: Path) -> Path:
    """A folder with the ssh that is there, which reads the machines' settings instead of this user's."""
    folder = keys / "path"
    folder.mkdir(exist_ok=True)
    program = folder / "ssh"
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F "{keys}/ssh_config" "$@"\n')
    program.chmod(0o755)
    return folder


def is_worker() -> bool:
    """Whether others run tests at the same time, and somebody else ends the run."""
    return "PYTEST_XDIST_WORKER" in os.environ
