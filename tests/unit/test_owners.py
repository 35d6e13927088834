"""Whose lab it is: another one's is found, looked at, and neither changed nor removed unasked."""

import contextlib
import os

import pytest
from click.testing import CliRunner

from labctl.cli import app, context
from labctl.cli.chosen import Chosen
from labctl.cli.context import asked_name
from labctl.cli.output import Settings
from labctl.engine.memory import MemoryEngine
from labctl.engine.model import LABEL_LAB, LABEL_OWNER, LABEL_PROBE, LABEL_TARGET, LABEL_TOPOLOGY
from labctl.errors import LabError
from labctl.lab import owners, probes
from labctl.lab.life.down import down, down_all, known, meant, standing_of, whose
from labctl.lab.life.up import _of_others, _take_back
from labctl.lab.locks import LabLock
from labctl.lab.model import find
from labctl.lab.placing import claim
from labctl.lab.placing.blueprint import Blueprint, _notes
from labctl.topology import builtin, shipped
from labctl.topology.model import parse

ME = os.getuid()
THEIRS = {LABEL_OWNER: f"{ME + 1}@desk/bob", LABEL_TOPOLOGY: "/home/bob/lab.yaml"}


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.delenv("LABCTL_LAB", raising=False)
    monkeypatch.setattr(Settings, "changes", False)
    monkeypatch.setattr(Settings, "force", False)


def mine() -> dict[str, str]:
    return {LABEL_OWNER: str(owners.me()), LABEL_TOPOLOGY: "hello"}


def test_the_only_lab_is_the_only_one_of_mine(engine):
    engine.add("theirs", "a", labels=THEIRS)
    with pytest.raises(LabError, match=r"no lab of yours is there; others' are: theirs \(bob@desk\)"):
        find(engine)
    engine.add("mine", "a", labels=mine())
    assert find(engine).name == "mine"
    assert find(engine, "theirs").standing.owner.user == "bob", "looking is free"
    engine.add("nobodys", "a")
    with pytest.raises(LabError, match="several labs are there: mine, nobodys$"):
        find(engine)


def test_labs_of_lessons_are_meant_where_no_other_is_there(engine):
    engine.add("lesson-hello", "a", labels=mine())
    assert find(engine).name == "lesson-hello"
    assert meant(engine, everything=False, force=False)[0] == ["lesson-hello"]
    engine.add("lesson-nat", "a", labels=mine())
    with pytest.raises(LabError, match="several labs are there: lesson-hello, lesson-nat$"):
        find(engine)
    engine.add("mine", "a", labels=mine())
    assert find(engine).name == "mine"
    assert meant(engine, everything=False, force=False)[0] == ["mine"]
    assert meant(engine, everything=True, force=False)[0] == ["lesson-hello", "lesson-nat", "mine"]
    engine.add("other", "a", labels=mine())
    for choose in (lambda: find(engine), lambda: meant(engine, everything=False, force=False)):
        with pytest.raises(LabError, match="several labs are there: mine, other$"):
            choose()


@pytest.mark.parametrize(
    ("label", "local", "is_mine"),
    [
        ("{uid}@{host}/{user}", True, True),
        ("{uid}@{host}/{user}", False, True),
        ("{uid}@elsewhere/{user}", True, True),  # this machine got another name, or it is a container with the socket
        ("{uid}@elsewhere/{user}", False, False),
        ("{uid}@elsewhere/another", True, False),
        ("{uid}@{host}/renamed", False, True),
        ("{other}@{host}/{user}", True, False),
        ("no owner at all", True, True),
        ("9" * 5000 + "@{host}/{user}", True, True),  # somebody wrote it who wanted labctl to stumble
        ("", True, True),
    ],
)
def test_who_counts_as_the_same(engine, label, local, is_mine):
    engine.is_local = local
    text = label.format(uid=ME, other=ME + 1, host=os.uname().nodename, user=owners.user_name())
    assert owners.is_mine(engine, owners.read({LABEL_OWNER: text})) == is_mine


def test_down_leaves_anothers(engine):
    engine.add("theirs", "a", addresses={"net": ("10.0.0.2",)}, labels=THEIRS)
    engine.add("mine", "a", labels=mine())
    with pytest.raises(LabError) as caught:
        down(engine, "theirs", lambda line: None)
    assert caught.value.message == "the lab theirs is another one's: bob@desk, made from /home/bob/lab.yaml"
    assert caught.value.hint == "`labctl down theirs --force` removes this one all the same"
    removed, problems = down_all(engine, known(engine), lambda line: None)
    assert ([item.lab for item in removed], [problem.code for problem in problems]) == (["mine"], ["lab-of-another"])
    assert whose(engine) == {"theirs": False}
    assert down(engine, "theirs", lambda line: None, force=True).containers == 1


def test_down_says_which_one_is_yours(engine):
    engine.add("hello", "a", labels=THEIRS)
    own = owners.own_name("hello")
    engine.add(own, "a", labels=mine())
    with pytest.raises(LabError) as caught:
        down(engine, "hello", lambda line: None)
    assert caught.value.hint.startswith(f"yours is {own} (`labctl down {own}`); ")


def test_helpers_at_a_project_that_is_not_labctls(engine):
    """They are removed, and that the project goes on is said."""
    engine.add("shop", "db", ours=False)
    helper = {LABEL_LAB: "shop", LABEL_PROBE: "capture", LABEL_OWNER: str(owners.me())}
    engine.add("helpers", "x", ours=False, labels=helper)
    removed = down(engine, "shop", lambda line: None)
    assert (removed.containers, removed.goes_on) == (1, True)
    with pytest.raises(LabError, match="a Compose project named shop is there already"):
        down(engine, "shop", lambda line: None)


def test_a_helper_is_of_whoever_looked_and_the_lab_is_not(engine):
    engine.add("lab", "a", labels=mine())
    lab = find(engine, "lab")
    order = probes.order(lab, lab.nodes[0], probes.CAPTURE)
    assert order.labels[LABEL_OWNER] == str(owners.me())
    engine.add("lab", "z", labels={**THEIRS, LABEL_PROBE: "capture"})
    assert standing_of(engine, "lab").owner.uid == ME


COMPOSE = builtin.locate(None)


def blueprint(name: str = "hello", file=COMPOSE) -> Blueprint:
    found = parse(f"{{name: {name}, services: {{a: {{image: x}}}}}}", file)
    return Blueprint(found, builtin.Source(file))


def volumes(engine) -> list[str]:
    return [volume.name for volume in engine.volumes([LABEL_LAB])]


def test_a_name_is_claimed_until_the_containers_are_there(engine):
    with claim.taken(engine, blueprint(), named=False, take_over=False) as there:
        assert there == []
        assert volumes(engine) == ["hello_labctl-claim"]
        assert standing_of(engine, "hello") == owners.Standing(owners.me(), "hello")
        # The same user again, after a labctl that was killed: it is still his.
        with claim.taken(engine, blueprint(), named=False, take_over=False):
            pass
    assert volumes(engine) == []


def test_an_interrupted_up_takes_back_its_own_alone(engine):
    """While it waited for its nodes, they went, and another one's have the name now."""
    ours = engine.add("hello", "a", labels=mine())
    lab = find(engine, "hello")
    helpers = {
        who: engine.add(
            "helpers", who, ours=False, labels={LABEL_LAB: "hello", LABEL_PROBE: "capture", LABEL_TARGET: of}
        )
        for who, of in (("our", ours.record.id), ("their", "0" * 64))
    }
    theirs = engine.add("hello", "b", addresses={"net": ("10.0.0.2",)}, labels=THEIRS)
    _take_back(engine, "hello", _of_others(engine, lab), lambda line: None)
    assert {item.id for item in engine.containers()} == {theirs.record.id, helpers["their"].record.id}
    assert [network.name for network in engine.networks()] == ["net"]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("there", ["claim", "containers"])
def test_one_that_another_has_taken_at_the_same_moment(engine, named, there):
    """Told where the name was asked for; else another name is to be looked for. The other one's claim stays."""
    if there == "claim":
        engine.create_volume("hello_labctl-claim", {**THEIRS, LABEL_LAB: "hello"})
    else:
        engine.add("hello", "a", labels=THEIRS)
    with (
        pytest.raises(LabError if named else claim.Overtaken) as caught,
        claim.taken(engine, blueprint(), named=named, take_over=False),
    ):
        pytest.fail("it may not be changed")
    assert not named or caught.value.code == "lab-of-another"
    assert volumes(engine) == (["hello_labctl-claim"] if there == "claim" else [])
    with claim.taken(engine, blueprint(), named=named, take_over=True) as containers:
        assert len(containers) == (there == "containers")


class Late(MemoryEngine):
    """Another one's `up` ends between our first look and our claim."""

    def create_volume(self, name, labels):
        self.add("hello", "a", labels=THEIRS)
        return super().create_volume(name, labels)


def test_who_claims_looks_again():
    engine = Late()
    with pytest.raises(claim.Overtaken), claim.taken(engine, blueprint(), named=False, take_over=False):
        pytest.fail("it may not be changed")
    assert volumes(engine) == []


def test_a_lab_from_another_file(engine, tmp_path):
    engine.add("lab", "a", labels={**mine(), LABEL_TOPOLOGY: str(tmp_path / "one.yaml")})
    with (
        pytest.raises(LabError) as caught,
        claim.taken(engine, blueprint("lab", tmp_path / "two.yaml"), named=True, take_over=False),
    ):
        pytest.fail("it may not be changed")
    assert caught.value.message == f"the lab lab was made from {tmp_path}/one.yaml, and this is {tmp_path}/two.yaml"
    for file, take_over in ((tmp_path / "one.yaml", False), (tmp_path / "two.yaml", True)):
        with claim.taken(engine, blueprint("lab", file), named=True, take_over=take_over) as there:
            assert len(there) == 1


def test_a_built_in_one_is_the_same_in_whichever_checkout():
    assert builtin.find(None).origin == builtin.find("hello").origin == "hello"
    assert builtin.find("line:3").origin == builtin.find("line:4").origin == "line"
    assert builtin.find("udp-mesh:3").origin == "udp-mesh"
    assert builtin.find(str(shipped.root() / "compose.yaml")).origin == "hello"


def test_an_older_labctls_lab_is_everybodys(engine):
    """It has no owner's label, and its topology's label is the file of the checkout."""
    engine.add("hello", "a", labels={LABEL_TOPOLOGY: str(shipped.root() / "compose.yaml")})
    with claim.taken(engine, blueprint(), named=False, take_over=False) as there:
        assert len(there) == 1
    assert find(engine).name == "hello"
    assert down(engine, "hello", lambda line: None).containers == 1


def test_labctl_lab_is_a_name_that_was_asked_for(monkeypatch):
    assert asked_name(None) is None
    monkeypatch.setenv("LABCTL_LAB", "chosen")
    assert asked_name(None) == "chosen"
    assert asked_name("stronger") == "stronger"
    monkeypatch.setenv("LABCTL_LAB", "")
    assert asked_name(None) is None


def leaves() -> dict[str, object]:
    found = {}
    for name, command in app.Commands(app.COMMANDS).items():
        for within, leaf in getattr(command, "commands", {"": command}).items():
            found[f"{name} {within}".strip()] = leaf
    return found


def test_every_command_that_changes_a_lab_asks_before_it_does_so_to_anothers(monkeypatch, engine):
    """By --force, which each of them has, and none of those that look."""
    forced = {name for name, leaf in leaves().items() if any("--force" in one.opts for one in leaf.params)}
    expected = ["down", "start", "stop", "restart", "kill", "pause", "unpause", "send", "attach", "exec"]
    expected += ["partition", "heal"]
    expected += ["chat send", "echo send", "udp send", "fault add", "fault drop", "fault clear"]
    assert set(expected) <= forced
    assert not {"ps", "ls", "logs", "graph", "plan", "fault ls", "chat log", "ping", "trace"} & forced
    engine.add("theirs", "a", labels=THEIRS)
    monkeypatch.setattr("labctl.engine.connect_all", lambda: engine)
    for verb in ("pause", "unpause", "stop", "start", "kill"):
        told = CliRunner().invoke(leaves()[verb], ["a", "--lab", "theirs"]).exception
        assert isinstance(told, LabError)
        assert told.code == "lab-of-another"
        told = CliRunner().invoke(leaves()[verb], ["a", "--lab", "theirs", "--force", "--timeout", "0.01"]).exception
        assert getattr(told, "code", "") != "lab-of-another"
    assert find(engine, "theirs").nodes[0].container.state == "exited"


@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("", False)])
def test_a_person_is_asked(engine, monkeypatch, answer, goes_on):
    engine.add("theirs", "a", labels=THEIRS)
    monkeypatch.setattr("labctl.engine.connect_all", lambda: engine)
    monkeypatch.setattr(Settings, "changes", True)

    class Terminal:
        said = ""

        def isatty(self):
            return True

        def readline(self):
            return answer

        def write(self, text):
            self.said += text

        def flush(self): ...

    terminal = Terminal()
    monkeypatch.setattr(context.sys, "stdin", terminal)
    monkeypatch.setattr(context.sys, "stderr", terminal)
    if goes_on:
        assert Chosen("theirs").name == "theirs"
    else:
        with pytest.raises(LabError):
            Chosen("theirs")
    assert terminal.said.startswith(
        "the lab theirs is another one's: bob@desk, made from /home/bob/lab.yaml. All the same"
    )


@pytest.mark.parametrize(
    ("written", "name", "told"), [("MyLab", "mylab", 1), ("MyLab", "chosen", 0), ("lab", "lab", 0)]
)
def test_what_compose_makes_of_the_files_name_is_noted(tmp_path, written, name, told):
    """`chosen` is COMPOSE_PROJECT_NAME's."""
    file = tmp_path / "lab.yaml"
    file.write_text(f"name: {written}\nservices: {{a: {{image: x}}}}\n")
    notes = list(
        _notes(parse(f"{{name: {name}, services: {{a: {{image: x}}}}}}", file), builtin.Source(file), named=False)
    )
    assert len(notes) == told
    assert not told or "Compose makes mylab of it" in notes[0]


@pytest.mark.parametrize("take_over", [True, False])
def test_a_lab_of_somebody_else_leaves_no_file_of_ours(engine, tmp_path, monkeypatch, take_over):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    engine.add("hello", "a", labels=THEIRS)
    folder = tmp_path / f"labctl-{ME}" / "hello"
    lock = LabLock("hello")
    lock.acquire(1, lambda line: None)
    refused = contextlib.nullcontext() if take_over else pytest.raises(LabError, match="bob")
    with refused, claim.locked(engine, blueprint(), lock, named=True, take_over=take_over):
        pass
    lock.close()
    assert folder.exists() == take_over, "what is ours from now on has its lock"
