"""What `ps` says of nodes, and what `up` waits for, where their programs end, crash and are started again."""

import re

import pytest
from memory_lab import event, stamp

from labctl.engine.memory import MemoryContainer, MemoryEngine
from labctl.engine.model import COMPOSE_SERVICE, Port
from labctl.errors import LabError
from labctl.lab.life import fate, ready
from labctl.lab.life.ready import wait_ready
from labctl.lab.life.status import ps
from labctl.lab.model import find
from labctl.render import tables


class Eventful(MemoryEngine):
    """`then` are what happens from one look at the containers to the next."""

    def __init__(self):
        super().__init__()
        self.then = []

    def containers(self, labels=(), *, running=False):
        found = super().containers(labels, running=running)
        if self.then:
            self.then.pop(0)()
        return found


@pytest.fixture
def engine(monkeypatch) -> Eventful:
    monkeypatch.setattr(ready, "SETTLE", 0.05)
    monkeypatch.setattr(ready, "LOOK_AGAIN", 0.001)
    return Eventful()


def begun(engine: MemoryEngine, node: str, **options) -> MemoryContainer:
    """A program that has only just been started."""
    made = engine.add("lab", node, **options)
    made.started = stamp()
    return made


def restarted(container: MemoryContainer, state: str = "running") -> None:
    """The engine has started it again, as its restart policy says."""
    container.restarts += 1
    container.exit_code = 1
    container.started = stamp()
    ended = {"exit_code": 1, "ended": "1 second ago"} if state == "restarting" else {"exit_code": None, "ended": ""}
    container.record = container.record._replace(state=state, **ended)


def waited(engine: MemoryEngine, lab) -> str:
    """What waiting for a lab comes to: its error, or nothing."""
    try:
        wait_ready(engine, lab, 0, 5, lambda text: None)
    except LabError as problem:
        return problem.message
    return ""


def shown(engine: MemoryEngine, lab) -> dict[str, list[str]]:
    """The table's cells, by node."""
    lines = tables.nodes(ps(engine, lab), columns=None, colour=False).splitlines()
    return {cells[0]: cells[1:] for cells in (re.split(" {2,}", line) for line in lines)}


def nothing() -> None:
    """Happens between two looks."""


def test_a_program_that_dies_within_seconds_has_failed(engine, lab_of, monkeypatch):
    monkeypatch.setattr(ready, "SETTLE", 60)  # however slow this machine is
    mine = begun(engine, "mine")
    mine.print("SyntaxError: invalid syntax")
    lab = lab_of()
    engine.then = [nothing, nothing, lambda: mine.end(1)]
    assert waited(engine, lab) == (
        "mine failed: it ended with exit status 1; its last lines:\n    SyntaxError: invalid syntax"
    )


def test_a_job_that_does_its_work_meanwhile_has_not(engine, lab_of):
    job = begun(engine, "job")
    lab = lab_of()
    engine.then = [nothing, lambda: job.end(0)]
    assert waited(engine, lab) == ""


def test_a_program_that_has_run_for_long_is_not_waited_for(engine, lab_of, monkeypatch):
    monkeypatch.setattr(ready, "SETTLE", 3600)
    engine.add("lab", "db").started = "2020-01-01T00:00:00Z"
    assert waited(engine, lab_of()) == ""


class Mute(Eventful):
    """Its containers have a logging driver that gives nothing back."""

    def logs(self, container, **options):
        raise LabError("engine-refused", action="give a container's log", why="it does not support reading")


def test_a_node_whose_lines_cannot_be_had_has_failed_all_the_same(lab_of):
    engine = Mute()
    engine.add("lab", "mine").end(3)
    engine.add("lab", "web", role="http")
    lab = find(engine)
    assert waited(engine, lab._replace(nodes=(lab.node("mine"),))) == "mine failed: it ended with exit status 3"
    assert {status.node.name: status.state for status in ps(engine, lab)} == {"mine": "exited", "web": "running"}


def test_all_that_have_failed_are_named(engine, lab_of):
    mine, other = begun(engine, "mine"), begun(engine, "other")
    lab = lab_of()
    engine.then = [lambda: (mine.end(1), other.end(2))]
    assert waited(engine, lab).splitlines() == [
        "mine failed: it ended with exit status 1",
        "other exited (2) less than a second ago as well",
    ]


@pytest.mark.parametrize("state", ["running", "restarting"])
def test_a_program_that_is_started_again_and_again_has_failed(engine, lab_of, state):
    mine = begun(engine, "mine")
    mine.print("the port is taken")
    lab = lab_of()
    engine.then = [lambda: restarted(mine, state)] * 3
    said = waited(engine, lab)
    assert said.startswith("mine failed: it ended with exit status 1, and the engine has started it again 3 times;")
    assert "the port is taken" in said


def test_a_program_that_does_better_the_second_time_is_well(engine, lab_of):
    """What it needs may only just have come up: `restart: always` is how many wait for a database."""
    mine = begun(engine, "mine")
    lab = lab_of()
    engine.then = [lambda: restarted(mine, "restarting"), nothing, lambda: restarted(mine)]
    assert waited(engine, lab) == ""
    assert shown(engine, lab_of())["mine"][1] == "running, restarted 2 times"


def test_a_node_that_was_ready_and_has_ended_since_is_told(engine, lab_of):
    """Also one of labctl's own: its word is of the moment when it was said."""
    web = engine.add("lab", "web", role="http")
    event(web, "ready")
    lab = lab_of()
    web.record = web.record._replace(state="exited", exit_code=3)
    web.exit_code = 3
    assert waited(engine, lab).startswith("web failed: it ended with exit status 3; its last lines:")


def test_the_lab_is_given_as_it_is_then(engine, lab_of):
    """The health of a moment ago would be `starting`."""
    db = begun(engine, "db")
    db.record = db.record._replace(health="starting")
    lab = lab_of()

    def healthy() -> None:
        db.record = db.record._replace(health="healthy")

    engine.then = [healthy]
    found = wait_ready(engine, lab, float("inf"), 5, lambda text: None)
    assert shown(engine, found)["db"][1] == "healthy"


def test_ps_tells_how_a_program_ended(engine, lab_of):
    engine.add("lab", "done").end(0)
    hungry = engine.add("lab", "hungry")
    hungry.out_of_memory = True
    hungry.end(137)
    engine.add("lab", "mine").end(1)
    engine.add("lab", "made", state="created")
    rows = shown(engine, lab_of())
    assert rows["done"][1] == "exited (0) less than a second ago"
    assert rows["hungry"][1] == "exited (137, out of memory) less than a second ago"
    assert rows["mine"][1:] == ["exited (1) less than a second ago", "-", "-", "-"]
    assert rows["made"][1] == "created"
    told = {status.node.name: status.as_json() for status in ps(engine, lab_of())}
    keys = ("state", "exit_code", "out_of_memory", "restarts")
    assert [told["hungry"][key] for key in keys] == ["exited", 137, True, 0]
    assert [told["made"][key] for key in keys] == ["created", None, False, 0]
    assert told["made"]["since"] is None
    assert told["mine"]["since"] > "2026"


def test_ps_tells_where_a_node_listens(engine, lab_of):
    mine = engine.add("lab", "mine", ports=(Port("tcp", 8123),))
    mine.listen("tcp", 5000)
    mine.listen("tcp", 5000, "::")
    mine.listen("tcp", 6379, "127.0.0.1")
    mine.listen("tcp", 6379, "::1")
    mine.listen("udp", 7, "10.77.0.5")
    engine.add("lab", "idle", ports=(Port("tcp", 8123),))
    engine.add("lab", "far").sockets = None
    engine.add("lab", "host", host_network=True).listen("tcp", 22)
    rows = {name: cells[3] for name, cells in shown(engine, lab_of()).items()}
    assert rows == {
        "mine": "5000/tcp 127.0.0.1:6379/tcp [::1]:6379/tcp 10.77.0.5:7/udp",
        "NODE": "LISTENS",
        "idle": "-",
        "far": "?",
        "host": "?",
    }, "not what the image exposes"
    told = {status.node.name: status.as_json()["listening"] for status in ps(engine, lab_of())}
    assert told["mine"][0] == {"proto": "tcp", "port": 5000, "address": "0.0.0.0"}
    assert (told["idle"], told["far"], told["host"]) == ([], None, None)


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("node-refused", {"node": "client", "reason": "mine: Name or service not known", "error": "EAI_NONAME"}),
        ("no-answer", {"peer": "10.77.0.9:7", "seconds": 5, "mend": ""}),
        ("no-answer", {"peer": "[fd77::9]:7", "seconds": 5, "mend": ""}),
        ("unresolved", {"node": "client", "name": "mine", "why": "Name or service not known", "near": ""}),
        ("unresolved", {"node": "client", "name": "worker", "why": "Name or service not known", "near": ""}),
        ("no-such-name", {"name": "mine", "server": "127.0.0.11", "near": ""}),
        ("http-failed", {"url": "http://mine:8000/", "why": "mine: Name or service not known", "mend": ""}),
        ("not-confirmed", {"why": "mine's journal did not show it within 2 s", "mend": ""}),
        ("no-partner", {"node": "client", "reason": "nobody has called", "seconds": 5}),
        ("node-stopped", {"node": "mine"}),
    ],
)
def test_what_fails_because_a_node_has_ended_says_so(engine, lab_of, code, values):
    engine.add("lab", "client")
    mine = engine.add("lab", "mine", role="chat", addresses={"net": ("10.77.0.9", "fd77::9")})
    before = lab_of()
    fine = fate.told(engine, before, LabError(code, **values))
    assert fine.message == LabError(code, **values).message, "it runs"
    mine.end(1)
    mine.fixed = ("10.77.0.9", "fd77::9")
    mine.record = mine.record._replace(addresses={}, labels=mine.record.labels | {COMPOSE_SERVICE: "worker"})
    told = fate.told(engine, before, LabError(code, **values))
    assert told.message == f"mine exited (1) less than a second ago; {fine.message}"
    assert told.hint.startswith("`labctl logs mine` shows its last lines; `labctl start mine`")
    assert told.code == code
    again = fate.told(engine, lab_of(), LabError(code, **values))
    assert again.message == told.message, "also where it had ended before the command began"


def test_a_failure_about_others_says_nothing_of_a_node_that_has_ended(engine, lab_of):
    engine.add("lab", "client")
    engine.add("lab", "service").end(1)
    problem = LabError("wrong-role", node="service", actual="-", command="x", wanted="y", fitting="z")
    assert fate.told(engine, lab_of(), problem).message.startswith("service is")
    problem = LabError("no-answer", peer="10.77.0.5:7", seconds=5, mend="`labctl logs service`")
    assert fate.told(engine, lab_of(), problem).message.startswith("sent, but")


@pytest.mark.parametrize("name", ["a", "s", "to", "server", "http", "page"])
@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("engine-refused", {"action": "run a command in a container", "why": "no room to start a server"}),
        ("not-confirmed", {"why": "nothing showed it at 10.77.0.6 within 2 s", "mend": ""}),
        (
            "http-failed",
            {"url": "http://web:80/page/server", "why": "refused, asked from client", "mend": ""},
        ),
        ("unreachable", {"node": "client", "target": "web", "why": "a server on the way to it says: no route"}),
    ],
)
def test_a_word_that_is_a_nodes_name_by_chance_is_none(engine, lab_of, name, code, values):
    engine.add("lab", name).end(0)
    engine.add("lab", "client")
    problem = LabError(code, **values)
    assert fate.told(engine, lab_of(), LabError(code, **values)).message == problem.message


def test_what_to_do_about_a_node_that_ended_is_said_once(engine, lab_of):
    engine.add("lab", "mine").end(137)
    mend = "`labctl start mine` where it is to go on; `labctl logs alice` shows what was sent"
    problem = LabError("not-confirmed", why="its partner has stopped", mend=mend, about="mine")
    wanted = "`labctl logs mine` shows its last lines; `labctl start mine`; `labctl logs alice` shows what was sent"
    assert fate.told(engine, lab_of(), problem).hint == wanted


def test_all_who_shared_the_network_that_is_gone_are_told(engine, lab_of):
    owner = engine.add("lab", "app", addresses={"net": ("10.77.0.9",)})
    sidecar = engine.add("lab", "sidecar", network_of=owner.record.id)
    before = lab_of()
    for made in (owner, sidecar):
        made.end(1)
    owner.record = owner.record._replace(addresses={})
    told = fate.told(engine, before, LabError("no-answer", peer="10.77.0.9:7", seconds=5, mend="")).message
    assert told.startswith("app exited (1) less than a second ago; sidecar exited (1) ")


@pytest.mark.parametrize(
    ("state", "exit_code", "condition", "mend"),
    [
        ("exited", 1, "exited (1) 12 seconds ago", "`labctl logs mine` shows its last lines; `labctl start mine`"),
        (
            "restarting",
            1,
            "is about to be started again (it exited (1) 12 seconds ago)",
            "`labctl logs mine` shows its last lines; `labctl stop mine` keeps it from that",
        ),
        ("created", None, "has not been started", "`labctl start mine`"),
        ("paused", None, "is paused", "`labctl unpause mine`"),
        ("dead", None, "is dead", "`labctl start mine`"),
    ],
)
def test_a_node_that_does_not_run_is_told_with_what_became_of_it(engine, lab_of, state, exit_code, condition, mend):
    mine = engine.add("lab", "mine", state=state)
    mine.record = mine.record._replace(exit_code=exit_code, ended="12 seconds ago" if exit_code else "")
    with pytest.raises(LabError) as caught:
        lab_of().running("mine", "nothing can be typed at it")
    assert caught.value.message == f"mine {condition}, so nothing can be typed at it"
    assert caught.value.hint.startswith(mend)


class Asked(Eventful):
    """`questions` are those about single containers."""

    def __init__(self):
        super().__init__()
        self.questions = []

    def details(self, container):
        self.questions.append(container)
        return super().details(container)

    def logs(self, container, **options):
        self.questions.append(container)
        return super().logs(container, **options)


def asked_of_two() -> tuple[Asked, MemoryContainer, MemoryContainer]:
    engine = Asked()
    alice, bob = (begun(engine, name, role="chat", addresses={"lab_net": ("10.77.0.2",)}) for name in ("alice", "bob"))
    event(alice, "ready")
    return engine, alice, bob


def test_who_waited_for_ready_nodes_needs_to_ask_no_more_of_them():
    engine, _, bob = asked_of_two()
    event(bob, "ready")
    found = wait_ready(engine, find(engine), float("inf"), 5, lambda text: None)
    assert len(engine.questions) == 4  # the details and the log of each
    known = ps(engine, found)
    assert len(engine.questions) == 4
    assert known == ps(engine, find(engine))
    assert len(engine.questions) == 8
    assert [(status.node.name, status.state) for status in known] == [("alice", "ready"), ("bob", "ready")]


def test_a_node_that_ended_while_others_were_waited_for_is_asked_again():
    engine, alice, bob = asked_of_two()

    def crash() -> None:  # of a node that was ready, and which the engine starts again
        alice.end(1)
        restarted(alice)
        engine.later(lambda: event(bob, "ready"))

    engine.later(crash)
    found = wait_ready(engine, find(engine), float("inf"), 5, lambda text: None)
    assert {status.node.name: status.restarts for status in ps(engine, found)} == {"alice": 1, "bob": 0}
    assert ps(engine, found) == ps(engine, find(engine))


def test_of_nodes_that_take_their_time_all_is_asked_again():
    engine, alice, bob = asked_of_two()
    event(bob, "ready")
    begun(engine, "db")  # somebody's own program, which has to run for a while

    def crash() -> None:
        alice.end(1)
        restarted(alice)

    engine.then = [lambda: None, crash]
    found = wait_ready(engine, find(engine), float("inf"), 5, lambda text: None)
    assert {status.node.name: status.restarts for status in ps(engine, found)} == {"alice": 1, "bob": 0, "db": 0}
