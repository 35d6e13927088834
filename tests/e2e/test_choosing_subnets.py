"""`--subnet`: a lab goes where it is told to, or says who is there already."""

import ipaddress
import json
import os
import re

import pytest
from outside import LABCTL, run_command

pytestmark = pytest.mark.turn(2)


def free(engine, count: int) -> list[str]:
    """Subnets that no network of Docker's has, far from those that labs wish for."""
    taken = [
        ipaddress.ip_network(config["Subnet"])
        for network in engine.networks.list()
        for config in (network.attrs["IPAM"]["Config"] or [])
    ]
    whole = ipaddress.ip_network("10.240.0.0/14").subnets(new_prefix=24)
    good = (net for net in whole if not any(net.version == one.version and net.overlaps(one) for one in taken))
    return [str(next(good)) for _ in range(count)]


def subnets(lab) -> dict[str, str]:
    return {
        network.name.removeprefix(f"{lab.name}_"): network.attrs["IPAM"]["Config"][0]["Subnet"]
        for network in lab.networks()
    }


def test_networks_go_where_they_are_told(spare, engine):
    lab = spare("chosen")
    here, there = free(engine, 2)
    options = ["--lab", lab.name, "--subnet", here, "--subnet", f"there={there}"]
    planned = lab.json("plan", "isolated", *options)
    assert {net["name"]: net["subnets"] for net in planned["networks"]} == {
        f"{lab.name}_here": [here],
        f"{lab.name}_there": [there],
    }
    assert lab.labelled() == []
    lab.ok("up", "isolated", *options, timeout=200)
    assert subnets(lab) == {"here": here, "there": there}
    addresses = {node["node"]: node["networks"] for node in lab.json("ps")["nodes"]}
    assert addresses["client"] == {f"{lab.name}_here": [here.replace(".0/24", ".4")]}
    before = lab.container("client").id
    # Again the same, or no choice any more: nothing moves.
    lab.ok("up", "isolated", *options, timeout=100)
    lab.ok("up", "isolated", "--lab", lab.name, timeout=100)
    assert (subnets(lab), lab.container("client").id) == ({"here": here, "there": there}, before)
    (other,) = free(engine, 1)
    for verb in ("plan", "up"):
        said = lab.refused(verb, "isolated", "--lab", lab.name, "--subnet", other)
        assert said.startswith(f"--subnet {other}: the network {lab.name}_here is there already, on {here}")


def test_a_taken_one_is_told_with_its_owner(spare, engine):
    first, second = spare("chosen-first"), spare("chosen-second")
    (subnet,) = free(engine, 1)
    first.ok("up", "isolated", "--lab", first.name, "--subnet", subnet, timeout=200)
    said = second.refused("up", "isolated", "--lab", second.name, "--subnet", subnet)
    owner = f"the network {first.name}_here of the lab {first.name} ({subnet})"
    assert said == f"the subnet {subnet} of the network {second.name}_here overlaps with {owner}"
    assert second.labelled() == []


def test_a_route_of_this_machine_is_in_the_way(spare, engine):
    """The route is one of a network namespace that labctl runs in: the machine's own stay as they are."""
    lab = spare("chosen-route")
    (subnet,) = free(engine, 1)
    alone = ["unshare", "--net", *([] if os.getuid() == 0 else ["--map-root-user"])]
    script = f"""
        ip link add tunnel type bridge && ip link set tunnel up && ip route add {subnet} dev tunnel || exit 99
        exec {LABCTL} up --lab {lab.name} --subnet {subnet}
    """
    got = run_command([*alone, "sh", "-c", script])
    assert got.returncode == 1, got
    assert got.stderr.startswith(f"labctl: the subnet {subnet} of the network {lab.name}_lab overlaps with ")
    assert got.stderr.splitlines()[0].endswith(f" this machine's route to {subnet} (tunnel)")
    assert lab.labelled() == []


@pytest.mark.parametrize(
    ("subnet", "said"),
    [
        ("10.240.0.0/29", "too small: 7 nodes are on the network lab, which takes a /28 at least"),
        ("10.240.0.1/24", "'10.240.0.1/24' is no subnet; 10.240.0.0/24 is meant, perhaps"),
        ("here", "'here' is no subnet"),
        ("", "'' is no subnet"),
    ],
)
def test_what_is_no_subnet_for_it(spare, subnet, said):
    lab = spare("chosen-wrong")
    for verb in ("plan", "up"):
        assert said in lab.refused(verb, "--lab", lab.name, "--subnet", subnet)
    assert lab.labelled() == []


def test_help_names_it(lab):
    for verb in ("up", "plan"):
        assert "--subnet [NETWORK=]CIDR" in lab.ok(verb, "--help").stdout


def test_nodes_without_an_address_leave_those_of_others_alone(spare, engine, tmp_path):
    """The engine would give the first of them .2, before srv is there: srv waits for them."""
    lab = spare("apart")
    (subnet,) = free(engine, 1)
    node = {"image": "labctl/echo-client", "init": True, "stdin_open": True}
    pools = [{"subnet": subnet}, {"subnet": "fd7e:a9a7::/64"}]
    fixed = {"ipv4_address": subnet.replace(".0/24", ".2"), "ipv6_address": "fd7e:a9a7::2"}
    topology = {
        "services": {
            "u": {**node, "scale": 2, "networks": {"lab": {}}},
            "srv": {**node, "depends_on": ["u"], "networks": {"lab": fixed}},
        },
        "networks": {"lab": {"enable_ipv6": True, "ipam": {"config": pools}}},
    }
    (tmp_path / "compose.yaml").write_text(json.dumps(topology))
    lab.ok("up", str(tmp_path), "--lab", lab.name, timeout=100)
    nodes = {node["node"]: node["networks"][f"{lab.name}_lab"] for node in lab.json("ps")["nodes"]}
    assert nodes["srv"] == list(fixed.values())
    upper = subnet.replace(".0/24", ".128/25")
    for name in ("u-1", "u-2"):
        assert ipaddress.ip_address(nodes[name][0]) in ipaddress.ip_network(upper)
        assert ipaddress.ip_address(nodes[name][1]) in ipaddress.ip_network("fd7e:a9a7::8000/113")
    planned = lab.json("plan", str(tmp_path))
    assert {item["change"] for item in planned["nodes"] + planned["networks"]} == {"keep"}


def test_the_machines_networks_and_its_vpn_are_left_to_it(spare, engine, tmp_path):
    """A LAN that a file would take, and a tunnel for all of 10.0.0.0/8, in a network namespace for labctl alone."""
    lab = spare("beside-vpn")
    (subnet,) = free(engine, 1)
    networks = {"default": {"ipam": {"config": [{"subnet": subnet}]}}}
    text = json.dumps({"services": {"a": {"image": "labctl/echo-client"}}, "networks": networks})
    (tmp_path / "compose.yaml").write_text(text)
    alone = ["unshare", "--net", *([] if os.getuid() == 0 else ["--map-root-user"])]
    own = subnet.replace(".0/24", ".9/24")
    script = f"""
        ip link add lan0 type bridge && ip link set lan0 up && ip addr add {own} dev lan0 &&
        ip link add tun7 type bridge && ip link set tun7 up && ip route add 10.0.0.0/8 dev tun7 || exit 99
        {LABCTL} up {tmp_path} --lab {lab.name}; echo "status $?"
        {LABCTL} plan {tmp_path} --lab {lab.name} --allow-overlap --json; echo "status $?"
        {LABCTL} plan hello --lab {lab.name} --json; echo "status $?"
    """
    got = run_command([*alone, "sh", "-c", script], timeout=120)
    refused, allowed, moved, rest = re.split(r"status \d\n", got.stdout)
    assert re.findall(r"status (\d)", got.stdout) == ["1", "0", "0"], got
    told = f"labctl: the subnet {subnet} of the network {lab.name}_default overlaps with this machine's route to "
    assert f"{told}{subnet} (lan0)\n" in got.stderr or f"{told}10.0.0.0/8 (tun7)\n" in got.stderr
    assert (refused, rest) == ("", "")
    assert json.loads(allowed)["networks"][0]["subnets"] == [subnet]
    assert json.loads(moved)["networks"][0]["subnets"][0].startswith("172.")
    assert lab.labelled() == []
