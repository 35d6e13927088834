"""Machines in memory: made one swarm, left again, looked at; and what is never done to them."""

import pytest

from labctl.engine.memory import MemoryEngine
from labctl.engine.memory.swarm import Fabric
from labctl.engine.model import LABEL_SOURCE, Image
from labctl.engine.swarm import Reading
from labctl.errors import LabError
from labctl.lab.machines import clocks, ports, swarm
from labctl.lab.machines.check import check, verdict
from labctl.lab.machines.fit import refuse_unfit


def made(*names, fabric=None):
    fabric = fabric or Fabric()
    engines = {}
    for number, name in enumerate(names, 1):
        engines[name] = MemoryEngine()
        engines[name].hostname, engines[name].address, engines[name].fabric = name, f"192.0.2.{number}", fabric
    return engines


def join(engines, **addresses):
    return swarm.join(engines, addresses, lambda text: None)


def leave(engines, names, *, force=False):
    return swarm.leave({name: engines[name] for name in names}, engines, lambda text: None, force=force)


def states(engines):
    return {name: swarm.membership(engine.info()) for name, engine in engines.items()}


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    """What was seen of machines is this test's alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "labctl").mkdir()


def silent(engine):
    def info():
        raise LabError("engine-unreachable", endpoint="tcp://192.0.2.9:2375", why="Connection refused")

    engine.info = info


def refused(code, act):
    with pytest.raises(LabError) as caught:
        act()
    assert caught.value.code == code
    return caught.value.message


def test_the_first_makes_a_swarm_which_the_others_join_and_again_nothing_changes():
    engines = made("a", "b", "c")
    first = join(engines)
    assert [(one.host, one.is_manager, one.is_new) for one in first] == [
        ("a", True, True),
        ("b", False, True),
        ("c", False, True),
    ]
    again = join(engines)
    assert [one.node for one in again] == [one.node for one in first]
    assert not any(one.is_new for one in again)


def test_who_comes_later_joins_the_swarm_that_is_there_whoever_is_named_first():
    engines = made("a", "b", "c")
    join({name: engines[name] for name in ("b", "c")})
    found = {one.host: one for one in join(engines)}
    assert (found["a"].is_manager, found["a"].is_new, found["b"].is_manager) == (False, True, True)
    assert len(engines["b"].swarm_members()) == 3


def test_the_address_at_which_others_reach_a_machine_can_be_said():
    engines = made("a", "b")
    join(engines, a="198.51.100.1")
    assert states(engines)["a"].address == "198.51.100.1"
    assert states(engines)["b"].managers == {states(engines)["a"].node: "198.51.100.1:2377"}


def test_no_machine_is_taken_out_of_another_swarm():
    engines = made("a", "b", "c")
    join({"a": engines["a"]})
    join({"b": engines["b"]})
    before = states(engines)
    assert "a and b are in two different swarms" in refused("swarm-others", lambda: join(engines))
    assert states(engines) == before
    assert not before["c"].is_in


def test_a_swarm_whose_manager_is_not_among_them_lets_nobody_in():
    engines = made("a", "b", "c")
    join({name: engines[name] for name in ("a", "b")})
    some = {name: engines[name] for name in ("b", "c")}
    assert "192.0.2.1:2377" in refused("swarm-unmanaged", lambda: join(some))
    assert not states(engines)["c"].is_in


def test_a_machine_that_does_not_answer_is_named_before_anything_is_done():
    engines = made("a", "b")
    silent(engines["b"])
    assert "the machine b does not answer" in refused("host-silent", lambda: join(engines))
    assert not swarm.membership(engines["a"].info()).is_in


def test_who_can_not_join_is_named_and_a_swarm_of_one_is_taken_back():
    engines = made("a", "b")
    engines["a"].fabric.cut.add("b")
    assert "b: Timeout was reached" in refused("swarm-join", lambda: join(engines))
    assert not any(state.is_in for state in states(engines).values())
    engines = made("a", "b", "c")
    engines["a"].fabric.cut.add("b")
    refused("swarm-join", lambda: join(engines))
    assert [name for name, state in states(engines).items() if state.is_in] == ["a", "c"]


def test_a_machine_that_can_not_choose_its_address_says_so():
    engines = made("a", "b")

    def begin(address):
        raise LabError("engine-refused", action="make a swarm", why="could not choose an IP address to advertise")

    engines["a"].begin_swarm = begin
    with pytest.raises(LabError, match="a could not make a swarm: could not choose an IP address") as caught:
        join(engines)
    assert "--address a=ADDRESS" in caught.value.hint


def test_who_leaves_is_forgotten_and_the_last_one_ends_the_swarm():
    engines = made("a", "b", "c")
    join(engines)
    assert leave(engines, ["b"]) == ["b"]
    assert [one.hostname for one in engines["a"].swarm_members()] == ["a", "c"]
    assert leave(engines, ["a", "b", "c"]) == ["c", "a"]
    assert not any(state.is_in for state in states(engines).values())


def test_what_others_need_is_not_left_without_force():
    engines = made("a", "b")
    join(engines)
    assert "the only manager of b" in refused("swarm-used", lambda: leave(engines, ["a"]))
    engines["b"].add("lab", "alice")
    assert "nodes of lab" in refused("swarm-used", lambda: leave(engines, ["b"]))
    assert leave(engines, ["a", "b"], force=True) == ["b", "a"]


@pytest.fixture
def source():
    found = MemoryEngine()
    found.images["labctl/probe:latest"] = Image("sha256:1", {LABEL_SOURCE: "x"}, names=("labctl/probe:latest",))
    return found


def found(engines, source):
    return list(check(engines, source, lambda text: None, ports=False))


def of(findings, host, what):
    return next(one for one in findings if (one.host, one.check) == (host, what))


def test_what_is_well_and_what_images_are_missing(source):
    engines = made("a", "b")
    join(engines)
    engines["b"].images.update(source.images)
    findings = found(engines, source)
    assert verdict(findings)
    assert of(findings, "a", "swarm").what == "a manager of the swarm of a, at 192.0.2.1"
    assert of(findings, "b", "swarm").what == "a worker of the swarm of a, at 192.0.2.2"
    assert of(findings, "a", "images").as_json()["missing"] == ["labctl/probe"]
    assert of(findings, "b", "images").level == "ok"


def test_one_that_does_not_answer_is_told_beside_the_others(source):
    engines = made("a", "b")
    join(engines)
    silent(engines["b"])
    findings = found(engines, source)
    assert not verdict(findings)
    assert [one.check for one in findings if one.host == "b"] == ["engine"]
    assert "Connection refused" in of(findings, "b", "engine").what
    assert of(findings, "a", "swarm").level == "ok"


def test_machines_of_different_swarms_or_of_none(source):
    engines = made("a", "b", "c", "d")
    join({"a": engines["a"]})
    join({name: engines[name] for name in ("b", "d")})
    findings = found({name: engines[name] for name in "abc"}, source)
    assert of(findings, "a", "swarm").level == "ok"
    assert of(findings, "b", "swarm").what == "in another swarm than a"
    assert of(findings, "c", "swarm").what == "in no swarm"
    assert "192.0.2.2:2377" in of(found({"d": engines["d"]}, source), "d", "swarm").what
    assert of(found({"c": engines["c"]}, source), "c", "swarm").level == "note"


def test_a_member_that_its_manager_has_lost(source):
    engines = made("a", "b")
    join(engines)
    there = engines["a"].swarm_members()
    lost = [one if one.is_manager else one._replace(state="down") for one in there]
    engines["a"].swarm_members = lambda: lost
    assert "a says that it is down" in of(found(engines, source), "b", "swarm").what


@pytest.mark.parametrize(("docker", "api"), [("20.10", "1.41"), ("24.0.9", "1.43")])
def test_engines_that_are_too_old_or_of_another_kind(source, docker, api):
    engines = made("a", "b")
    info = engines["b"].info()
    version = {"Version": docker, "ApiVersion": api, "Arch": "arm64"}
    engines["b"].info = lambda: {**info, "Version": version}
    findings = found(engines, source)
    assert "too old" in of(findings, "b", "engine").what
    assert "Docker 25" in of(findings, "b", "engine").mend
    assert "arm64" in of(findings, "b", "architecture").what


def test_a_clock_that_goes_otherwise_is_told_with_what_is_not_known_of_it(source):
    engines = made("a", "b", "c")
    engines["b"].ahead, engines["b"].delay = -2 * 10**9, 4 * 10**6
    engines["c"].delay = 4 * 10**6
    findings = found(engines, source)
    assert of(findings, "b", "clock").level == "note"
    assert of(findings, "b", "clock").what == "2.000 s behind this machine's, to within 2.0 ms"
    assert of(findings, "c", "clock").what == "as this machine's, to within 2.0 ms"


def test_an_offset_is_what_all_questions_leave():
    # The other clock is 100 ahead; one answer was slow on its way there, one on its way back.
    readings = [Reading(0, 100 + 9, 10), Reading(20, 120 + 1, 30)]
    assert clocks.offset(readings) == (100, 1)
    assert clocks.offset(readings[:1]) == (104, 5)
    # A clock was set in between: the shortest way.
    assert clocks.offset([Reading(0, 105, 10), Reading(20, 1022, 24)]) == (1000, 2)


def test_up_refuses_machines_that_do_not_fit_and_tells_of_clocks(monkeypatch):
    monkeypatch.setattr(ports, "check_ports", lambda *rest: iter(()))
    engines, told = made("a", "b"), []

    def look():
        refuse_unfit(engines, MemoryEngine, told.append)

    assert "a: in no swarm" in refused("hosts-unfit", look)
    join(engines)
    engines["b"].ahead = 3 * 10**9
    look()
    assert told == ["note: b's clock: 3.000 s ahead of this machine's, to within 0.0 ms"]
    silent(engines["b"])
    assert "b does not answer" in refused("host-silent", look)
