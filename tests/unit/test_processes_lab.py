"""Sockets and system calls of a lab on the in-memory engine, and how they look."""

import json
import re
import threading

import pytest
from memory_lab import stamp

import labctl
from labctl.cli import output
from labctl.cli.app import command_line
from labctl.cli.node import processes as commands
from labctl.cli.ready import Ready
from labctl.engine.memory import Execution, MemoryEngine, MemoryStream
from labctl.engine.model import LABEL_PROBED, LABEL_SOURCE, PROBE_IMAGE, Image, Line
from labctl.errors import LabError
from labctl.events.codec import decode
from labctl.lab import probes
from labctl.lab.model import find
from labctl.lab.processes import programs, sockets, syscalls
from labctl.lab.recording import xray
from labctl.packets.crossings import Side
from labctl.packets.ladder.ladder import Options
from labctl.render.inside import sockets as render
from labctl.render.inside.syscalls import Calls
from labctl.render.text import width

TS = "2026-11-22T14:04:20.123456789Z"
TABLE = [
    {"proto": "tcp", "local": ["10.77.0.5", 7], "peer": ["10.77.0.6", 9], "state": "TIME-WAIT"},
    {"proto": "udp", "local": ["::", 5005], "state": "UNCONN", "program": "python3", "pid": 1, "uid": 10001},
    {"proto": "tcp", "local": ["0.0.0.0", 7], "state": "LISTEN", "program": "python3", "pid": 1, "uid": 10001},
]
SEND = {
    "event": "syscall",
    "pid": 1,
    "program": "python3",
    "call": "sendto",
    "args": ["7", '"hi\\n"', "3", "MSG_NOSIGNAL"],
    "fd": 7,
    "proto": "tcp",
    "local": ["10.77.0.5", 12345],
    "peer": ["10.77.0.6", 41786],
    "result": 3,
    "duration_ns": 5000,
}
ACCEPT = {**SEND, "call": "accept4", "args": ["6", "{AF_INET, 10.77.0.6:41786}"], "fd": 6, "result": 8}
FAILED = {**SEND, "call": "recvfrom", "args": ["7", "0x1", "10"], "result": -1, "error": "EAGAIN", "reason": "Not now"}


class Probes:
    """What the programs in the probes would print."""

    def __init__(self, engine: MemoryEngine):
        self.engine, self.asked = engine, []
        self.recording: dict[str, str] = {}  # node: under which mark it was begun
        self.refused: dict[str, list[dict]] = {}  # node: the processes that can't be traced
        self.cut_off: set[str] = set()  # nodes whose probes' programs end in the middle
        self.begin = TS  # when that begins which was asked for
        self.closes = True  # what is told ends with a word that this was all
        self.on_asked = lambda node: None
        self.lines: dict[str, list[dict]] = {}  # what is recorded, by the kind
        engine.probe_program = lambda order: lambda container, line: None

    def commands(self, node: str):
        def run(command) -> Execution:
            self.asked.append((node, command[-1]))
            printed = self.table() if "sockets.py" in command[1] else self.answer(node, json.loads(command[2]))
            self.on_asked(node)
            if node in self.cut_off:
                printed = printed[: len(printed) // 2]
            elif self.closes:
                printed = [*printed, {"event": "complete"}]
            return Execution([Line(json.dumps({"ts": stamp(), **line}).encode()) for line in printed])

        return run

    def table(self) -> list[dict]:
        return [{"event": "socket", "receive_queue": 0, "send_queue": 128, **item} for item in TABLE]

    def answer(self, node: str, request: dict) -> list[dict]:
        refused = self.refused.get(node, [])
        head = {"event": "recording", "cut": 4, "fresh": node not in self.recording, "refused": refused}
        if request["do"] == "start" and not refused:
            self.recording.setdefault(node, request["mark"])
        head["since"] = TS if node in self.recording else None
        if node in self.recording:
            head["begin"] = self.begin
        if request["do"] == "stop" and request.get("mark") in (None, self.recording.get(node)):
            self.recording.pop(node, None)
        lines = [line for kind in request.get("kinds", ()) for line in self.lines.get(kind, ())]
        return [head, *(line for line in lines if node in self.recording)]

    def watching(self, then, *last: dict) -> None:
        """Each tells a change, and what is `last`; `then(node)` happens, and no word says that this was all."""
        change = {"event": "socket-state", **TABLE[0], "from": "ESTAB", "to": "TIME-WAIT", "seen": False}
        self.table = lambda: [{"event": "watching"}, change, *last]
        self.on_asked, self.closes = then, False

    def wake(self) -> None:
        for probe in probes.all_of(self.engine, "lab", probes.PROCESSES).values():
            self.engine._get(probe.id).commands = self.commands(probe.labels[LABEL_PROBED])


def in_python(engine):
    """The lab as programs have it; the helpers' image counts as there."""
    found = labctl.find("lab", engine=engine)
    found._place.prepare = lambda report=None: None
    return found


@pytest.fixture
def lab(engine):
    for name in ("alice", "bob"):
        engine.add("lab", name, role="chat", addresses={"net": ("10.77.0.5",)})
    return find(engine, "lab")


@pytest.fixture
def fakes(engine, lab):
    found = Probes(engine)
    probes.ensure(engine, lab, lab.nodes, probes.PROCESSES)
    found.wake()
    return found


def test_probe_sees_processes_and_nothing_more_than_it_needs(engine, lab):
    asked = []
    engine.probe_program = lambda order: asked.append(order)
    probes.ensure(engine, lab, lab.nodes, probes.PROCESSES)
    assert {order.processes for order in asked} == {True}
    assert {tuple(order.capabilities) for order in asked} == {("DAC_OVERRIDE", "NET_ADMIN", "NET_RAW", "SYS_PTRACE")}


def test_table_of_all_nodes(engine, lab, fakes):
    found = sockets.table(engine, lab, lab.nodes)
    states = ["LISTEN", "UNCONN", "TIME-WAIT"]
    assert [(item.node, item.state) for item in found] == [
        (node, state) for node in ("alice", "bob") for state in states
    ]
    assert found[0].as_json()["program"] == "python3"
    assert found[2].as_json() == found[2].as_json() | {"program": None, "pid": None, "peer": ["10.77.0.6", 9]}


@pytest.mark.parametrize("options", [[], ["--watch"], ["--json"]])
def test_sockets_of_no_node_at_all_are_an_error(engine, lab, monkeypatch, options):
    for node in lab.nodes:
        engine.change("stop", node.container.id)
    monkeypatch.setattr(output.Settings, "json", False)  # what the command makes of it is undone
    monkeypatch.setattr("labctl.engine.connect", lambda: engine)
    monkeypatch.setattr("labctl.cli.chosen.Chosen.prepare", lambda place, report=None: None)
    with pytest.raises(LabError) as problem:
        command_line().main(["sockets", *options], standalone_mode=False)
    assert problem.value.code == "none-running"


def test_watch_ends_with_its_probes(engine, lab, fakes):
    fakes.watching(lambda node: engine.change("stop", lab.node(node).container.id))
    events = list(sockets.watch(engine, lab, lab.nodes))
    assert sorted(event.name for event in events) == ["socket-state", "socket-state", "watching", "watching"]


@pytest.mark.parametrize("as_json", [False, True])
def test_changes_that_are_missing_are_told(engine, lab, fakes, capsys, as_json):
    missed = {"event": "missed", "times": 1, "reason": "too many at once"}
    fakes.watching(lambda node: engine.change("stop", lab.node(node).container.id), missed)
    commands._watch(in_python(engine), [lab.nodes[0].name], as_json, Ready(None))
    out, err = capsys.readouterr()
    assert ('"event":"missed"' in out) == as_json
    assert ("alice: too many at once\n" in err) == (not as_json)
    assert len(out.splitlines()) == (2 if as_json else 1)


def test_an_x_ray_says_what_of_its_states_is_missing(engine, lab, fakes, monkeypatch):
    syscalls.start(engine, lab, lab.nodes)
    missed = [{"event": "missed", "times": 1, "reason": "some are missing"}] * 2
    traced = {"event": "error", "error": "EPERM", "reason": "process 9 could not be traced: no", "pid": 9}
    fakes.lines = {"states": missed, "calls": [traced]}
    sides = [Side(node.name, [], [], tuple(node.addresses), until_ns=10**12) for node in lab.nodes]
    monkeypatch.setattr(xray, "start", lambda engine, lab, nodes: [])
    monkeypatch.setattr(xray.ladder, "seen", lambda engine, lab, nodes, last: (sides, [], ["At bob it rains."]))
    said = {name: ["some are missing", "process 9 could not be traced: no"] for name in ("alice", "bob")}
    notes = xray.xray(engine, lab, lab.nodes, 30, Options()).notes
    assert notes[:3] == ("At bob it rains.", "At alice 4 earlier calls are gone.", "At bob 4 earlier calls are gone.")
    assert sorted(notes[3:]) == sorted(f"At {name} {reason}." for name, found in said.items() for reason in found)


def test_watch_ends_with_a_node_that_starts_again(engine, lab, fakes):
    """Its probe is left behind in a namespace that nobody else is in."""
    fakes.watching(lambda node: engine.change("restart", lab.node(node).container.id))
    assert len(list(sockets.watch(engine, lab, lab.nodes))) == 4


def test_a_watch_that_ends_without_its_node_was_cut_off(engine, lab, fakes, monkeypatch):
    monkeypatch.setattr(programs, "LAG", 0.0)
    fakes.watching(lambda node: None)
    watch = sockets.watch(engine, lab, lab.nodes[:1])
    assert [next(watch).name, next(watch).name] == ["watching", "socket-state"]
    with pytest.raises(LabError, match="its program ended, and its node did not") as problem:
        next(watch)
    assert problem.value.code == "processes-failed"


def test_who_reads_too_slowly_is_told_what_is_missing(engine, lab, fakes):
    fakes.watching(lambda node: None, {"event": "behind", "count": 7})
    watch = sockets.watch(engine, lab, lab.nodes[:1])
    assert [next(watch).name, next(watch).name] == ["watching", "socket-state"], "what came before is not lost with it"
    with pytest.raises(LabError) as problem:
        next(watch)
    assert problem.value.code == "fell-behind"
    assert problem.value.message.startswith("alice had more to tell than was read: 7 events are left out")


@pytest.mark.parametrize("use", [sockets.table, lambda *arguments: list(sockets.watch(*arguments))])
def test_a_probe_that_can_not(engine, lab, fakes, use):
    fakes.table = lambda: [{"event": "error", "error": "ENOENT", "reason": "no sock_diag"}]
    with pytest.raises(LabError) as problem:
        use(engine, lab, lab.nodes)
    assert problem.value.code == "processes-failed"
    assert "no sock_diag (ENOENT)" in problem.value.message


def test_recording_begins_once(engine, lab, fakes):
    assert syscalls.start(engine, lab, lab.nodes[:1]) == {"alice"}
    assert syscalls.start(engine, lab, lab.nodes) == {"bob"}
    assert syscalls.stop(engine, lab, lab.nodes[:1]) == {"alice"}
    assert syscalls.stop(engine, lab, lab.nodes[:1]) == set()


def test_a_probe_of_an_older_labctl_is_ended_and_not_asked(engine, lab, fakes):
    """It may have other words for all of this."""
    syscalls.start(engine, lab, lab.nodes)
    engine.images[PROBE_IMAGE] = Image("new", {LABEL_SOURCE: "newer"})
    fakes.closes = False
    assert not syscalls.is_on(engine, lab, lab.nodes[0])
    assert syscalls.stop(engine, lab, lab.nodes) == {node.name for node in lab.nodes}
    assert probes.all_of(engine, "lab", probes.PROCESSES) == {}


def test_looking_starts_no_probe(engine, lab):
    assert syscalls.recorded(engine, lab, lab.nodes) == []
    assert syscalls.states(engine, lab, lab.nodes) == []
    assert syscalls.stop(engine, lab, lab.nodes) == set()
    assert probes.all_of(engine, "lab", probes.PROCESSES) == {}


def test_what_was_recorded_is_in_order_of_time(engine, lab, fakes):
    syscalls.start(engine, lab, lab.nodes)
    late, early = {**SEND, "ts": TS}, {**ACCEPT, "ts": TS.replace("20.1", "20.0")}
    fakes.lines = {"calls": [late, early], "states": [{"event": "socket-state", "from": "x", "to": "y", **TABLE[0]}]}
    found = syscalls.recorded(engine, lab, lab.nodes, 5)
    assert [event.get("call") for event in found] == ["accept4", "accept4", "sendto", "sendto"]
    assert json.loads(fakes.asked[-1][1]) == {"do": "read", "kinds": ["calls"], "since": 5}
    assert syscalls.recordings(engine, lab, lab.nodes)["bob"].cut == 4
    assert {event.name for event in syscalls.states(engine, lab, lab.nodes)} == {"socket-state"}
    followed = [event.name for event in syscalls.follow(engine, lab, lab.nodes[:1], last=60)]
    assert sorted(followed) == ["recording", "syscall", "syscall"]


def test_the_last_seconds_are_those_of_the_recorders_clock(engine, lab, fakes, monkeypatch):
    """labctl may run on another machine than the nodes, whose clock is another one."""
    syscalls.start(engine, lab, lab.nodes)
    syscalls.recordings(engine, lab, lab.nodes[:1], last=30)
    assert json.loads(fakes.asked[-1][1]) == {"do": "read", "kinds": ["calls"], "last": 30_000_000_000}
    list(syscalls.follow(engine, lab, lab.nodes[:1], last=0.0))
    assert json.loads(fakes.asked[-1][1]) == {"do": "read", "kinds": ["calls"], "last": 0, "follow": True}
    theirs = 5_000_000_000_000
    sides = [Side(node.name, [], [], tuple(node.addresses), until_ns=theirs + n) for n, node in enumerate(lab.nodes)]
    monkeypatch.setattr(xray, "start", lambda engine, lab, nodes: [])
    monkeypatch.setattr(xray.ladder, "seen", lambda engine, lab, nodes, last: (sides, [], []))
    xray.xray(engine, lab, lab.nodes, 30, Options())
    assert json.loads(fakes.asked[-1][1])["since"] == theirs - 30_000_000_000


def test_where_there_is_nothing_it_is_said_since_when(engine, lab, fakes, capsys):
    """Also over midnight: what was asked for begins on the day after."""
    syscalls.start(engine, lab, lab.nodes)
    fakes.begin = "2026-11-23T00:00:01.000000000Z"
    commands._show(in_python(engine).node(lab.nodes[0].name), 60, False, False)
    assert "alice: no system call on a socket since 2026-11-23 00:00:01 UTC\n" in capsys.readouterr().err


@pytest.mark.parametrize("use", [commands._show, commands._follow])
def test_calls_that_are_gone_are_counted_whether_it_goes_on_or_not(engine, lab, fakes, capsys, use):
    syscalls.start(engine, lab, lab.nodes)
    more = (Ready(None),) if use is commands._follow else ()
    use(in_python(engine).node(lab.nodes[0].name), 60, False, False, *more)
    assert "alice: 4 earlier ones are gone, there were too many\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("why", "mend"),
    [("it is traced already, by process 9", "one tracer at most"), ("Operation not permitted", "ptrace_scope")],
)
def test_processes_that_can_not_be_traced(engine, lab, fakes, why, mend):
    fakes.refused = {"bob": [{"pid": 1, "reason": why}]}
    with pytest.raises(LabError) as problem:
        syscalls.start(engine, lab, lab.nodes)
    assert problem.value.code == "not-traceable"
    assert why in problem.value.message
    assert mend in problem.value.hint
    assert fakes.recording == {}, "alice is not recorded on the way to what can't be"


# -- what goes on meanwhile


@pytest.mark.parametrize("before", [False, True])
def test_what_begins_nowhere_goes_on_where_it_was(engine, lab, fakes, before):
    if before:
        syscalls.start(engine, lab, lab.nodes[:1])
    fakes.cut_off = {"bob"}
    with pytest.raises(LabError) as problem:
        syscalls.start(engine, lab, lab.nodes)
    assert problem.value.code == "processes-failed"
    assert problem.value.message.startswith("the probe at bob can't do that")
    assert ("alice" in fakes.recording) == before


def test_a_start_that_is_interrupted_is_taken_back(engine, lab, fakes, monkeypatch):
    wait = engine.wait

    def interrupted(streams, deadline):
        monkeypatch.setattr(engine, "wait", wait)
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        syscalls.start(engine, lab, lab.nodes)
    assert [node for node, asked in fakes.asked if '"start"' in asked] == ["alice", "bob"]
    assert fakes.recording == {}


@pytest.mark.parametrize("use", [syscalls.recordings, syscalls.stop, sockets.table])
def test_what_is_cut_off_is_no_answer(engine, lab, fakes, use):
    syscalls.start(engine, lab, lab.nodes)
    fakes.lines = {"calls": [{**SEND, "ts": TS}] * 4}
    fakes.cut_off = {"alice"}
    with pytest.raises(LabError) as problem:
        use(engine, lab, lab.nodes)
    assert problem.value.code == "processes-failed"
    assert problem.value.message == (
        "the probe at alice can't do that: its program ended before it had told all (EPIPE)"
    )


def test_an_answer_begins_with_its_head(engine, lab, fakes):
    fakes.answer = lambda node, request: []
    for use in (syscalls.start, syscalls.stop, syscalls.recordings):
        with pytest.raises(LabError, match="began with complete, not recording"):
            use(engine, lab, lab.nodes)


class Waiting(MemoryEngine):
    """Its streams bring something only once labctl has written a few times, as programs do that take their time."""

    def wait(self, streams, deadline):
        if all(len(stream.typed) > 3 for stream in streams):
            yield from super().wait(streams, deadline)


def test_labctl_gives_signs_of_life_while_it_reads(monkeypatch):
    monkeypatch.setattr(programs, "BEAT", 0.001)
    engine = Waiting()
    engine.add("lab", "alice", addresses={"net": ("10.77.0.5",)})
    lab = find(engine, "lab")
    fakes = Probes(engine)
    probes.ensure(engine, lab, lab.nodes, probes.PROCESSES)
    fakes.wake()
    assert len(sockets.table(engine, lab, lab.nodes)) == 3
    monkeypatch.setattr(programs, "BEAT", 60.0)
    monkeypatch.setattr(programs, "LIMIT", 0.05)
    with pytest.raises(LabError, match="said nothing for 0.05 s .ETIMEDOUT"):
        sockets.table(engine, lab, lab.nodes)


class Beaten(MemoryStream):
    """Tells when labctl has given signs of life for a while."""

    def __init__(self, stream: MemoryStream):
        super().__init__(stream.container, stream.attached, stream.pending, ended=True, status=0)
        self.beats, self.often = 0, threading.Event()

    def write(self, data: bytes) -> None:
        self.beats += 1
        if self.beats == 20:
            self.often.set()


def test_labctl_gives_signs_of_life_while_nobody_takes_what_it_has_read(engine, lab, fakes, monkeypatch):
    """A pager that stands still: else the probe's program takes labctl for dead after five seconds."""
    monkeypatch.setattr(programs, "QUEUE", 1)
    monkeypatch.setattr(programs, "PAUSE", 0.001)
    monkeypatch.setattr(programs, "BEAT", 0.0)
    opened = []
    open_ = engine.open
    monkeypatch.setattr(engine, "open", lambda *args: opened.append(Beaten(open_(*args))) or opened[-1])
    changes = [{"event": "socket-state", **TABLE[0], "from": "x", "to": "y", "seen": True}] * 10
    fakes.table = lambda: [{"event": "watching"}, *changes]
    there = programs.ensure(engine, lab, lab.nodes[:1])
    listener = programs._Listener(engine, there, (*sockets.PROGRAM, "watch"))
    try:
        assert opened[0].often.wait(20), "it has room for one event, and nobody takes it"
        taken = [listener.next(20) for _ in range(12)]
    finally:
        listener.close()
    assert [event.name for event in taken[:-1]] == ["watching"] + ["socket-state"] * 10
    assert taken[-1] is programs._END


# -- how it looks


def event(fields: dict):
    return decode(json.dumps({"ts": TS, **fields}).encode(), node="alice")


def line(fields: dict, columns: int | None = None, colour: bool = False) -> str:
    return Calls(["alice"], columns=columns, colour=colour).line(event(fields))


def test_calls_read_like_c():
    head = "14:04:20.123456Z  alice  python3[1]      "
    ends = "7<tcp 10.77.0.5:12345 -> 10.77.0.6:41786>"
    assert line(SEND) == f'{head}sendto({ends}, "hi\\n", 3, MSG_NOSIGNAL) = 3'
    accepted = line(ACCEPT).removeprefix(head)
    assert accepted == (
        "accept4(6<tcp 10.77.0.5:12345>, {AF_INET, 10.77.0.6:41786}) = 8<tcp 10.77.0.5:12345 -> 10.77.0.6:41786>"
    )
    assert line(FAILED).endswith("= -1 EAGAIN (Not now)")
    assert line({**SEND, "duration_ns": 12_345_678}).endswith(" = 3  12.3 ms")
    assert line({**SEND, "result": None}).endswith(" = ?")


@pytest.mark.parametrize("columns", [60, 80])
def test_a_call_that_is_wrapped_is_all_there(columns):
    """A lesson's evidence is what a call was asked and what it gave: nothing of that is cut."""
    name = {**SEND, "call": "setsockopt", "args": ["7", "SOL_TCP", "TCP_NODELAY", "[1]", "4"], "result": 0}
    for fields in (SEND, ACCEPT, FAILED, name):
        lay = Calls(["alice"], columns=columns, colour=False, wrap=True)
        lines = lay.line(event(fields)).split("\n")
        assert max(map(len, lines)) <= columns
        whole = " ".join(line.strip() for line in lines)
        assert "…" not in whole
        assert all(str(argument) in whole.replace("> ", ">") for argument in fields["args"][1:])
        assert len({len(line) - len(line.lstrip()) for line in lines[1:]}) < 2
    made = {**SEND, "call": "socket", "args": ["AF_INET", "SOCK_STREAM|SOCK_CLOEXEC", "IPPROTO_IP"], "fd": None}
    for columns in range(70, 90):
        lines = Calls(["alice", "b"], columns=columns, colour=False, wrap=True).line(event(made)).split("\n")
        assert not any(line.strip().startswith(",") for line in lines), "an argument ends with its comma"
    many = Calls(["alice"], columns=80, colour=False, wrap=True).line(
        event({**SEND, "args": ["7", f'"{"d" * 200}"...', "65507", "MSG_NOSIGNAL"], "result": 65507})
    )
    assert many.count("d") < 60, "of long data the beginning does"
    assert '"..., 65507, MSG_NOSIGNAL) = 65507' in " ".join(many.split())
    assert "= -1 EAGAIN (Not now)" in Calls(["alice"], columns=80, colour=False, wrap=True).line(event(FAILED))


def test_errors_are_red_and_waiting_is_none():
    assert "\x1b[31m = -1 EAGAIN" in line(FAILED, colour=True)
    assert "\x1b[31m" not in line({**FAILED, "error": "EINPROGRESS"}, colour=True)
    assert "\x1b[31m" not in line(SEND, colour=True)


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_a_long_call_keeps_its_result(columns):
    long = line({**SEND, "args": ["7", '"' + "漢字" * 200 + '"', "1200", "0"], "result": 1200}, columns)
    assert width(long) <= columns
    assert re.search(r"… = 1200$", long)
    assert 'sendto(7<tcp -> 10.77.0.6:41786>, "漢' in long, "there is room for the beginning of what was sent"
    assert ("alice" in long) == (columns > 80)
    assert width(line({**FAILED, "reason": "x" * 500}, columns)) <= columns


def test_nothing_that_a_terminal_would_act_on_is_printed():
    assert "\x1b" not in line({**SEND, "args": ["7", "\x1b[2J"], "program": "\x1b]0;x"})


@pytest.mark.parametrize("columns", [80, 100, 200, None])
def test_table_at_every_width(engine, lab, fakes, columns):
    text = render.table(sockets.table(engine, lab, lab.nodes), columns=columns, colour=False)
    assert all(width(row) <= (columns or 10_000) for row in text.split("\n"))
    for word in ("0.0.0.0:7", "[::]:5005", "10.77.0.6:9", "TIME-WAIT", "python3[1]", "128"):
        assert word in text
    assert len(text.split("\n")) == 7 + 2 * (columns == 80), "only on a narrow one does a peer stand below"


def test_what_nobody_saw_stands_in_parentheses():
    fields = {"event": "socket-state", **TABLE[0], "from": "ESTAB", "to": "FIN-WAIT-1", "program": "nc", "pid": 4}
    changes = render.Changes(["alice"], columns=None, colour=False)
    seen, passed = (re.sub(" +", " ", changes.line(event({**fields, "seen": seen}))) for seen in (True, False))
    assert seen == "14:04:20.123456Z alice tcp ESTAB -> FIN-WAIT-1 10.77.0.5:7 -- 10.77.0.6:9 nc[4]"
    assert passed == seen.replace("FIN-WAIT-1", "(FIN-WAIT-1)")
