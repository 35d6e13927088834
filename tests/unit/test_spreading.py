"""Which machine gets which container: by policy, by what was asked for, by what can't be apart."""

import pytest

from labctl.engine.several.spreading import MOST_ON_NETWORK, PACK, Wish, is_local, spread, together
from labctl.errors import LabError

THREE = ("a", "b", "c")


def config(networks=None, **services):
    plain = {"image": "program", "networks": {"net": None}}
    found = {name: {**plain, **(service or {})} for name, service in services.items()}
    return {"name": "lab", "services": found, "networks": networks or {"net": {"name": "lab_net"}}}


def machines(found):
    return {(name, n): machine for machine, mine in found.items() for name, numbers in mine.items() for n in numbers}


def test_as_many_on_each_machine():
    found = spread(config(**dict.fromkeys("pqrstuv")), Wish(THREE), {})
    assert sorted(len(mine) for mine in found.values()) == [2, 2, 3]
    assert spread(config(**dict.fromkeys("pqrstuv")), Wish(THREE), {}) == found


def test_on_as_few_as_will_do():
    assert spread(config(p=None, q=None), Wish(THREE, policy=PACK), {}) == {"a": {"p": [1], "q": [1]}, "b": {}, "c": {}}
    many = spread(config(p={"deploy": {"replicas": 600}}), Wish(THREE, policy=PACK), {})
    assert [len(mine.get("p", ())) for mine in many.values()] == [250, 250, 100]


def test_the_containers_of_one_service_go_apart():
    found = spread(config(p={"deploy": {"replicas": 7}}), Wish(THREE), {})
    assert sorted(number for mine in found.values() for number in mine["p"]) == list(range(1, 8))
    assert all(mine["p"] for mine in found.values())


@pytest.mark.parametrize(
    "services",
    [
        {"p": None, "q": {"network_mode": "service:p", "networks": None}},
        {"p": None, "q": {"links": ["p:other"]}},
        {"p": None, "q": {"pid": "service:p"}},
        {name: {"volumes": [{"type": "volume", "source": "data", "target": "/data"}]} for name in "pq"},
        {name: {"networks": {"close": None}} for name in "pq"},
        {name: {"networks": {"lan": None}} for name in "pq"},
    ],
)
def test_what_shares_something_stays_together(services):
    networks = {
        "net": {"name": "lab_net"},
        "close": {"name": "lab_close", "x-labctl": {"one_machine": True}},
        "lan": {"name": "lab_lan", "driver": "macvlan"},
    }
    found = config(networks, **services, other=None)
    assert {frozenset(group) for group in together(found)} == {frozenset("pq"), frozenset({"other"})}
    there = machines(spread(found, Wish(THREE), {}))
    assert there["p", 1] == there["q", 1] != there["other", 1]


def test_a_network_of_one_machine_is_known_by_what_it_is():
    assert is_local({"driver": "ipvlan"})
    assert is_local({"x-labctl": {"one_machine": True}})
    assert not is_local({"driver": "bridge", "x-labctl": {"movable": True}})


def test_places_are_kept_to():
    found = spread(config(p=None, q={"deploy": {"replicas": 3}}), Wish(THREE, {"p": "c", "q-2": "c"}), {})
    there = machines(found)
    assert there["p", 1] == there["q", 2] == "c"
    assert {there["q", 1], there["q", 3]} == {"a", "b"}


def test_what_is_there_stays_and_what_may_not_be_there_goes():
    there = {("p", 1): "c", ("q", 1): "b"}
    assert machines(spread(config(p=None, q=None, r=None), Wish(THREE), there)) == {**there, ("r", 1): "a"}
    assert machines(spread(config(p=None, q=None), Wish(("a", "b")), there)) == {("p", 1): "a", ("q", 1): "b"}
    assert machines(spread(config(p=None, q=None), Wish(THREE, {"p": "a"}), there))["p", 1] == "a"


def test_numbers_are_as_compose_has_them():
    there = {("p", 2): "a", ("p", 5): "b", ("p", 7): "c"}
    assert set(machines(spread(config(p={"deploy": {"replicas": 2}}), Wish(THREE), there))) == {("p", 2), ("p", 5)}
    more = set(machines(spread(config(p={"deploy": {"replicas": 4}}), Wish(THREE), there)))
    assert more == {("p", 2), ("p", 5), ("p", 7), ("p", 8)}


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ({"p": "d"}, "it is none of a, b, c"),
        ({"alicf": "a"}, "the topology has no node alicf"),
        ({"q-4": "a"}, "the topology has no node q-4"),
        ({"r": "a", "s": "b"}, "it has to be on the machine of r (a), with which it shares a network or a volume"),
    ],
)
def test_places_that_cannot_be(places, why):
    several = {"r": None, "s": {"network_mode": "service:r", "networks": None}}
    with pytest.raises(LabError, match="can't be on the machine") as caught:
        spread(config(p=None, q={"deploy": {"replicas": 3}}, **several), Wish(THREE, places), {})
    assert caught.value.code == "bad-place"
    assert why in caught.value.message


def test_no_network_has_more_on_a_machine_than_a_bridge_has_ports():
    with pytest.raises(LabError, match=f"{MOST_ON_NETWORK} is the most") as caught:
        spread(config(p={"deploy": {"replicas": 2 * MOST_ON_NETWORK + 1}}), Wish(("a", "b")), {})
    assert caught.value.code == "bridge-full"
    found = spread(config(p={"deploy": {"replicas": 2 * MOST_ON_NETWORK}}), Wish(("a", "b")), {})
    assert [len(mine["p"]) for mine in found.values()] == [MOST_ON_NETWORK] * 2
