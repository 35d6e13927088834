"""The table of roles is whole: images, programs, commands and events are those that it knows, and no others."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from memory_lab import event

import labctl
from labctl.cli.app import command_line
from labctl.engine.memory import MemoryEngine
from labctl.errors import LabError
from labctl.events.model import Event
from labctl.lab import roles
from labctl.lab.model import find
from labctl.lab.roles import EVENTS, FILES, table
from labctl.render.timeline import Timeline, said

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
LABEL = re.compile(r"dev\.labctl\.role=(\S+) dev\.labctl\.program=/opt/node/(\S+)\.py")
IMAGES = LABEL.findall((SERVICES / "Dockerfile").read_text())
WRITES = re.compile(r"journal\.event\(\s*\"([a-z-]+)\"")
SHARED = {"chat": [SERVICES / "base/chat"]}  # packages that only programs of one role have
# Files beside them, which are no roles.
AROUND = {"__init__", "role", "chat_log", "http_exchange"}


def sources(role: str) -> list[Path]:
    programs = [program for word, program in IMAGES if word == role]
    folders = [SERVICES / program.replace("_", "-") for program in programs]
    return [path for folder in (*folders, *SHARED.get(role, ())) for path in folder.glob("*.py")]


def test_each_file_is_in_the_table():
    assert {path.stem for path in (ROOT / "labctl/lab/roles").glob("*.py")} - AROUND == set(FILES)
    assert all(roles.in_file(name) for name in FILES)
    assert len(table()) == sum(len(roles.in_file(name)) for name in FILES), "a word means one role"


def test_images_have_the_roles_of_the_table():
    assert {word for word, _ in IMAGES} == set(table())
    contract = (ROOT / "docs/node-contract.md").read_text()
    assert all(f"\n**{word}**" in contract for word in table())


@pytest.mark.parametrize("word", [word for word, _ in IMAGES])
def test_programs_write_the_events_of_their_role(word):
    assert sources(word), "its program wasn't found"
    written = {name for path in sources(word) for name in WRITES.findall(path.read_text())}
    role = table()[word]
    assert written - set(EVENTS) == set(role.events)
    assert set(role.outcomes) <= {"send", *role.events}
    contract = (ROOT / "docs/node-contract.md").read_text()
    assert all(f"`{name}`" in contract for name in role.events)


@pytest.mark.parametrize("name", [name for name, about in FILES.items() if about])
def test_commands_are_there(name):
    known = {command for role in roles.in_file(name) for command in role.commands}
    known |= {f"{name} {role.typing.name}" for role in roles.in_file(name) if role.typing}
    shown = CliRunner().invoke(command_line(), [name, "--help"]).output
    assert FILES[name] in shown
    assert known == {f"{name} {word}" for word in re.findall(r"^  (\w+)  ", shown.partition("Commands:")[2], re.M)}


def test_no_module_outside_the_table_decides_by_a_roles_word():
    decides = re.compile(rf'\brole (==|!=|in|not in) [(\[{{]?"({"|".join(table())})"')
    room = ROOT / "labctl/lab/roles"
    assert [
        path for path in (ROOT / "labctl").rglob("*.py") if path.parent != room and decides.search(path.read_text())
    ] == []


def test_commands_that_are_made_of_a_role():
    for role in table().values():
        if role.typing:
            group = next(name for name in FILES if role in roles.in_file(name))
            shown = CliRunner().invoke(command_line(), [group, role.typing.name, "--help"]).output
            assert role.typing.help in shown


def test_a_timeline_draws_the_way_of_events():
    ends = {"local": ("10.0.0.1", 1), "peer": ("10.0.0.2", 2)}
    for name, arrow in {**EVENTS, **{k: v for role in table().values() for k, v in role.events.items()}}.items():
        event = Event("2026-11-22T21:45:10.121894341Z", "a", name, fields={}, **ends)
        assert said(event) == f"10.0.0.1:1 {arrow or '--'} 10.0.0.2:2"


@pytest.mark.parametrize("word", table())
def test_a_lab_shows_nodes_of_the_role_and_what_they_tell(word):
    """No picture, list or timeline has a list of roles of its own."""
    engine, role = MemoryEngine(), table()[word]
    made = engine.add("lab", "a", role=word, addresses={"net": ("10.0.0.1",)})
    engine.add("lab", "b", role="http", addresses={"net": ("10.0.0.2",)})
    lab = labctl.find(engine=engine)
    assert (lab.node("a").role, lab.node("a").status().node.role) == (word, word)
    graph = lab.graph()
    assert [node["role"] for node in graph.as_json()["nodes"] if node["node"] == "a"] == [word]
    for text in (graph.text(), graph.svg(), graph.mermaid(), graph.dot()):
        assert word in text
    for name in role.events:
        event(made, name, local=["10.0.0.1", 7], peer=["10.0.0.2", 8])
    told = list(lab.journal("a"))
    assert [one.name for one in told] == list(role.events)
    lines = [Timeline(["a"], columns=None, colour=False).line(one) for one in told]
    assert all(f"{one.name} " in line and role.events[one.name] in line for one, line in zip(told, lines, strict=True))
    if role.sending is None:
        with pytest.raises(labctl.NodeError, match=re.escape(role.called)):
            lab.node("a").send("hi")


@pytest.mark.parametrize(
    ("role", "actual"),
    [
        (None, "somebody's own image"),
        ("echo", "an echo server"),
        ("frob", "of the role frob, which this labctl does not know"),
    ],
)
def test_a_node_of_another_role_is_told_by_its_own(role, actual):
    engine = MemoryEngine()
    engine.add("lab", "a", role=role)
    lab = find(engine, "lab")
    with pytest.raises(LabError) as problem:
        roles.need_role(lab, lab.node("a"), "chat", "chat send")
    assert problem.value.code == "wrong-role"
    assert actual in problem.value.message
