"""What a node's Python imports before it is ready: each start of each node of a lab pays for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[2] / "services"
# The router asks iproute2 before it is ready, and reads its JSON; a probe is no node.
OTHERS = ("probe", "router")
PROGRAMS = [
    file for file in SERVICES.glob("*/*.py") if "life.run(" in file.read_text() and file.parent.name not in OTHERS
]
# With regular expressions to compile, or as long to import as all that a node needs.
DEAR = {"argparse", "asyncio", "dataclasses", "h11", "inspect", "ipaddress", "json", "logging", "re", "typing"}
PATIENCE = 20.0  # seconds


def run(code: str, *folders: Path) -> str:
    """What a Python without anything of this environment says to `code`, which finds what is in some folders."""
    begin = f"import sys; sys.path[:0] = {[str(folder) for folder in (SERVICES / 'base', *folders)]}\n"
    command = [sys.executable, "-I", "-S", "-c", begin + code]
    return subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE, text=True).stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda file: file.stem)
def test_a_node_imports_nothing_dear_before_it_is_ready(program):
    found = run(f"import {program.stem}; print(*sys.modules)", program.parent).split()
    assert {"labnode.life", program.stem} <= set(found)
    assert not set(found) & DEAR


def test_an_envelope_is_refused_while_no_descriptor_is_left_to_read_it_with():
    said = run(r"""
import os, resource
from labnode.keyboard import Keyboard
reader, writer = os.pipe()
board, kept = Keyboard(reader), []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    while True:
        kept.append(os.dup(0))
except OSError:
    pass
for number in b"12":
    os.write(writer, b'\x1e{"text":"x","id":"%c"}\n' % number)
    board.read()
    os.close(kept.pop())
""")
    refused, typed = [json.loads(line) for line in said.splitlines()]
    assert (refused["event"], refused["error"], refused["call"]) == ("error", "EMFILE", "input")
    assert "Too many open files" in refused["reason"]
    assert (typed["event"], typed["id"]) == ("input", "2")
