"""Compose's normalised form as data; moving it to another subnet; labels on all that it makes."""

import ipaddress
import json
from pathlib import Path

import pytest

from labctl.engine.projects import Reading
from labctl.errors import LabError, nearest
from labctl.errors.tables import ERRORS
from labctl.lab.placing import placement
from labctl.lab.validate import validate
from labctl.topology import builtin
from labctl.topology.digest import digest
from labctl.topology.model import labelled, moved, parse
from labctl.topology.subnets import candidates

FILE = Path("lab.yaml")
TEXT = """
name: lab
x-labctl: {title: A lab}
services:
  web:
    image: labctl/http-hello
    build: {context: services}
    x-labctl: {movable_ports: true}
    depends_on: {db: {condition: service_healthy, required: true}, cache: {condition: service_started}}
    networks: {net: {ipv4_address: 10.77.0.2, ipv6_address: "fd00:77::2"}}
    ports:
      - {mode: ingress, host_ip: 127.0.0.1, target: 8080, published: "8080", protocol: tcp}
      - {mode: ingress, target: 53, protocol: udp}
  db: {image: postgres, networks: {net: null}, labels: {theirs: "1"}}
networks:
  net:
    name: lab_net
    enable_ipv6: true
    ipam: {config: [{subnet: 10.77.0.0/24, gateway: 10.77.0.1}, {subnet: "fd00:77::/64"}]}
    x-labctl: {movable: true}
  theirs: {name: theirs, external: true}
volumes: {data: {name: lab_data}}
"""


def test_a_file_as_data():
    found = parse(TEXT, FILE)
    web, db = found.members
    assert (found.name, found.title, web.builds, db.builds) == ("lab", "A lab", True, False)
    assert [(p.target, p.published, p.host, p.proto, p.movable) for p in web.ports] == [
        (8080, 8080, "127.0.0.1", "tcp", True),
        (53, None, "", "udp", True),
    ]
    assert web.waits_for_health_of == ("db",)
    assert [(net.key, net.movable, len(net.subnets)) for net in found.networks] == [
        ("net", True, 2),
        ("theirs", False, 0),
    ]


def test_words_that_compose_writes_without_quotes_are_text():
    """YAML 1.1 makes dates of some, even of days that no month has, and nothing at all of `=`."""
    values = "environment: {A: =, B: 2024-13-45, C: 2024-01-31, D: 0b_}, healthcheck: {test: [CMD, a, =, b]}"
    text = f"name: lab\nx-when: 2024-05-01T00:00:00Z\nservices: {{a: {{image: x, {values}}}}}\n"
    config = parse(text, FILE).config
    assert config["services"]["a"]["environment"] == {"A": "=", "B": "2024-13-45", "C": "2024-01-31", "D": "0b_"}
    assert json.loads(json.dumps(config)) == config
    assert config["x-when"] == "2024-05-01T00:00:00Z"
    assert validate("gone.yaml", lambda _: Reading(text)).problems, "it is read there in the same way"


@pytest.mark.parametrize("word", ["!!binary /w==", "!what a", "[", "\x01"])
def test_what_is_no_text_or_no_yaml_is_explained(word):
    text = f"name: lab\nservices: {{a: {{image: x, environment: {{A: {word}}}}}}}\n"
    with pytest.raises(LabError) as caught:
        parse(text, FILE)
    assert caught.value.code == "topology-invalid"
    assert validate("compose.yaml", lambda _: Reading(text), text="services: {a: {image: x}}").unasked


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            "title: A lab",
            "titel: A lab",
            "x-labctl at the top level knows title, description, links, outside, not titel",
        ),
        ("movable: true}", "movabel: true}", "x-labctl at network net knows movable, ipv4, one_machine, not movabel"),
        ("x-labctl: {title: A lab}", "x-labctl: yes", "x-labctl at the top level is no mapping"),
        ("10.77.0.0/24", "10.77.0.1/24", "network net: 10.77.0.1/24 has host bits set"),
    ],
)
def test_what_is_wrong_is_said(old, new, why):
    with pytest.raises(LabError) as caught:
        parse(TEXT.replace(old, new), FILE)
    assert caught.value.message == f"lab.yaml is not a usable topology: {why}"


def test_no_services_is_no_topology():
    with pytest.raises(LabError, match="it has no services"):
        parse("name: x", FILE)


def test_moving_keeps_each_address_in_its_place():
    config = parse(TEXT, FILE).config
    out = moved(config, "net", ipaddress.ip_network("10.77.0.0/24"), ipaddress.ip_network("10.99.5.0/24"))
    assert out["networks"]["net"]["ipam"]["config"] == [
        {"subnet": "10.99.5.0/24", "gateway": "10.99.5.1"},
        {"subnet": "fd00:77::/64"},
    ]
    assert out["services"]["web"]["networks"]["net"] == {"ipv4_address": "10.99.5.2", "ipv6_address": "fd00:77::2"}
    out = moved(out, "net", ipaddress.ip_network("fd00:77::/64"), ipaddress.ip_network("fd00:88::/64"))
    assert out["services"]["web"]["networks"]["net"]["ipv6_address"] == "fd00:88::2"
    assert config["networks"]["net"]["ipam"]["config"][0]["subnet"] == "10.77.0.0/24"  # the original is untouched


def test_all_that_is_made_is_labelled_and_nothing_else():
    out = labelled(parse(TEXT, FILE).config, {"dev.labctl.lab": "lab"}, "dev.labctl.node")
    assert out["services"]["db"]["labels"] == {"theirs": "1", "dev.labctl.lab": "lab", "dev.labctl.node": "db"}
    assert out["networks"]["net"]["labels"] == out["volumes"]["data"]["labels"] == {"dev.labctl.lab": "lab"}
    assert "labels" not in out["networks"]["theirs"]


def networks(*texts: str) -> list:
    return [ipaddress.ip_network(text) for text in texts]


def test_the_wished_subnet_comes_first_then_those_after_it():
    wished = ipaddress.ip_network("10.77.0.0/24")
    assert next(candidates(wished, [])) == wished
    assert str(next(candidates(wished, networks("10.77.0.0/16")))) == "10.78.0.0/24"
    assert str(next(candidates(wished, networks("10.77.0.128/25"), skip=1))) == "10.77.2.0/24"
    assert str(next(candidates(ipaddress.ip_network("10.255.255.0/24"), networks("10.255.255.0/24")))) == "10.0.0.0/24"
    assert str(next(candidates(wished, networks("10.0.0.0/8")))) == "172.16.0.0/24"
    private = networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    assert next(candidates(wished, private), None) is None
    assert str(next(candidates(ipaddress.ip_network("fd00:77::/64"), networks("fd00:77::/64")))) == "fd00:77:0:1::/64"
    # Not a private range: there is no telling where else it may go.
    assert list(candidates(ipaddress.ip_network("203.0.113.0/24"), networks("203.0.113.0/24"))) == []


def test_routes_are_read_from_the_kernels_table(tmp_path, monkeypatch):
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "tun0\t00004D0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    monkeypatch.setattr(placement, "ROUTES", table)
    monkeypatch.setattr(placement, "ROUTES_6", tmp_path / "none")
    assert [route.subnet for route in placement.host_routes()] == networks("10.77.0.0/16")
    table.unlink()
    assert placement.host_routes() == []


def test_topologies_are_found_by_path_folder_and_name(tmp_path):
    assert builtin.locate(None).name == "compose.yaml"
    assert builtin.locate("hello") == builtin.locate(None)
    file = tmp_path / "docker-compose.yml"
    file.write_text("services: {}")
    assert builtin.locate(str(tmp_path)) == file == builtin.locate(str(file))
    with pytest.raises(LabError, match="there is no topology helo; did you mean hello?"):
        builtin.locate("helo")


def test_a_digest_tells_sources_apart(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = digest(tmp_path)
    (tmp_path / "README.md").write_text("prose")
    assert digest(tmp_path) == first
    (tmp_path / "a.py").write_text("2")
    assert digest(tmp_path) != first


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_is_in_the_docs(code):
    text = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
    kind = ERRORS[code]
    assert f"### {code}\n\n{kind.meaning}\n\n    {kind.message}\n" in text
    assert not kind.hint or f"\n{kind.hint}\n".replace("{{", "{").replace("}}", "}") in text
    assert kind.message[-1] != "."


def test_near_names():
    assert nearest("alcie", ["alice", "bob"]) == "; did you mean alice?"
    assert nearest("zzz", ["alice"]) == ""
