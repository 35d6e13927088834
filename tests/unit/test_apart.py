"""Nodes without an address are kept off the addresses that others have in the file."""

import ipaddress

import pytest

from labctl.topology.apart import apart


def config(subnet: str, fixed: dict[str, str], free: dict[str, int], **pool) -> dict:
    field = "ipv6_address" if ":" in subnet else "ipv4_address"
    services = {name: {"networks": {"lab": {field: address}}} for name, address in fixed.items()}
    services |= {name: {"networks": {"lab": None}, "scale": count} for name, count in free.items()}
    return {"services": services, "networks": {"lab": {"ipam": {"config": [{"subnet": subnet, **pool}]}}}}


def pool(found: dict) -> dict:
    return found["networks"]["lab"]["ipam"]["config"][0]


def addresses(found: dict) -> dict[str, str | None]:
    return {
        name: next(iter((service["networks"]["lab"] or {}).values()), None)
        for name, service in found["services"].items()
    }


@pytest.mark.parametrize(
    ("subnet", "fixed", "free", "block"),
    [
        ("10.5.0.0/24", {"srv": "10.5.0.3"}, {"u": 1}, "10.5.0.128/25"),
        ("10.5.0.0/24", {"srv": "10.5.0.2"}, {"u": 100}, "10.5.0.128/25"),
        ("10.5.0.0/24", {"srv": "10.5.0.200"}, {"u": 1}, "10.5.0.128/26"),
        ("10.5.0.0/24", {"a": "10.5.0.2", "b": "10.5.0.254"}, {"u": 2, "v": 3}, "10.5.0.128/26"),
        ("10.5.0.0/29", {"a": "10.5.0.2"}, {"u": 3}, "10.5.0.4/30"),
        ("fd05::/64", {"srv": "fd05::3"}, {"u": 5}, "fd05::8000/113"),
    ],
)
def test_their_addresses_come_from_a_range_without_fixed_ones(subnet, fixed, free, block):
    found = apart(config(subnet, fixed, free))
    gateway = str(ipaddress.ip_network(subnet)[1])
    assert pool(found) == {"subnet": subnet, "ip_range": block, "gateway": gateway}
    assert not any(ipaddress.ip_address(address) in ipaddress.ip_network(block) for address in fixed.values())
    assert apart(config(subnet, fixed, free)) == found, "the same each time"


def test_where_no_range_has_room_they_get_addresses():
    found = apart(config("10.5.0.0/29", {"a": "10.5.0.2", "b": "10.5.0.5"}, {"u": 1, "v": 1, "w": 1}))
    assert pool(found) == {"subnet": "10.5.0.0/29"}
    assert addresses(found) == {"a": "10.5.0.2", "b": "10.5.0.5", "u": "10.5.0.3", "v": "10.5.0.4", "w": "10.5.0.6"}


def test_an_address_that_is_set_aside_is_not_taken():
    found = apart(config("10.5.0.0/24", {"a": "10.5.0.2"}, {"u": 1}, aux_addresses={"printer": "10.5.0.129"}))
    assert pool(found)["ip_range"] == "10.5.0.64/26"


def test_what_is_set_aside_and_no_address_is_the_engines_to_refuse():
    found = apart(config("10.5.0.0/24", {"a": "10.5.0.2"}, {"u": 1}, aux_addresses={"printer": "nowhere"}))
    assert pool(found)["ip_range"] == "10.5.0.128/25"


@pytest.mark.parametrize(
    "given",
    [
        config("10.5.0.0/24", {"a": "10.5.0.2"}, {}),  # all have one: hello
        config("10.5.0.0/24", {}, {"u": 5}),  # none has one
        config("10.5.0.0/24", {"a": "10.5.0.2"}, {"u": 1}, ip_range="10.5.0.0/25"),  # the file's own choice
        config("10.5.0.0/24", {"a": "10.5.0.2"}, {"u": 0}),
        {"services": {"a": {}}, "networks": {"lab": None}},
        {"services": {"a": {}}},
    ],
)
def test_the_rest_stays_as_it_is(given):
    assert apart(given) == given
    for change in ({"external": True}, {"driver": "macvlan"}):
        other = config("10.5.0.0/24", {"a": "10.5.0.2"}, {"u": 1})
        other["networks"]["lab"] |= change
        assert apart(other) == other
