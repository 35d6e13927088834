"""A role is its program's: which services and containers have the role of their image, and which run something else."""

import pytest

from labctl.engine.memory import MemoryEngine
from labctl.engine.model import Container, Image
from labctl.lab.drawing.role_labels import role_of
from labctl.lab.model import find, of_containers

ROLE, PROGRAM = "dev.labctl.role", "dev.labctl.program"
OURS = Image("1", {ROLE: "echo", PROGRAM: "/opt/node/echo_server.py"}, command=("python3", "/opt/node/echo_server.py"))
# Somebody's image that keeps the contract.
THEIRS = Image("2", {ROLE: "echo"}, command=("/srv/echo",))
WITH_ENTRYPOINT = Image("3", {ROLE: "echo"}, entrypoint=("/srv/echo",), command=("--port", "7"))
# Built on ours, with a command of its own.
BUILT = Image("4", OURS.labels, command=("python3", "/app/server.py"))


@pytest.mark.parametrize(
    ("image", "service", "role"),
    [
        (OURS, {}, "echo"),
        (OURS, {"command": None, "entrypoint": None}, "echo"),
        (OURS, {"command": ["python3", "-u", "/opt/node/echo_server.py"]}, "echo"),
        (OURS, {"command": ["python3", "/app/server.py"]}, None),
        (OURS, {"entrypoint": ["/bin/sleep"], "command": ["1000"]}, None),
        (OURS, {"entrypoint": ["/app/server"]}, None),
        (BUILT, {}, None),
        (THEIRS, {}, "echo"),
        (THEIRS, {"command": ["/srv/echo"]}, "echo"),
        (THEIRS, {"command": ["/srv/other"]}, None),
        (WITH_ENTRYPOINT, {"command": ["--port", "9"]}, "echo"),
        (WITH_ENTRYPOINT, {"entrypoint": ["/srv/other"]}, None),
        (Image("5", {}), {"command": ["x"]}, None),
    ],
)
def test_a_role_is_its_programs(image, service, role):
    assert role_of(service, image) == role


@pytest.mark.parametrize(
    ("command", "role"),
    [("python3 /opt/node/echo_server.py", "echo"), ("python3 /app/server.py", None), ("", "echo")],
)
def test_a_container_that_runs_another_command_has_no_role(command, role):
    found = Container("1", "lab-a-1", "x", "running", OURS.labels, command=command)
    assert of_containers("lab", [found]).node("lab-a-1").role == role


def test_an_empty_role_is_none():
    engine = MemoryEngine()
    made = engine.add("lab", "a")
    made.record.labels[ROLE] = ""  # type: ignore[index]
    assert find(engine, "lab").node("a").role is None
