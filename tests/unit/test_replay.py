"""A run done once more: what it may start, in which order it does what, and what it says where that isn't as it was."""

import json
import os
import threading
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner
from saved_runs import at, run_of

from labctl.bundle import bare, file, save
from labctl.bundle.again import replay, wanted
from labctl.bundle.again.steps import Breaking, Typing, spec_of, steps_of
from labctl.bundle.inputs import inputs_of
from labctl.bundle.model import Mark
from labctl.cli.app import command_line
from labctl.engine.model import LABEL_COMPOSE, Image
from labctl.errors import LabError
from labctl.events.model import Event
from labctl.lab.faults import spec
from labctl.lab.keyboard.send import send
from labctl.lab.life.up import Request, up
from labctl.lab.roles import udp

SERVICE = {"image": "labctl/chat-server", "networks": {"net": {}}, "read_only": True, "cap_drop": ["ALL"]}


def quiet(text: str) -> None:
    pass


def compose(service=None, **top) -> str:
    return json.dumps({"name": "x", "services": {"a": {**SERVICE, **(service or {})}}, "networks": {"net": {}}, **top})


def objections(engine, text: str) -> list[str]:
    return wanted.objections(engine, wanted.configuration(text))


@pytest.mark.parametrize(
    "service",
    [
        {"privileged": True},
        {"cap_add": ["NET_ADMIN"]},
        {"volumes": [{"type": "bind", "source": "/", "target": "/host"}]},
        {"volumes": [{"type": "volume", "source": "data", "target": "/data"}]},
        {"volumes_from": ["a"]},
        {"devices": ["/dev/kvm"]},
        {"device_cgroup_rules": ["a *:* rwm"]},
        {"network_mode": "host"},
        {"network_mode": "container:other"},
        {"pid": "host"},
        {"ipc": "host"},
        {"uts": "host"},
        {"userns_mode": "host"},
        {"cgroup_parent": "/"},
        {"security_opt": ["seccomp:unconfined"]},
        {"security_opt": "apparmor:unconfined"},
        {"ports": [{"target": 80, "published": "80"}]},
        {"ports": [{"target": 80, "published": "80", "host_ip": "0.0.0.0"}]},
        {"ports": ["80:80"]},
        {"build": {"context": "/"}},
        {"configs": [{"source": "secret"}]},
        {"secrets": [{"source": "secret"}]},
        {"env_file": ["/etc/shadow"]},
        {"extends": {"file": "/etc/passwd", "service": "x"}},
        {"provider": {"type": "anything"}},
        {"post_start": [{"command": ["x"], "privileged": True}]},
        {"runtime": "other"},
        {"gpus": "all"},
        {"sysctls": {"net.core.somaxconn": "1"}},
        {"group_add": ["docker"]},
        {"pull_policy": "always"},
        {"logging": {"driver": "syslog", "options": {"syslog-address": "tcp://10.0.0.1"}}},
        {"ulimits": {"memlock": -1}},
        {"ulimits": {"nofile": 10**9}},
        {"use_api_socket": True},
        {"something_of_next_year": True},
        {"image": "somebody/elses:latest"},
        {"image": "labctl/nosuch"},
        {"environment": {"TAKEN": "${AWS_SECRET_ACCESS_KEY}"}},
        {"command": ["echo", "$HOME"]},
    ],
)
def test_nobody_starts_that_unasked(engine, service):
    assert objections(engine, compose(service))


@pytest.mark.parametrize(
    "top",
    [
        {"include": ["/etc/other.yaml"]},
        {"configs": {"x": {"file": "/etc/shadow"}}},
        {"secrets": {"x": {"file": "/etc/shadow"}}},
        {"volumes": {"x": {"driver_opts": {"type": "none", "device": "/", "o": "bind"}}}},
        {"networks": {"net": {"external": True}}},
        {"networks": {"net": {"driver": "macvlan"}}},
        {"networks": {"net": {"name": "another_lab"}}},
        {"networks": {"net": {"driver_opts": {"parent": "eth0"}}}},
        {"networks": {"net": {"ipam": {"driver": "other"}}}},
        {"models": {"x": {}}},
    ],
)
def test_nor_that_at_the_top_of_the_file(engine, top):
    assert objections(engine, compose(**top))


def test_what_labctls_own_labs_are_made_of_may_start(engine):
    mine = {
        "ports": [{"target": 80, "published": "8080", "host_ip": "127.0.0.1"}],
        "security_opt": ["no-new-privileges:true"],
        "environment": {"PRICE": "5 $$ each"},
        "ulimits": {"nofile": 8192},
        "labels": {"mine": "x"},
        "x-mine": 1,
    }
    assert objections(engine, compose(mine)) == []
    engine.images["somebody/elses:latest"] = Image("sha256:1", {})
    assert objections(engine, compose({"image": "somebody/elses:latest"})) == []


def test_labels_can_not_speak_for_labctl():
    text = compose({"labels": {"dev.labctl.routes": "[]", "com.docker.compose.project": "other", "mine": "x"}})
    assert wanted.configuration(text)["services"]["a"]["labels"] == {"mine": "x"}


@pytest.mark.parametrize(
    "text", ["a: [*x]", "[]", "{}", '{"services": {"a": null}}', '{"services": {"a": 1}}', "&a [*a]"]
)
def test_a_compose_file_that_is_none(engine, text):
    with pytest.raises(LabError) as found:
        replay.wanted_of(engine, replace(run_of(), compose=text), "x.labrun")
    assert found.value.code == "run-broken"


def test_without_a_compose_file_there_is_no_replay(engine):
    with pytest.raises(LabError, match="is not in it") as found:
        replay.wanted_of(engine, replace(run_of(), compose=""), "x.labrun")
    assert found.value.code == "no-replay"


RULES = [
    spec.of_conditions(spec.parsed({"delay": "40ms", "jitter": "5ms", "drop": "30%", "rate": "1mbit"}), seed=7),
    spec.of_conditions(spec.parsed({"corrupt": "10%"}), ["fix_checksum"], seed=7),
    spec.of_pick("drop", "tcp data 1"),
    spec.of_pick("drop", "udp every 3"),
    spec.of_pick("delay", 'tcp contains "it\'s 3 times by 5"', by="300ms", times=2),
    spec.of_pick("corrupt", "tcp data", ["fix_checksum"], seed=9),
    spec.of_pick("duplicate", "udp", times=1),
    spec.of_pick("reset", "tcp data 2"),
    spec.of_partition(),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.what)
def test_a_rule_is_made_again_of_its_words(rule):
    found = spec_of(Breaking("f1", ("a:b",), rule.what, rule.kind, rule.seed or 0, ()))
    assert (found.kind, found.what, dict(found.fields)) == (rule.kind, rule.what, dict(rule.fields))
    assert (found.seed or 0) == (rule.seed or 0)


def rule_event(moment, state, link, **more) -> Event:
    return Event(
        at(moment), link.partition(":")[0], "rule", fields={"rule": "f1", "state": state, "link": link, **more}
    )


def with_events(run, *events):
    every = tuple(sorted((*run.events, *events), key=lambda event: event.ts))
    return replace(run, events=every, inputs=tuple(inputs_of(run.lab, every)))


def test_steps_are_in_order_and_know_their_causes():
    told = {"what": "partition", "kind": "partition", "seed": 0}
    run = with_events(
        run_of(),
        *(rule_event(305, "set", link, **told) for link in ("alice:bob", "bob:alice")),
        *(rule_event(320, "ended", link, reason="cleared") for link in ("alice:bob", "bob:alice")),
        rule_event(330, "ended", "bob:alice", reason="the node's network is gone"),
    )
    first, broken, second, healed = steps_of(run)
    assert isinstance(first, Typing)
    assert isinstance(second, Typing)
    assert isinstance(broken, Breaking)
    assert (broken.links, broken.kind, broken.ends) == (("alice:bob", "bob:alice"), "partition", False)
    assert Mark("bob", "message", "hello") in broken.followed
    assert isinstance(healed, Breaking)
    assert healed.ends
    assert [first.input.text, second.input.text] == ["hello", "bye"]


def test_what_can_not_be_typed_says_why():
    train = Event(at(311), "bob", "train", fields={"id": "t1"})
    run = with_events(run_of(), Event(at(310.5), "bob", "input", fields={"text": "x", "id": "t1"}), train)
    because = [step.because for step in steps_of(run) if isinstance(step, Typing)]
    assert because == ["", "", "it was a train of datagrams, which a replay doesn't send"]
    assert {step.because for step in steps_of(bare.without_payload(run_of()))} == {"its text was not saved"}


def test_a_lab_is_done_again(engine, tmp_path, monkeypatch):
    """All of it on the engine in memory: what was typed is typed again, and the journals are the same."""
    first = up(engine, Request("hello", "first"), quiet)
    for text in ("hi", "hi", "and more"):
        send(engine, first, "alice", text)
    udp.send(engine, first, "udp1", "udp2", "hey")
    monkeypatch.setattr(save, "_sockets", lambda *_: ())
    run = save.gather(engine, first)
    path = tmp_path / "run.labrun"
    file.write(run, path)
    run = file.read(path)
    assert [one.text for one in run.inputs] == ["hi", "hi", "and more", "hey"]
    what = replay.wanted_of(engine, run, "run.labrun")
    assert what.objections == ()
    again = replay.start(engine, what, "second", record=False, timeout=30, report=quiet)
    assert not [name for name in os.listdir(tmp_path.parent) if name.startswith("labctl-replay-")]
    done = replay.replay(engine, run, again, timeout=5, report=quiet)
    assert (done.typed, done.rules, done.remarks) == (4, 0, ())
    there = save.gather(engine, again)
    assert [(one.node, one.text, one.to_node) for one in there.inputs] == [
        (one.node, one.text, one.to_node) for one in run.inputs
    ]
    # And once more from what was saved of that, though the file that it was made from is gone.
    third = replay.start(
        engine, replay.wanted_of(engine, there, "again.labrun"), "third", record=False, timeout=30, report=quiet
    )
    assert [node.name for node in third.nodes] == [node.name for node in first.nodes]
    assert replay.replay(engine, there, third, timeout=5, report=quiet).typed == 4
    assert json.loads(save.gather(engine, third).compose)["services"] == json.loads(run.compose)["services"]


@pytest.mark.parametrize("label", ["", "=", "eJw=", "eJyrBgABdgD5"])
def test_a_label_of_somebody_elses_is_no_compose_file(label):
    assert wanted.borne({LABEL_COMPOSE: label}) is None


def test_what_does_not_come_again_is_told_and_not_waited_for(engine):
    lab = up(engine, Request("hello"), quiet)
    run = run_of()
    run = replace(
        run, inputs=tuple(replace(one, followed=(Mark("bob", "never", "x"),), to="") for one in run.inputs[:1])
    )
    done = replay.replay(engine, replace(run, events=run.events[:2]), lab, timeout=0.3, report=quiet)
    assert done.typed == 1
    assert done.remarks == ("bob's never 'x' did not come before alice: 'hello'",)


def test_an_input_waits_for_what_it_followed(engine):
    """And not only for a time: whatever comes late is waited for."""
    lab = up(engine, Request("hello"), quiet)
    wanted_mark = Mark("bob", "message", "late")
    run = run_of()
    run = replace(
        run,
        events=run.events[:2],
        inputs=tuple(replace(one, followed=(wanted_mark,)) for one in run.inputs[:1]),
    )
    typed: list[float] = []

    def report(_: str) -> None:
        typed.append(time.monotonic())

    watching = threading.Event()

    class Watch(replay.Watch):
        def until(self, wanted, timeout):
            watching.set()
            return super().until(wanted, timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "Watch", Watch)
        thread = threading.Thread(
            target=replay.replay, args=(engine, run, lab), kwargs={"timeout": 30, "report": report}
        )
        thread.start()
        assert watching.wait(30)
        assert not typed
        sent = time.monotonic()
        send(engine, lab, "alice", "late")
        thread.join(30)
    assert typed
    assert typed[0] > sent


def test_the_command_asks_first(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("labctl.engine.connect", lambda: engine)
    path = tmp_path / "run.labrun"
    file.write(replace(run_of(), compose=compose()), path)
    done = CliRunner().invoke(command_line(), ["replay", str(path)])
    assert "a  labctl/chat-server" in done.output
    assert isinstance(done.exception, LabError)
    assert done.exception.code == "replay-refused"
    file.write(replace(run_of(), compose=compose({"privileged": True})), path)
    done = CliRunner().invoke(command_line(), ["replay", str(path), "--yes"])
    assert isinstance(done.exception, LabError)
    assert (done.exception.code, "a: privileged: true" in done.exception.message) == ("replay-untrusted", True)
    assert engine.containers() == []
