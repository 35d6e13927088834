"""The plugin of pytest, from outside: folders with a test file each, and what pytest says of them."""

import json
import os
import re
import subprocess
import sys
import textwrap

import pytest
from conftest import LABEL, SESSION
from outside import run

from labctl.engine.model import COMPOSE_PROJECT

pytestmark = pytest.mark.turn(2)

TWO = """\
name: two
services:
  store: &host
    image: labctl/echo-server
    networks: [lab]
    read_only: true
    cap_drop: [ALL]
  asks:
    <<: *host
    image: labctl/echo-client
    environment: {TARGET: "store:7"}
    stdin_open: true
networks:
  lab:
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tests")


def played(folder, text: str, *options: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs pytest on one file with that text."""
    file = folder / "test_it.py"
    file.write_text("import pytest\nfrom labctl.testing import eventually\n\n" + textwrap.dedent(text))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", *options, str(file)]
    env = {
        key: value for key, value in os.environ.items() if key not in ("CI", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")
    }
    return subprocess.run(
        command, cwd=folder, env={**env, **variables}, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module")
def several(folder, engine, clients):
    """One run of many tests on one lab: what each came to by its name, and all that was printed."""
    (folder / "two.yaml").write_text(TWO)
    done = played(
        folder,
        f"""
        import docker
        from testcontainers.core.container import DockerContainer

        pytestmark = pytest.mark.lab("two.yaml", record=True, scope="module")
        PATTERN = '''
            ignore acks
            asks > store  P. (3) "hi\\\\n" {{}}
            store > asks  P. (3) "hi\\\\n"
        '''

        def test_passes(lab):
            lab.node("asks").send("hi")
            lab.expect("store recv", within=5)
            eventually(lambda: len(lab.wire("asks", "store").packets) >= 3)

        def test_begins_anew(lab):
            assert lab.wire("asks", "store").packets == ()

        def test_loss(lab):
            with lab.link("asks:store").drop("tcp data 1"):
                lab.node("asks").send("hi", timeout=20)
            wire = lab.wire("asks", "store")
            assert (wire.lost, wire.retransmissions, wire.handshakes) == (1, 1, 0)

        def test_nothing_was_lost(lab):
            lab.link("asks:store").drop("udp datagram 1")

        def test_nothing_needs_to_be_lost(lab):
            lab.link("asks:store", may_not_fire=True).drop("udp datagram 1")

        def test_rules_are_gone(lab):
            assert lab.faults() == ()

        def test_wire_differs(lab):
            lab.node("asks").send("ho")
            lab.wire("asks", "store").expect('asks > store P. "hi"\\n*', timeout=0.5)

        def test_event_does_not_come(lab):
            lab.expect("store accept never", within=0.3)

        def test_stops_a_node(lab):
            lab.node("store").kill()

        def test_all_run_again(lab):
            assert lab.node("store").status().state == "ready"

        def test_others_join(lab):
            stranger = DockerContainer("labctl/test-clients").with_command("sleep infinity")
            stranger.with_kwargs(labels={{"{LABEL}": "{SESSION}"}}, init=True)
            with stranger:
                lab.join(stranger, aliases=["stranger"])
                code, said = stranger.exec(["sh", "-c", "echo hello | socat -t 2 - TCP:store:7"])
                assert (code, said) == (0, b"hello\\n")
                assert lab.network().endswith("_lab")
                network = docker.from_env().networks.create("e2e-{SESSION}-others", labels={{"{LABEL}": "{SESSION}"}})
                try:
                    address = lab.connect("store", network, aliases=["far"])
                    network.connect(stranger.get_wrapped_container())
                    code, said = stranger.exec(["sh", "-c", f"echo there | socat -t 2 - TCP:{{address}}:7"])
                    assert (code, said) == (0, b"there\\n")
                finally:
                    network.disconnect(stranger.get_wrapped_container(), force=True)
                    lab.disconnect("store", network)
                    network.remove()
        """,
        "--lab-artifacts",
        "left",
        TESTCONTAINERS_RYUK_DISABLED="true",  # its own helper would be pulled from a registry
    )
    found = {name: word for word, name in re.findall(r"^(PASSED|FAILED|ERROR) test_it\.py::(\w+)", done.stdout, re.M)}
    assert found, done.stdout + done.stderr
    return found, done.stdout


FAIL = ("test_nothing_was_lost", "test_wire_differs", "test_event_does_not_come")


def test_what_passes_and_what_fails(several):
    found, printed = several
    assert len(found) == 11, printed
    assert {name for name, word in found.items() if word != "PASSED"} == set(FAIL), printed


def test_failures_say_why(several):
    _, printed = several
    assert (
        "a fault of this test did nothing, so the test proves nothing about it: drop 'udp datagram 1' once" in printed
    )
    assert 'line 1 fits no packet: the nearest has payload "ho\\n" instead of "hi"' in printed
    assert re.search(r"AssertionError: store had no event accept never within 0\.3 s$", printed, re.MULTILINE)


def test_failure_shows_timeline_ladder_and_last_lines(several):
    _, printed = several
    failed = printed.partition("test_wire_differs ___")[2].partition("test_event_does_not_come ___")[0]
    assert re.search(r"labctl: timeline of pytest-\w+-main-\w+ -+\n.*asks +input.*\"ho\"", failed)
    assert re.search(r"labctl: asks and store -+\nseconds from", failed)
    assert '"ho\\n"' in failed
    assert "labctl: the nodes' last lines" in failed
    assert "def expect(self" not in failed  # of labctl's own code, nothing is shown


def test_failure_leaves_files(several, folder):
    (left,) = [path for path in (folder / "left").iterdir() if path.name.endswith("test_wire_differs")]
    assert sorted(path.name for path in left.iterdir()) == ["journal.jsonl", "packets.pcapng", "report.html"]
    events = [json.loads(line) for line in (left / "journal.jsonl").read_text().splitlines()]
    assert any(event["event"] == "input" and event["text"] == "ho" for event in events)
    assert '"ho\\n"' in run("packet", str(left / "packets.pcapng")).stdout
    page = (left / "report.html").read_text()
    assert "<svg" in page
    assert "<script" not in page


def test_nothing_is_left(several, engine):
    _, printed = several
    (name,) = set(re.findall(r"timeline of (pytest-\w+-main-\w+)", printed))
    assert not engine.containers.list(all=True, filters={"label": f"{COMPOSE_PROJECT}={name}"}, ignore_removed=True)


def test_workers_share_a_lab_or_have_their_own(folder, engine):
    (folder / "two.yaml").write_text(TWO)
    done = played(
        folder,
        """
        @pytest.mark.lab("two.yaml", scope="session")
        @pytest.mark.parametrize("number", range(6))
        def test_shared(lab, number, record_property):
            lab.node("store").logs()
            print("lab", lab.name)

        @pytest.mark.parametrize("number", range(2))
        def test_own(lab_factory, number):
            print("lab", lab_factory("two.yaml").name)
        """,
        "-n",
        "4",
    )
    assert "8 passed" in done.stdout, done.stdout + done.stderr
    names = re.findall(r"^lab (pytest-\S+)", done.stdout, re.M)
    assert (len(names), len(set(names)), len([name for name in names if "-all-" in name])) == (8, 3, 6)
    for name in set(names):
        assert not engine.containers.list(all=True, filters={"label": f"{COMPOSE_PROJECT}={name}"}, ignore_removed=True)


NEEDS = """
@pytest.mark.lab("hello")
def test_lab(lab):
    raise AssertionError("it ran")

@pytest.mark.needs("nfqueue")
def test_needs():
    raise AssertionError("it ran")

@pytest.mark.needs("ipv6", "nfqueue")
def test_needs_two():
    raise AssertionError("it ran")

def test_unmarked(lab):
    raise AssertionError("it ran")

def test_factory(lab_factory):
    lab_factory("hello")
    raise AssertionError("it ran")
"""
NOWHERE = "unix:///nonexistent/docker.sock"


def test_without_an_engine_tests_are_skipped(folder):
    done = played(folder, NEEDS, DOCKER_HOST=NOWHERE)
    assert done.returncode == 0
    assert "5 skipped" in done.stdout
    assert "labs of this run are left" not in done.stdout, "none was made"
    assert done.stdout.count("ipv6, nfqueue: no Docker engine answers") == 1, "one reason is said once"
    assert "this machine lacks what the test needs: nfqueue: no Docker engine answers at unix:///none" in done.stdout


def test_in_ci_they_fail(folder):
    done = played(folder, NEEDS, DOCKER_HOST=NOWHERE, CI="true")
    assert done.returncode == 1
    assert "5 errors" in done.stdout
    assert "and CI is set: engine: no Docker engine answers" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@pytest.mark.needs('magic')\ndef test_it(): pass", "what labctl can look for is engine, compose, ipv6"),
        ("@pytest.mark.lab(scope='class')\ndef test_it(lab): pass", "a lab's scope is function, module, session"),
        ("@pytest.mark.lab(size=3)\ndef test_it(lab): pass", "is the marker"),
    ],
)
def test_bad_markers(folder, text, said):
    done = played(folder, text)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def test_plugin_is_light():
    """Nothing of Docker is imported until a lab is wanted, and loading takes 10 ms at most (of time on a core)."""
    code = (
        "import sys, time, pytest; begun = time.process_time(); import labctl.testing.plugin, labctl.testing.labs;"
        "print(time.process_time() - begun, 'docker' in sys.modules, 'labctl.engine' in sys.modules)"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
        for _ in range(5)
    ]
    assert all(words[1:] == ["False", "False"] for words in found)
    assert min(float(words[0]) for words in found) < 0.01
