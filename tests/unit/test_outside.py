"""A lab without a way outside: what is asked for in the file, or by whoever brings it up."""

from pathlib import Path

import pytest

from labctl.engine.memory import MemoryEngine
from labctl.errors import LabError
from labctl.lab.placing.blueprint import _notes
from labctl.lab.placing.placement import place_networks
from labctl.topology import builtin
from labctl.topology.check.reading.source import parse as parse_source
from labctl.topology.check.whole import check
from labctl.topology.model import parse

SERVICES = "name: lab, services: {a: {image: x, networks: {own: null}}}"
NETWORKS = "networks: {own: {name: lab_own}, theirs: {name: theirs, external: true}, default: null}"


def internal(head: str = "", **options) -> dict[str, bool]:
    found = parse(f"{{{head}{SERVICES}, {NETWORKS}}}", Path("lab.yaml"), **options)
    for net in found.networks:
        assert net.internal == bool((found.config["networks"][net.key] or {}).get("internal"))
    return {net.key: net.internal for net in found.networks}


OPEN = {"own": False, "theirs": False, "default": False}
CLOSED = {"own": True, "theirs": False, "default": True}


@pytest.mark.parametrize(
    ("head", "options", "found"),
    [
        ("", {}, OPEN),
        ("x-labctl: {outside: true}, ", {}, OPEN),
        ("x-labctl: {outside: null}, ", {}, OPEN),
        ("x-labctl: {outside: false}, ", {}, CLOSED),
        ("", {"isolated": True}, CLOSED),
        ("x-labctl: {outside: true}, ", {"isolated": True}, CLOSED),
    ],
)
def test_its_own_networks_are_internal_and_no_others(head, options, found):
    assert internal(head, **options) == found


def test_a_network_that_is_there_stays_as_it_was_made():
    """The engine can't change that, and Compose says nothing: so it is told."""
    engine = MemoryEngine()
    engine.add("lab", "a", addresses={"lab_own": ("10.5.0.2",), "theirs": ("10.6.0.2",)})
    text = f"{{{SERVICES}, {NETWORKS}}}"
    for isolated in (False, True):
        found = parse(text, Path("lab.yaml"), isolated=isolated)
        if not isolated:
            place_networks(found, engine, found.config, 0, {})
            continue
        with pytest.raises(LabError) as caught:
            place_networks(found, engine, found.config, 0, {})
        assert caught.value.message == "the network lab_own is there already, with a way outside"


def test_who_brings_it_up_is_told_what_is_open_all_the_same(tmp_path):
    file = tmp_path / "lab.yaml"
    file.write_text("services: {}")
    services = "{a: {image: x, network_mode: host}, b: {image: x, network_mode: bridge}, c: {image: x}}"
    networks = "{own: {name: lab_own}, theirs: {name: theirs, external: true}}"
    text = f"{{name: lab, services: {services}, networks: {networks}}}"
    said = "not all of this lab is without a way outside: "
    for isolated in (True, False):
        notes = list(_notes(parse(text, file, isolated=isolated), builtin.Source(file), named=True))
        open_ = "a (network_mode: host), b (network_mode: bridge), theirs (external)"
        assert notes == ([said + open_] if isolated else [])


def test_what_is_open_all_the_same_is_said():
    text = """
x-labctl: {outside: false}
services:
  a: {image: x, network_mode: host}
  b: {image: x, ports: ["8080:80"]}
  c: {image: x, networks: [theirs, own]}
networks:
  own: {}
  theirs: {external: true}
"""
    found = [(str(one.place.line), one.code, one.level, one.message) for one in check(parse_source(text), [Path("/x")])]
    said = "though `x-labctl: {outside: false}` stands at the top"
    assert found == [
        ("4", "outside-open", "warning", f"service a, network_mode: network_mode: host leads outside, {said}"),
        ("5", "outside-open", "warning", f"service b, ports: ports are published in vain, {said}"),
        ("9", "outside-open", "warning", f"network theirs: this network is external, {said}"),
    ]
    assert not list(check(parse_source(text.replace("outside: false", "outside: true")), [Path("/x")]))
