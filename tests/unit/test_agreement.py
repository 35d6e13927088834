"""What labctl and the programs in containers both know, and can't import from each other: it is the same."""

import ast
from pathlib import Path

import capture_tell
import labcapture
import pytest
from hypothesis import given, strategies
from labcapture import listener, pcapng
from labreach.speed import wire

from labctl.errors import LabError
from labctl.lab import probes
from labctl.lab.processes import sockets, syscalls
from labctl.lab.reach import datagram, probe, speed
from labctl.lab.recording import recorders
from labctl.packets.matching import taps
from labctl.packets.protocols import link
from labnode import names

SERVICES = Path(__file__).parents[2] / "services"


def constants(file: str) -> dict:
    """The literal values that a program gives names to, without running it."""
    found = {}
    for statement in ast.parse((SERVICES / file).read_text()).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue
    return found


def test_taps_and_the_recorders_own_word():
    assert (taps.IN, taps.OUT, taps.LEFT, taps.SENT) == (
        labcapture.IN,
        labcapture.OUT,
        labcapture.LEFT,
        labcapture.SENT,
    )
    assert taps.STATE == labcapture.STATE
    assert (link.ETHERNET, link.RAW) == (pcapng.ETHERNET, pcapng.RAW)


def test_exit_statuses_of_what_tells_are_explained():
    assert {capture_tell.NOBODY, capture_tell.TOO_SLOW} <= recorders._ENDS.keys()
    assert f"{listener.BEHIND >> 20} MiB" in recorders._ENDS[capture_tell.TOO_SLOW]


def test_programs_of_probes_are_there():
    kinds = [probes.FAULTS, probes.CAPTURE, probes.PROCESSES, probe.REACH]
    files = [kind.program for kind in kinds]
    files += [Path(command[1]).name for command in (recorders.TELL, sockets.PROGRAM, syscalls.PROGRAM)]
    assert [name for name in files if not (SERVICES / "probe" / name).is_file()] == []


def test_the_probe_of_processes_is_spoken_to_where_it_listens():
    assert constants("probe/process_probe.py")["ADDRESS"] == constants("probe/labprocess/asking.py")["ADDRESS"]


def test_a_datagram_of_a_measurement_holds_its_head():
    assert wire.HEAD.size <= speed.SMALLEST


@pytest.mark.parametrize(
    "text",
    [
        *("bob:7", "10.0.0.1:65535", "[fd00::1]:80", "fd00::1:80", "bob", ":7", "bob:", "bob:0", "bob:65536"),
        *("[]:7", "bob:007", "bob:0000007", "bob:+7", "bob:\N{ARABIC-INDIC DIGIT SEVEN}"),
    ],
)
def test_host_and_port_are_read_alike(text):
    assert _labctl(text) == _node(text)


@given(strategies.text("ab:[]0179.", max_size=12))
def test_host_and_port_are_read_alike_whatever_is_typed(text):
    """But for a name in brackets, which labctl takes for the name: a node gets an address from it."""
    found, theirs = _labctl(text), _node(text)
    assert found == theirs or (theirs is None and found is not None and text.startswith(f"[{found[0]}]:"))


def _labctl(text: str) -> tuple[str, int] | None:
    try:
        return datagram.host_and_port(text, "TO")
    except LabError:
        return None


def _node(text: str) -> tuple[str, int] | None:
    try:
        return names.split(text)
    except ValueError:
        return None
