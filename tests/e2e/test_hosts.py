"""Machines from the command line: added in three ways, looked at, made one swarm, and a way between them that is cut.

The tests of this file go on where the one before has left the machines.
"""

import json
import os

import pytest
from outside import run, until

pytestmark = pytest.mark.machines
LIMIT = 200  # seconds for a look at all of them, while other tests run


@pytest.fixture(scope="module")
def hosts(machines, tmp_path_factory):
    """`hosts("ls")` is `labctl hosts ls`, by a user who knows a, b and c in three ways."""
    folder = tmp_path_factory.mktemp("hosts")
    path = f"{machines.path}:{os.environ['PATH']}"

    def hosts(*args, timeout=LIMIT):
        return run("hosts", *args, timeout=timeout, XDG_CONFIG_HOME=str(folder), PATH=path)

    files = [f"--tls-{kind}={machines.certificates / kind}.pem" for kind in ("ca", "cert", "key")]
    first, second, third = machines
    for args in (["a", first.plain], ["b", second.tls, *files], ["c", third.ssh]):
        got = hosts("add", *args)
        assert got.returncode == 0, got
        assert ("is open" in got.stderr) == (args[0] == "a")
    yield hosts
    hosts("leave", "a", "b", "c", "--force")


def looked(got, check):
    """The findings of one check, by machine."""
    assert got.returncode in (0, 1), got
    document = json.loads(got.stdout)
    assert document["ok"] == (got.returncode == 0)
    return {
        name: [one for one in document["findings"] if (one["host"], one["check"]) == (name, check)] for name in "abc"
    }


def passages(found):
    """State by (sender, receiver, port), of the findings about ports."""
    return {
        (one["from"], name, one["port"]): one["state"]
        for name, several in found.items()
        for finding in several
        for one in finding.get("ports", ())
    }


def test_each_is_reached_in_its_own_way_and_its_clock_is_this_machines(hosts):
    listed = json.loads(hosts("ls", "--json").stdout)["hosts"]
    assert [(one["host"], one["address"][:3], bool(one["tls"])) for one in listed] == [
        ("a", "tcp", False),
        ("b", "tcp", True),
        ("c", "ssh", False),
    ]
    got = hosts("check", "--no-ports", "--json")
    assert got.returncode == 1
    assert all(one["api"] >= "1.44" for (one,) in looked(got, "engine").values())
    assert {one["what"] for (one,) in looked(got, "swarm").values()} == {"in no swarm"}
    # They are containers of this machine, and have its clock.
    assert all(abs(one["offset_ns"]) <= one["error_ns"] < 10**9 for (one,) in looked(got, "clock").values())


@pytest.mark.turn(3)
def test_before_there_is_a_swarm_helpers_listen(hosts):
    found = passages(looked(hosts("check", "--json"), "ports"))
    assert len(found) == 24
    assert set(found.values()) == {"open"}


def test_they_join_once(hosts, machines):
    got = hosts("join")
    assert (got.returncode, got.stdout.splitlines()) == (
        0,
        ["a is a manager of the swarm", "b is a worker of the swarm", "c is a worker of the swarm"],
    ), got
    again = hosts("join", "--json")
    assert [one["joined"] for one in json.loads(again.stdout)["hosts"]] == [False] * 3
    known = machines[0].docker("node", "ls", "--format", "{{.Hostname}}").split()
    assert sorted(known) == [machine.name for machine in machines]


@pytest.mark.turn(3)
def test_in_a_swarm_all_that_passes_was_seen(hosts):
    got = hosts("check", "--json")
    found = passages(looked(got, "ports"))
    assert len(found) == 24
    assert set(found.values()) == {"open"}, got
    assert got.returncode == 0


def test_a_way_that_is_cut_is_named(hosts, machines):
    cut = ["-p", "udp", "--dport", "4789", "-s", machines[0].address, "-j", "DROP"]
    machines[1].run("iptables", "-I", "INPUT", *cut)
    try:
        got = hosts("check", "a", "b", "--json")
    finally:
        machines[1].run("iptables", "-D", "INPUT", *cut)
    found = passages(looked(got, "ports"))
    assert (got.returncode, found["a", "b", "udp/4789"]) == (1, "closed"), got
    assert {state for key, state in found.items() if key[2] != "udp/4789"} == {"open"}
    assert "labctl-check" not in machines[0].docker("network", "ls")
    for machine in machines:
        assert machine.docker("ps", "--all", "--quiet") == ""
    # What the manager has no more, the others' engines let go of in their own time.
    gone = "no machine has the network of the look"
    until(lambda: not any("labctl-check" in machine.docker("network", "ls") for machine in machines), gone)


@pytest.mark.turn(3)
def test_one_without_an_engine_is_named_and_the_others_are_told(hosts, machines):
    machines[1].run("sh", "-c", "touch /run/no-engine; pkill -x dockerd; while pgrep -x dockerd; do sleep 0.1; done")
    try:
        got = hosts("check", "--no-ports")
        refused = hosts("join")
    finally:
        machines[1].run("sh", "-c", "rm /run/no-engine; until docker version; do sleep 0.1; done", limit=LIMIT)
    assert got.returncode == 1
    assert "no Docker engine answers" in got.stdout
    assert "a worker of the swarm of a" in got.stdout
    assert (refused.returncode, "the machine b does not answer" in refused.stderr) == (1, True)


def test_they_leave_and_the_manager_not_before_the_others(hosts):
    refused = hosts("leave", "a")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "the only manager of" in refused.stderr
    got = hosts("leave", "a", "b", "c")
    assert got.stdout.splitlines() == [f"{name} has left its swarm" for name in "abc"], got
    assert hosts("leave", "c").stdout == "c was in no swarm\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rm", "d"], "there is no machine d"),
        (["check", "aa"], "there is no machine aa"),
        (["add", "a", "ssh://me@there"], "there is a machine a already"),
        (["add", "A b", "ssh://me@there"], "can't be a machine's name"),
        (["join", "--address", "a:1"], "no HOST=ADDRESS"),
    ],
)
def test_what_can_not_be_meant(hosts, args, said):
    got = hosts(*args)
    assert (got.returncode, got.stdout) == (1, ""), got
    assert said in got.stderr
