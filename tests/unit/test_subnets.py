"""Subnets that a person chose: which network each is for, and why one can't be had."""

import ipaddress
import json
import socket
from pathlib import Path

import pytest

from labctl.engine.docker import inspected
from labctl.engine.memory import MemoryEngine
from labctl.engine.model import COMPOSE_PROJECT, LABEL_LAB, Port
from labctl.errors import LabError
from labctl.lab.life.up import ATTEMPTS, _left_out
from labctl.lab.placing import blueprint, placement
from labctl.lab.placing.placement import host_routes, place_networks, place_ports, published
from labctl.lab.placing.subnets import choose
from labctl.topology.model import moved, parse

TEXT = """
name: lab
services:
  a: {image: x, networks: {left: {ipv4_address: 10.1.0.20}}}
  b: {image: x, scale: 10, networks: {right: null}}
  r: {image: x, networks: {left: {ipv4_address: 10.1.0.2}, right: {ipv4_address: 10.2.0.2, ipv6_address: "fd02::2"}}}
networks:
  left: {name: lab_left, ipam: {config: [{subnet: 10.1.0.0/24}]}, x-labctl: {movable: true}}
  right:
    name: lab_right
    enable_ipv6: true
    ipam: {config: [{subnet: 10.2.0.0/24}, {subnet: "fd02::/64"}]}
    x-labctl: {movable: true}
  fixed: {name: lab_fixed, ipam: {config: [{subnet: 10.3.0.0/24}]}}
"""


def topology():
    return parse(TEXT, Path("lab.yaml"))


def chosen(*texts: str) -> dict[str, str]:
    return {f"{key} {old}": str(new) for (key, old), new in choose(topology(), texts).items()}


@pytest.fixture(autouse=True)
def no_routes(monkeypatch, tmp_path):
    monkeypatch.setattr(placement, "ROUTES", tmp_path / "route")
    monkeypatch.setattr(placement, "ROUTES_6", tmp_path / "ipv6_route")
    return tmp_path


def test_bare_ones_are_for_the_networks_in_order_and_named_ones_for_theirs():
    assert chosen() == {}
    assert chosen("10.8.0.0/24") == {"left 10.1.0.0/24": "10.8.0.0/24"}
    both = {"left 10.1.0.0/24": "10.8.0.0/24", "right 10.2.0.0/24": "10.9.0.0/20"}
    assert chosen("10.8.0.0/24", "10.9.0.0/20") == both
    assert chosen("10.8.0.0/24", "right=10.9.0.0/20") == chosen("right=10.9.0.0/20", "left=10.8.0.0/24") == both
    # The only movable IPv6 subnet there is.
    assert chosen("fd77::/64") == chosen("right=fd77::/64") == {"right fd02::/64": "fd77::/64"}


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["10.8.0.0"], "10.8.0.0 is an address, and no subnet"),
        (["somewhere"], "'somewhere' is no subnet"),
        (["10.8.0.0/33"], "'10.8.0.0/33' is no subnet"),
        (["10.8.0.7/24"], "'10.8.0.7/24' is no subnet; 10.8.0.0/24 is meant, perhaps"),
        (["224.0.0.0/8"], "no node can have an address in 224.0.0.0/8, which is reserved for other things"),
        (["middle=10.8.0.0/24"], "there is no network middle (movable: left, right)"),
        (["fixed=10.8.0.0/24"], "the network fixed is not marked `x-labctl: {movable: true}` (movable: left, right)"),
        (["left=fd77::/64"], "the network left has no movable IPv6 subnet"),
        (["10.7.0.0/24", "10.8.0.0/24", "10.9.0.0/24"], "lab has no movable IPv4 subnet left"),
        (["10.3.0.128/25"], "it overlaps with 10.3.0.0/24 of the network fixed"),
        (["10.8.0.0/24", "10.8.0.0/16"], "it overlaps with 10.8.0.0/24 of the network left"),
        (["10.8.0.0/29"], "10.8.0.0/29 is too small: a has address 20 of the network left, which takes a /27 at least"),
        (
            ["right=10.8.0.0/29"],
            "10.8.0.0/29 is too small: 11 nodes are on the network right, which takes a /28 at least",
        ),
        (["fd77::/126"], "fd77::/126 is too small: 11 nodes are on the network right, which takes a /124 at least"),
    ],
)
def test_what_cannot_be_is_said(texts, why):
    with pytest.raises(LabError) as caught:
        chosen(*texts)
    assert caught.value.code == "bad-subnet"
    assert caught.value.message == f"--subnet {texts[-1]}: {why}"


def test_the_smallest_subnet_that_will_do():
    """11 nodes, the network's own address, the gateway and the broadcast address: 14 of 16."""
    assert chosen("right=10.8.0.0/28") == {"right 10.2.0.0/24": "10.8.0.0/28"}


@pytest.mark.parametrize(
    ("pool", "hosts", "what", "prefix"),
    [
        ("gateway: 10.1.0.254", "", "the gateway has address 254", 24),
        ("aux_addresses: {printer: 10.1.0.100}", "", "aux_addresses.printer has address 100", 25),
        ("ip_range: 10.1.0.64/26", "", "ip_range has address 126", 25),
        ("ip_range: 10.1.0.128/25", "", "ip_range has address 254", 24),
        ("aux_addresses: {odd: nowhere}", "printer=10.1.0.20", "a host that a knows has address 20", 27),
    ],
)
def test_what_else_has_its_place_in_a_network(pool, hosts, what, prefix):
    service = f"{{image: x, networks: {{n: null}}, extra_hosts: [{hosts}]}}"
    network = f"{{name: lab_n, ipam: {{config: [{{subnet: 10.1.0.0/24, {pool}}}]}}{MOVABLE}}}"
    found = parse(f"{{name: lab, services: {{a: {service}}}, networks: {{n: {network}}}}}", Path("lab.yaml"))
    with pytest.raises(LabError) as caught:
        choose(found, [f"10.9.0.0/{prefix + 1}"])
    assert caught.value.message.endswith(f"too small: {what} of the network n, which takes a /{prefix} at least")
    placed = place_networks(found, MemoryEngine(local=True), found.config, 0, choose(found, [f"10.9.0.0/{prefix}"]))
    assert placed["networks"]["n"]["ipam"]["config"][0]["subnet"] == f"10.9.0.0/{prefix}"


def place(engine: MemoryEngine, *texts: str) -> dict[str, str]:
    found = topology()
    out = place_networks(found, engine, found.config, 0, choose(found, texts))
    return {key: net["ipam"]["config"][0]["subnet"] for key, net in out["networks"].items()}


def test_a_chosen_subnet_is_taken_as_it_is_and_the_rest_moves():
    engine = MemoryEngine(local=True)
    engine.add("theirs", "x", addresses={"theirs_net": ("10.2.0.9",)}, ours=False)
    engine.subnets("theirs_net", "10.2.0.0/24")
    assert place(engine, "10.8.0.0/22") == {"left": "10.8.0.0/22", "right": "10.2.1.0/24", "fixed": "10.3.0.0/24"}
    out = moved(topology().config, "left", ipaddress.ip_network("10.1.0.0/24"), ipaddress.ip_network("10.8.0.0/22"))
    assert out["services"]["a"]["networks"]["left"] == {"ipv4_address": "10.8.0.20"}


@pytest.mark.parametrize(
    ("labels", "whose"),
    [
        ({LABEL_LAB: "other", COMPOSE_PROJECT: "other"}, " of the lab other"),
        ({COMPOSE_PROJECT: "shop"}, " of the Compose project shop"),
        ({}, ""),
    ],
)
def test_one_that_is_taken_is_told_with_its_owner(labels, whose):
    engine = MemoryEngine(local=True)
    engine.add("other", "x", addresses={"a_net": ("10.8.7.9",)}, ours=False)
    engine.subnets("a_net", "10.8.0.0/16")
    engine.networks()[0].labels.update(labels)
    with pytest.raises(LabError) as caught:
        place(engine, "10.8.4.0/24")
    assert caught.value.code == "subnet-taken"
    assert caught.value.message == (
        f"the subnet 10.8.4.0/24 of the network lab_left overlaps with the network a_net{whose} (10.8.0.0/16)"
    )


def test_a_route_of_this_machine_is_in_the_way(no_routes):
    (no_routes / "route").write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "tun0\t0000080A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    zero = "0" * 32
    (no_routes / "ipv6_route").write_text(
        f"fd770000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 tun1\n"
        f"fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 tun1\n"
        f"{zero} 00 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0\n"
    )
    assert [(str(subnet), name) for subnet, name, _ in host_routes()] == [
        ("10.8.0.0/16", "tun0"),
        ("fd77::/64", "tun1"),
    ]
    for text, route in (("10.8.4.0/24", "10.8.0.0/16 (tun0)"), ("fd77::/48", "fd77::/64 (tun1)")):
        with pytest.raises(LabError, match=r"overlaps with this machine's route to") as caught:
            place(MemoryEngine(local=True), text)
        assert caught.value.message.endswith(route)


def test_a_network_that_is_there_keeps_its_subnet():
    engine = MemoryEngine(local=True)
    engine.add("lab", "a", addresses={"lab_left": ("10.5.0.20",)})
    engine.subnets("lab_left", "10.5.0.0/24")
    assert place(engine)["left"] == place(engine, "10.5.0.0/24")["left"] == "10.5.0.0/24"
    with pytest.raises(LabError) as caught:
        place(engine, "10.6.0.0/24")
    assert caught.value.message == (
        "--subnet 10.6.0.0/24: the network lab_left is there already, on 10.5.0.0/24; `labctl down` removes it"
    )


def test_moving_takes_ranges_and_kept_addresses_along():
    text = TEXT.replace(
        "{subnet: 10.1.0.0/24}", "{subnet: 10.1.0.0/24, ip_range: 10.1.0.128/25, aux_addresses: {host: 10.1.0.9}}"
    )
    out = moved(
        parse(text, Path("lab.yaml")).config,
        "left",
        ipaddress.ip_network("10.1.0.0/24"),
        ipaddress.ip_network("10.8.0.0/24"),
    )
    assert out["networks"]["left"]["ipam"]["config"] == [
        {"subnet": "10.8.0.0/24", "ip_range": "10.8.0.128/25", "aux_addresses": {"host": "10.8.0.9"}}
    ]


HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def route(subnet: str, interface: str, flags: str = "0001") -> str:
    """A line of /proc/net/route."""
    net = ipaddress.ip_network(subnet)
    words = [int(net.network_address).to_bytes(4, "big")[::-1].hex(), int(net.netmask).to_bytes(4, "big")[::-1].hex()]
    return f"{interface}\t{words[0]}\t00000000\t{flags}\t0\t0\t0\t{words[1]}\t0\t0\t0\n"


def placed(text: str, engine: MemoryEngine | None = None, attempt: int = 0, **options) -> list[str]:
    found = parse(text, Path("lab.yaml"))
    out = place_networks(found, engine or MemoryEngine(local=True), found.config, attempt, {}, **options)
    return [pool["subnet"] for net in out["networks"].values() for pool in net["ipam"]["config"]]


def one_network(subnet: str, more: str = "") -> str:
    network = f"{{name: lab_lab, ipam: {{config: [{{subnet: '{subnet}'}}]}}{more}}}"
    return f"{{name: lab, services: {{a: {{image: x, networks: {{lab: null}}}}}}, networks: {{lab: {network}}}}}"


MOVABLE = ", x-labctl: {movable: true}"


@pytest.mark.parametrize(
    ("routes", "subnet", "where"),
    [
        (["10.0.0.0/8"], "10.77.0.0/24", "172.16.0.0/24"),  # a VPN of the usual kind
        (["10.0.0.0/8", "172.16.0.0/12"], "10.77.0.0/24", "192.168.0.0/24"),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], "10.77.0.0/24", "100.64.0.0/24"),
        (["192.168.0.0/16"], "192.168.7.0/24", "10.0.0.0/24"),
        (["10.64.0.0/10"], "10.77.0.0/24", "10.128.0.0/24"),
        (["10.77.0.0/16", "10.128.0.0/9"], "10.77.0.0/24", "10.78.0.0/24"),
        (["10.77.0.0/24", "10.77.1.5/32"], "10.77.0.0/24", "10.77.2.0/24"),
        (["0.0.0.0/1", "128.0.0.0/1"], "10.77.0.0/24", "10.77.0.0/24"),  # a default route in two pieces
    ],
)
def test_movable_networks_go_where_no_route_leads(no_routes, routes, subnet, where):
    (no_routes / "route").write_text(HEAD + "".join(route(text, "tun0") for text in routes))
    assert placed(one_network(subnet, MOVABLE)) == [where]
    assert placed(one_network(subnet, MOVABLE), allow_overlap=True) == [subnet]


def test_a_class_that_begins_at_the_same_moment_finds_places_for_all():
    """Thirty see the same networks each time, and the engine gives each subnet to one of those who ask for it."""
    waiting, engine = 30, MemoryEngine(local=True)
    for attempt in range(ATTEMPTS):
        asked = {placed(one_network("10.77.0.0/24", MOVABLE), engine, _left_out(attempt))[0] for _ in range(waiting)}
        for subnet in asked:
            engine.add("theirs", "x", addresses={subnet: ()})
            engine.subnets(subnet, subnet)
        waiting -= len(asked)
    assert waiting == 0


def test_networks_of_one_lab_do_not_move_to_the_same_place(no_routes):
    (no_routes / "route").write_text(HEAD + route("10.77.0.0/16", "tun0"))
    text = "{name: lab, services: {a: {image: x, networks: {a: null, b: null, c: null}}}, networks: {"
    text += "a: {ipam: {config: [{subnet: 10.77.1.0/24}]}, x-labctl: {movable: true}}, "
    text += "b: {ipam: {config: [{subnet: 10.77.2.0/24}]}, x-labctl: {movable: true}}, "
    text += "c: {ipam: {config: [{subnet: 10.78.0.0/24}]}}}}"
    assert placed(text) == ["10.78.1.0/24", "10.78.2.0/24", "10.78.0.0/24"]


def test_where_few_are_free_none_is_passed_over():
    engine = MemoryEngine(local=True)
    engine.add("theirs", "x", addresses={"net": ()})
    engine.subnets("net", "10.0.0.0/9", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    assert placed(one_network("10.128.0.0/9", MOVABLE), engine, 60) == ["10.128.0.0/9"]


def test_the_other_family_moves_out_of_the_way_as_well(no_routes):
    zero = "0" * 32
    (no_routes / "ipv6_route").write_text(
        f"fd000000000000000000000000000000 09 {zero} 00 {zero} 00000100 00000001 00000000 00000001 tun1\n"
    )
    assert placed(one_network("fd01::/64", f", enable_ipv6: true{MOVABLE}")) == ["fd80::/64"]


def test_who_is_in_the_way_everywhere_is_told(no_routes):
    ranges = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
    (no_routes / "route").write_text(HEAD + "".join(route(text, f"tun{text[:2]}") for text in ranges))
    with pytest.raises(LabError) as caught:
        placed(one_network("10.77.0.0/24", MOVABLE))
    assert caught.value.code == "no-subnet"
    assert "this machine's route to 10.0.0.0/8 (tun10), this machine's route to 100.64.0.0/10 (tun10)" in str(
        caught.value
    )
    assert caught.value.hint.startswith("choose one by --subnet lab=CIDR; --allow-overlap ")


@pytest.mark.parametrize("more", ["", MOVABLE])
@pytest.mark.parametrize("lan", ["192.168.7.0/24", "192.168.0.0/16", "192.168.7.128/25"])
def test_the_machines_own_network_is_not_taken_from_it(no_routes, more, lan):
    (no_routes / "route").write_text(HEAD + route(lan, "wlan0"))
    text = one_network("192.168.7.0/24", more)
    if more:
        assert placed(text) != ["192.168.7.0/24"]
        return
    with pytest.raises(LabError) as caught:
        placed(text)
    assert caught.value.message == (
        f"the subnet 192.168.7.0/24 of the network lab_lab overlaps with this machine's route to {lan} (wlan0)"
    )
    assert placed(text, allow_overlap=True) == ["192.168.7.0/24"]
    engine = MemoryEngine(local=True)
    engine.is_local = False
    assert placed(text, engine) == ["192.168.7.0/24"], "it is not the engine's machine"


def test_what_lies_behind_a_gateway_may_be_hidden_in_part(no_routes):
    (no_routes / "route").write_text(HEAD + route("10.0.0.0/8", "eth0", flags="0003"))
    assert placed(one_network("10.5.0.0/24")) == ["10.5.0.0/24"]


def test_what_the_machine_does_not_reach_is_not_taken_from_it(no_routes):
    """`ip route add blackhole 10.0.0.0/8`: beside VPNs and container networks often."""
    (no_routes / "route").write_text(HEAD + route("10.0.0.0/8", "*"))
    assert placed(one_network("10.5.0.0/24")) == ["10.5.0.0/24"]


def ports(*written: dict, running: list | None = None) -> list[str]:
    service = {"image": "x", "ports": list(written), "x-labctl": {"movable_ports": True}}
    found = parse(json.dumps({"name": "lab", "services": {"a": service}}), Path("lab.yaml"))
    return [
        item["published"]
        for item in place_ports(found, found.config, running or [], local=True)["services"]["a"]["ports"]
    ]


def test_a_port_of_udp_is_tried_as_one():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        port = {"target": 53, "published": str(there.getsockname()[1]), "host_ip": "127.0.0.1"}
        assert ports({**port, "protocol": "udp"}) != [port["published"]]


def test_each_line_keeps_the_port_that_it_has():
    """One port at two places, and the same number of the other protocol."""
    there = [Port("tcp", 53, "0.0.0.0", 41002), Port("tcp", 53, "::", 41002), Port("tcp", 53, "0.0.0.0", 41001)]
    there += [Port("udp", 53, "127.0.0.1", 41003), Port("tcp", 53, "127.0.0.1", 41004)]
    engine = MemoryEngine(local=True)
    engine.add("lab", "a", ports=tuple(there))
    lines = [("41001", "", "tcp"), ("9", "", "tcp"), ("9", "127.0.0.1", "udp"), ("9", "127.0.0.1", "tcp")]
    written = [{"target": 53, "published": port, "host_ip": host, "protocol": proto} for port, host, proto in lines]
    assert ports(*written, running=engine.containers()) == ["41001", "41002", "41003", "41004"]


def test_a_node_that_does_not_run_keeps_its_port_too():
    """Of such a one the engine lists none. Else each `up` would make it anew, at another port."""
    engine = MemoryEngine()
    engine.add("lab", "a", ports=(Port("tcp", 53, "127.0.0.1", 41004),), state="exited")
    assert engine.containers()[0].ports == ()
    service = {
        "image": "x",
        "ports": [{"target": 53, "published": "9", "host_ip": "127.0.0.1", "protocol": "tcp"}],
        "x-labctl": {"movable_ports": True},
    }
    found = parse(json.dumps({"name": "lab", "services": {"a": service}}), Path("lab.yaml"))
    placed = blueprint.place(found, engine, found.config, engine.containers(), attempt=0, chosen={})
    assert placed["services"]["a"]["ports"][0]["published"] == "41004"


def test_what_a_container_publishes_whenever_it_runs():
    found = {
        "53/udp": [{"HostIp": "", "HostPort": "41003"}],
        "80/tcp": [{"HostIp": "::1", "HostPort": "0"}],
        "1/tcp": None,
    }
    assert inspected.bound({"HostConfig": {"PortBindings": found}}) == (Port("udp", 53, None, 41003),)
    assert inspected.bound({"HostConfig": {}}) == ()


def test_a_fixed_subnet_that_is_another_one_now_is_told(no_routes):
    """The network is there, on the one of before: its nodes would not have the addresses that the file says."""
    engine = MemoryEngine()
    engine.add("lab", "a", addresses={"lab_lab": ("10.1.0.2",)})
    engine.subnets("lab_lab", "10.1.0.0/24")
    assert placed(one_network("10.1.0.0/24"), engine) == ["10.1.0.0/24"]
    with pytest.raises(LabError, match=r"is there already, on 10\.1\.0\.0/24, and 10\.5\.0\.0/24 is wanted") as caught:
        placed(one_network("10.5.0.0/24"), engine)
    assert caught.value.code == "network-otherwise"


SIX = (
    "{name: lab, services: {a: {image: x, networks: {n: null}}}, networks: {n: {name: lab_n, %s ipam: {config: [%s]}}}}"
)


def test_ipv6_that_is_off_takes_no_subnet(no_routes, monkeypatch):
    """The engine keeps such a subnet, and gives nobody an address of it."""
    monkeypatch.setattr(placement, "KERNEL_6", no_routes / "none")
    monkeypatch.setattr(placement, "KERNEL_4", no_routes)
    engine = MemoryEngine()
    engine.add("other", "x", addresses={"a_net": ("fd00:7::9",)}, ours=False)
    engine.subnets("a_net", "fd00:7::/64")
    pools = "{subnet: 10.5.0.0/24}, {subnet: 'fd00:7::/64'}"
    off = parse(SIX % ("", pools), Path("lab.yaml"))
    placement.refuse_ipv6(off, local=True)
    place_networks(off, engine, off.config, 0, {})
    on = parse(SIX % ("enable_ipv6: true,", pools), Path("lab.yaml"))
    with pytest.raises(LabError, match="IPv6"):
        placement.refuse_ipv6(on, local=True)
    with pytest.raises(LabError, match="overlaps with the network a_net"):
        place_networks(on, engine, on.config, 0, {})


def test_of_a_network_those_subnets_count_that_it_uses():
    pools = {"Config": [{"Subnet": "10.5.0.0/24"}, {"Subnet": "fd00:7::/64"}, {"Gateway": "10.5.0.1"}]}
    assert inspected.subnets({"IPAM": pools, "EnableIPv6": False}) == ("10.5.0.0/24",)
    assert inspected.subnets({"IPAM": pools, "EnableIPv6": True}) == ("10.5.0.0/24", "fd00:7::/64")
    assert inspected.subnets({"IPAM": pools, "EnableIPv4": False, "EnableIPv6": True}) == ("fd00:7::/64",)
    assert inspected.subnets({"IPAM": None}) == ()


def test_a_port_at_an_address_that_this_machine_has_not_stays():
    """The engine says so; another port would do no better. One that is taken is another matter."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        ports = [("192.0.2.1", 8080), ("127.0.0.1", taken)]
        written = [{"target": 80, "published": str(port), "host_ip": host, "protocol": "tcp"} for host, port in ports]
        service = {"image": "x", "ports": written, "x-labctl": {"movable_ports": True}}
        found = parse(json.dumps({"name": "lab", "services": {"a": service}}), Path("lab.yaml"))
        out = place_ports(found, found.config, [], local=True)["services"]["a"]["ports"]
    assert out[0]["published"] == "8080"
    assert out[1]["published"] != str(taken)


def test_on_other_machines_a_port_that_a_container_has_there_is_not_taken_again():
    engine = MemoryEngine()
    engine.add("other", "web", ports=(Port("tcp", 80, "127.0.0.1", 8080),))
    service = {"image": "x", "ports": [{"target": 80, "published": "8080"}, {"target": 81, "published": "8081"}]}
    service["x-labctl"] = {"movable_ports": True}
    found = parse(json.dumps({"name": "lab", "services": {"a": service}}), Path("lab.yaml"))

    def placed_at(*, again=False, running=()):
        taken = published(engine, found)
        out = place_ports(found, found.config, list(running), local=False, elsewhere=taken, again=again)
        return [int(item["published"]) for item in out["services"]["a"]["ports"]]

    moved, stays = placed_at()
    assert (moved >= 49152, stays) == (True, 8081)
    assert all(port >= 49152 for port in placed_at(again=True))  # somebody has it who is no container
    mine = engine.add("lab", "a", ports=(Port("tcp", 80, "127.0.0.1", 8080),))
    assert placed_at(running=[mine.record])[0] == 8080
    engine.is_local = True
    assert published(engine, found) == set()
