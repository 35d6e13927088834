"""Somebody's own programs as hosts, on the engine in memory: what is made, awaited, refused, left alone, removed."""

import io
import json
from pathlib import Path

import pytest

import labctl
from labctl.engine.docker import making as docker
from labctl.engine.model import (
    COMPOSE_IMAGE,
    COMPOSE_ONEOFF,
    LABEL_LAB,
    LABEL_PROBE,
    LABEL_PROBED,
    LABEL_RUN,
    LABEL_SOURCE,
    PROGRAM_IMAGE,
    Image,
)
from labctl.errors import LabError, LabNotFound, LabTimeout, NodeError, NodeFailed
from labctl.lab.faults import gate
from labctl.lab.keyboard.attach import attach
from labctl.lab.keyboard.send import send
from labctl.lab.life.change import change
from labctl.lab.life.down import down
from labctl.lab.life.plan import plan
from labctl.lab.life.status import ps
from labctl.lab.life.up import Request, up
from labctl.lab.model import find
from labctl.lab.probes import CAPTURE
from labctl.lab.programs import awaiting, empty, wanted
from labctl.lab.programs import folder as folders
from labctl.lab.programs.run import SHUT, run
from labctl.lab.programs.wanted import Expected, Wanted
from labctl.lab.programs.watch import watch
from labctl.lab.recording import at_start


def quiet(line: str) -> None:
    pass


@pytest.fixture
def folder(tmp_path):
    """With a program in it that anybody may read, and the fixtures' own folder open."""
    tmp_path.chmod(0o755)
    (tmp_path / "server.py").write_text("import socket\n")
    return tmp_path


@pytest.fixture(autouse=True)
def swift(monkeypatch):
    """Nothing takes time here but the waiting itself."""
    monkeypatch.setattr(awaiting, "SETTLE", 0.05)


@pytest.fixture
def host(engine, folder):
    """Runs a program in a lab, an empty one unless another is named; `begins` says what it does when it starts.

    `timeout` is short only where it is to run out: a busy machine may take any time for what is awaited.
    """

    def start(
        name="srv", lab=None, begins=lambda container, order: container.listen("tcp", 9000), timeout=30.0, **options
    ):
        lab = lab or empty.start(engine, None, quiet)
        engine.node_program = begins
        asked = Wanted(name, ("python3", "server.py"), folder, **options)
        return run(engine, lab, asked, quiet, timeout=timeout)

    return start


def test_a_server_is_ready_when_it_listens(engine, host):
    ran = host()
    assert (ran.state, ran.addresses, ran.notes) == ("ready", ("10.77.0.100",), ())
    assert [(one.proto, one.port) for one in ran.seen.listening] == [("tcp", 9000)]
    [status] = ps(engine, find(engine))
    assert (status.state, status.node.role, status.node.is_program) == ("ready", None, True)


def test_what_the_engine_is_asked_for_is_held_in_as_every_node_is(engine, folder, monkeypatch):
    orders = []
    monkeypatch.setattr(engine, "create_node", lambda order: orders.append(order) or None)
    ports = wanted.ports(["8000:9000", "53/udp"])
    with pytest.raises(LabError, match="lab-srv-1, which is none of this lab's"):
        run(engine, empty.start(engine, None, quiet), Wanted("srv", ("./x",)[:0], folder, publish=ports), quiet)
    body = docker.node(orders[0])
    limits = body["HostConfig"]
    assert (body["User"], body["Hostname"], body["WorkingDir"]) == ("10001:10001", "srv", "/program")
    assert (limits["CapDrop"], limits["ReadonlyRootfs"], limits["PidsLimit"]) == (["ALL"], True, 256)
    assert limits["Memory"] == limits["MemorySwap"] == 256 * 1024**2
    assert limits["Mounts"] == [{"Type": "bind", "Source": str(folder), "Target": "/program", "ReadOnly": True}]
    assert limits["PortBindings"] == {
        "9000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000"}],
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}],
    }
    assert "PYTHONUNBUFFERED=1" in body["Env"]
    assert limits["LogConfig"]["Config"] == {"max-size": "20m", "max-file": "3"}
    assert body["NetworkingConfig"]["EndpointsConfig"]["lab_lab"]["IPAMConfig"] == {"IPv4Address": "10.77.0.100"}


def test_a_client_runs_and_what_has_ended_well_is_done(host):
    def prints(container, order):
        container.print("hello")

    def ends(container, order):
        container.print("bye")
        container.end(0)

    ran = host("client", begins=prints)
    assert (ran.state, ran.seen.lines) == ("running", ("hello",))
    ran = host("job", begins=ends)
    assert (ran.state, ran.seen.lines, ran.as_json()["exit_code"]) == ("done", ("bye",), 0)


@pytest.mark.parametrize("options", [{}, {"expected": wanted.Expected(text="serving")}])
def test_a_server_that_has_left_its_work_to_a_child_has_ended(engine, host, monkeypatch, options):
    """Its kernel says so before the engine does: from the second look on it listens nowhere."""
    hosts, looks, kernel = [], [], engine.listening

    def listening(pids):
        looks.append(pids)
        if len(looks) == 1:
            return kernel(pids)
        hosts[0].end(0)
        return {}

    def serves(container, order):
        hosts.append(container)
        container.listen("tcp", 9000)
        container.print("serving")

    monkeypatch.setattr(engine, "listening", listening)
    ran = host(begins=serves, **options)
    assert (ran.state, ran.seen.exit_code) == ("done", 0)
    assert "with its first process a host ends" in ran.notes[0]


def test_a_program_that_fails_is_there_for_a_look_and_gives_its_name_to_the_next(engine, host):
    def fails(container, order):
        container.print("Traceback", stderr=True)
        container.print("OSError: [Errno 98] Address already in use", stderr=True)
        container.end(1)

    with pytest.raises(NodeFailed, match="srv ended with exit status 1; what it printed:\n    Traceback\n") as told:
        host(begins=fails)
    assert "binds one port twice" in told.value.hint
    [failed] = find(engine).nodes
    assert failed.container.exit_code == 1
    ran = host()
    [now] = find(engine).nodes
    assert now.container.id != failed.container.id
    assert (ran.addresses, tuple(now.addresses)) == (("10.77.0.100",), ("10.77.0.100",))


def test_a_name_is_one_hosts(engine, host):
    host()
    with pytest.raises(NodeError, match="srv is there already: a program that runs"):
        host()
    assert host(replace=True).state == "ready"
    up(engine, Request("hello"), quiet)
    with pytest.raises(NodeError, match="alice is there already: a node of the topology"):
        host("alice", lab="hello")


def test_a_text_is_awaited(host):
    def late(container, order):
        container.print("starting")
        container.print("up and running")

    assert host(begins=late, expected=Expected(text="up and")).state == "ready"
    with pytest.raises(LabTimeout, match=r"not ready within 0\.2 s: it has not printed 'down'; what it printed:"):
        host("b", begins=late, expected=Expected(text="down"), timeout=0.2)


def test_a_port_is_awaited_and_another_one_is_told(host):
    ran = host(expected=Expected(listen=8000))
    assert (ran.state, ran.notes) == ("ready", ("srv listens on port 9000, and not on 8000, which was expected",))
    with pytest.raises(LabTimeout, match=r"not ready within 0\.2 s: it listens nowhere, and printed nothing"):
        host("b", begins=lambda container, order: None, expected=Expected(listen=8000), timeout=0.2)


def test_who_listens_on_loopback_alone_is_told(host):
    ran = host(begins=lambda container, order: container.listen("tcp", 9000, "127.0.0.1"))
    assert "127.0.0.1:9000 alone, where nobody outside this host can reach it" in ran.notes[0]

    def both(container, order):
        container.listen("tcp", 9000, "127.0.0.1")
        container.listen("tcp", 9000, "10.77.0.101")

    assert host("b", begins=both).notes == ()


def test_a_datagram_socket_on_a_port_of_the_kernels_choice_is_a_clients(host):
    def sends(container, order):
        container.listen("udp", 41234)

    assert host("client", begins=sends).state == "running"
    assert host("server", begins=sends, expected=Expected(listen=41234)).state == "ready"


def test_what_is_published_and_not_listened_at_is_told(host):
    ran = host(publish=wanted.ports(["8000"]))
    assert ran.notes == ("port 8000 is published, and srv listens on 9000",)


def test_addresses_are_free_ones_also_of_nodes_that_do_not_run(engine, host):
    host("a")
    host("b", address="10.77.0.101", begins=lambda container, order: container.end(0))
    assert host("c").addresses == ("10.77.0.102",)
    for address, why in (
        ("10.77.0.100", "lab-a-1 has it|a has it"),
        ("10.77.0.1", "the network's own, or the machine's"),
        ("10.78.0.7", r"its subnet is 10\.77\.0\.0/24"),
        ("x", "it is no IP address"),
    ):
        with pytest.raises(LabError, match=why):
            host("d", address=address)


def test_of_several_networks_one_is_to_be_named(engine, host):
    up(engine, Request("two-subnets"), quiet)
    with pytest.raises(LabError, match="two-subnets has 2 networks: left, right"):
        host(lab="two-subnets")
    with pytest.raises(LabError, match="no network lef; did you mean left"):
        host(lab="two-subnets", network="lef")
    left = next(node for node in find(engine, "two-subnets").nodes if node.networks == {"two-subnets_left"})
    host(lab="two-subnets", network="left")
    srv = find(engine, "two-subnets").node("srv")
    assert srv.networks == {"two-subnets_left"}
    label = "dev.labctl.routes"
    assert srv.container.labels.get(label) == left.container.labels[label]


def test_a_program_may_have_the_network_of_another_host(engine, host):
    orders = []
    host(begins=lambda container, order: container.listen("tcp", 9000))
    host("beside", network="service:srv", begins=lambda container, order: orders.append(order))
    srv, beside = (find(engine).node(name) for name in ("srv", "beside"))
    assert (beside.owner.name, beside.addresses) == ("srv", srv.addresses)
    body = docker.node(orders[0])
    assert body["HostConfig"]["NetworkMode"] == f"container:{srv.container.id}"
    assert not {"Hostname", "NetworkingConfig", "ExposedPorts"} & set(body)
    host("third", network="service:beside", begins=lambda container, order: orders.append(order))
    assert orders[1].shares == srv.container.id, "the one whose network it is"
    with pytest.raises(LabError, match="srv in its own place|its own network in its own place"):
        host(network="service:srv", replace=True)


def test_the_network_of_a_host_that_has_none_to_give(engine, host):
    host(begins=lambda container, order: container.end(0))
    with pytest.raises(LabError, match="srv exited .0. .*can.t run a program in its network"):
        host("beside", network="service:srv")
    with pytest.raises(LabError, match="no node srw in the lab lab; did you mean srv"):
        host("beside", network="service:srw")
    for option in ({"address": "10.77.0.9"}, {"publish": ["9000"]}):
        asked = {"folder": None, "image": None, "network": "service:srv", "address": None, "publish": ()}
        rest = {"memory": "64m", "environment": {}, "listen": None, "ready": None, "replace": False}
        with pytest.raises(LabError, match="in the network of srv has that host's addresses and ports"):
            wanted.read("beside", ["x"], **{**asked, **rest, **option})


def test_up_leaves_programs_alone_and_plan_names_them(engine, host):
    up(engine, Request("hello"), quiet)
    host(lab="hello")
    host("job", lab="hello", begins=lambda container, order: container.end(0))
    before = {node.name: node.container.id for node in find(engine, "hello").programs}
    lab = up(engine, Request("hello"), quiet)
    assert {node.name: node.container.id for node in lab.programs} == before
    assert lab.node("job").container.state == "exited"
    changes = {node.name: (node.change, node.why) for node in plan(engine, "hello").nodes}
    assert changes["srv"] == ("keep", "`labctl run` made it")
    assert not plan(engine, "hello").changes
    assert down(engine, "hello", quiet).containers == 9
    assert engine.containers() == []


def test_a_topology_that_wants_a_programs_name_is_refused(engine, host, tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text("services: {one: {image: x, command: a}}\n")
    up(engine, Request(str(file), "mine"), quiet)
    host(lab="mine")
    file.write_text("services: {one: {image: x, command: a}, srv: {image: x}}\n")
    for act in (lambda: up(engine, Request(str(file), "mine"), quiet), lambda: plan(engine, str(file), "mine")):
        with pytest.raises(NodeError, match="the topology has a node srv, and so is the name of a program"):
            act()


def test_a_project_of_others_can_have_programs_and_stays_theirs(engine, host):
    engine.add("theirs", "db", ours=False, addresses={"theirs_net": ("10.9.0.2",)})
    engine.subnets("theirs_net", "10.9.0.0/24")
    assert host(lab="theirs").addresses == ("10.9.0.100",)
    lab = find(engine)
    assert ([node.name for node in lab.nodes], lab.ours) == (["db", "srv"], False)
    assert down(engine, "theirs", quiet).goes_on
    assert [item.name for item in engine.containers()] == ["theirs-db-1"]


def test_the_keyboard_needs_no_contract(engine, host):
    typed = []

    def echoes(container, order):
        container.program = lambda node, line: (typed.append(line), node.print(b"you said " + line))

    host(begins=echoes)
    lab = find(engine)
    assert not send(engine, lab, "srv", "hello").confirmed
    shown = []
    attach(engine, lab, "srv", io.BytesIO(b"one\ntwo"), shown.append)
    assert typed == [b"hello", b"one", b"two"]
    assert [(event.name, event.get("text")) for event in shown] == [("log", "you said one"), ("log", "you said two")]
    assert all(not event.ts.startswith("1970") for event in shown)


def test_compose_knows_it_as_a_one_off_container(engine, host):
    host()
    [node] = find(engine).nodes
    assert node.container.labels[COMPOSE_ONEOFF] == "True"
    assert json.loads(node.container.labels[LABEL_RUN])["command"] == ["python3", "server.py"]


def test_an_empty_lab_is_made_once_and_goes(engine):
    with labctl.empty(engine=engine) as lab:
        assert lab.name == labctl.empty(engine=engine).name == "lab"
        with pytest.raises(LabNotFound):
            labctl.find(engine=engine)
        assert empty.is_needed(engine, None)
        assert empty.is_left_alone(engine, "lab")
    assert engine.networks() == []


def test_an_empty_lab_of_somebody_elses_is_left_alone(engine, monkeypatch):
    empty.start(engine, None, quiet)
    monkeypatch.setattr("labctl.lab.owners.is_mine", lambda engine, owner: owner is None or "other" in owner.user)
    monkeypatch.setattr("labctl.lab.owners.user_name", lambda: "other")
    assert empty.start(engine, None, quiet) == "lab-other"
    with pytest.raises(LabError, match="the lab lab is another one's"):
        empty.start(engine, "lab", quiet)


def test_a_program_of_the_library(engine, folder):
    engine.node_program = lambda container, order: container.listen("tcp", int(order.environment["PORT"]))
    with labctl.empty(engine=engine) as lab:
        srv = lab.run(None, ["python3", "server.py"], folder=folder, env={"PORT": "9000"}, publish=[9000])
        assert (srv.name, srv.began, srv.addresses, srv.notes) == ("server", "ready", ("10.77.0.100",), ())
        assert [one.port for one in srv.listening] == [9000]
        assert srv.ports[0].place == "127.0.0.1:9000"
        srv.restart()
        srv.remove()
        with pytest.raises(LabNotFound):
            srv.status()
        lab.run("srv", [], folder=None, image=PROGRAM_IMAGE, env={"PORT": "1"})
        with pytest.raises(LabError, match="there is nothing to run"):
            lab.run("x", [])
        lab.remove("srv")


def test_what_is_no_program_is_not_removed(engine):
    up(engine, Request("hello"), quiet)
    with pytest.raises(NodeError, match="alice is a node of the topology, and no program"):
        labctl.find("hello", engine=engine).remove("alice")


def test_another_image_has_to_be_there(engine, host):
    with pytest.raises(LabError, match="there is no image nothere on this engine"):
        host(image="nothere")
    engine.images["theirs"] = Image("sha256:1", {})
    assert host(image="theirs").state == "ready"


def test_what_was_begun_is_taken_back(engine, host, folder):
    def interrupted(container, order):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        host(begins=interrupted)
    assert engine.containers() == []
    token = labctl.Cancel()
    token.cancel()
    engine.node_program = None
    with pytest.raises(labctl.Cancelled):
        run(engine.cancelled_by(token), "lab", Wanted("srv", ("python3", "server.py"), folder), quiet)
    assert engine.containers() == []


def test_a_folder_that_can_not_be_seen_is_refused(host, folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for place, why in (
        (folder / "nope", "the folder .*/nope can't be had: No such file"),
        (folder / "server.py", r"the folder .*server\.py can't be had: it is no folder"),
        ("/", "/ is not to be seen by a host"),
        ("/run", "/run is not to be seen by a host"),
        (closed, r"the host can't read .*closed \(mode 700\)"),
    ):
        with pytest.raises(LabError, match=why) as told:
            folders.check(Path(place))
    assert told.value.hint.startswith(f"`chmod o+rx {closed}`")
    (folder / "server.py").chmod(0o600)
    with pytest.raises(LabError, match=r"the host can't read .*server\.py \(mode 600\)"):
        host()


def test_files_that_can_not_be_read_are_named(host, folder):
    (folder / "secret").write_text("x")
    (folder / "secret").chmod(0o600)
    (folder / ".hidden").write_text("x")
    (folder / ".hidden").chmod(0o600)
    [note] = host().notes
    assert note.startswith("the program can't read secret: its host is not you, but user 10001")


def test_all_of_the_home_folder_is_told(host, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert "is all of your home folder" in host().notes[0]
    folder.chmod(0o700)
    with pytest.raises(LabError, match=r"mode 700") as told:
        host("b")
    assert "put the program into a folder of its own" in told.value.hint


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python3", "server.py"], "server"),
        (["python3", "-u", "my_Server.py", "9000"], "my-server"),
        (["./build/web"], "web"),
        (["node", "index.js"], "index"),
    ],
)
def test_a_host_without_a_name_has_its_programs(command, name):
    assert wanted.name_of(command) == name


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (wanted.check_name, "A_b", "is no name for a host"),
        (wanted.size, "1k", "is no such size"),
        (wanted.size, "much", "is no such size"),
        (lambda text: wanted.ports([text]), "70000", "is no port"),
        (lambda text: wanted.ports([text]), "0", "is no port"),
        (lambda text: wanted.ports([text]), "a:b", "is no port"),
        (lambda text: wanted.environment([text], {}), "UNSET", "no variable that is set here"),
        (lambda text: wanted.environment([text], {}), "=x", "is no NAME=VALUE"),
    ],
)
def test_what_can_not_be_meant_is_told(read, text, why):
    with pytest.raises(LabError, match=why):
        read(text)


def test_variables_and_sizes():
    assert wanted.environment(["A=b=c", "HERE", "E="], {"HERE": "x"}) == {"A": "b=c", "HERE": "x", "E": ""}
    assert (wanted.size("64m"), wanted.size("1G"), wanted.size("6291456")) == (64 << 20, 1 << 30, 6 << 20)


def test_an_old_image_is_built_anew_before_anything_runs(engine, host):
    begun = []
    engine.images[PROGRAM_IMAGE] = Image("sha256:old", {LABEL_SOURCE: "old"})
    host(begins=lambda container, order: (begun.append(order.labels[COMPOSE_IMAGE]), container.listen("tcp", 9000)))
    assert begun == [engine.images[PROGRAM_IMAGE].id]
    assert engine.images[PROGRAM_IMAGE].labels[LABEL_SOURCE] != "old"


def test_where_others_are_recorded_it_waits_until_it_is_as_well(engine, host, monkeypatch):
    waited = []
    monkeypatch.setattr(at_start, "record", lambda engine, lab, waiters, nodes: waited.append((waiters, nodes)))
    host("before")
    assert waited == []
    engine.add("lab", "recorder", labels={LABEL_PROBE: CAPTURE.name, LABEL_PROBED: "before"}, ours=False)
    recorder = next(item for item in engine.containers() if LABEL_PROBE in item.labels)
    engine._containers[recorder.id].record = recorder._replace(labels={**recorder.labels, LABEL_LAB: "lab"})
    limits = []
    host("srv", begins=lambda container, order: (limits.append(order.processes), container.listen("tcp", 9000)))
    [([waiter], [node])] = waited
    assert (limits, SHUT, node.name, waiter.id) == ([gate.SHUT], gate.SHUT, "srv", node.container.id)
    assert at_start.waiting_again(engine, find(engine, "lab"), node) == [node.container]
    gate.release(engine, [waiter])
    assert engine.details(waiter.id).processes == 256


def test_a_network_that_a_program_is_on_stays(engine, host, tmp_path):
    file = tmp_path / "compose.yaml"
    text = "services: {one: {image: x, networks: [a, NET]}}\nnetworks: {a: {}, NET: {}}\n"
    file.write_text(text.replace("NET", "b"))
    up(engine, Request(str(file), "mine"), quiet)
    host(lab="mine", network="b")
    file.write_text(text.replace("NET", "c"))
    assert {net.name: net.change for net in plan(engine, str(file), "mine").networks} == {
        "mine_a": "keep",
        "mine_b": "keep",
        "mine_c": "create",
    }
    up(engine, Request(str(file), "mine"), quiet)
    assert {net.name for net in engine.networks()} == {"mine_a", "mine_b", "mine_c"}


def test_a_host_without_ipv4_is_not_reached_by_it(engine, host):
    up(engine, Request("ipv6-only"), quiet)
    ran = host(lab="ipv6-only")
    assert ran.addresses == ("fd77:10::64",)
    assert ran.notes == ("srv listens over IPv4 alone, and its host has IPv6 addresses alone: use AF_INET6",)
    both = lambda container, order: container.listen("tcp", 9000, "::")  # noqa: E731
    assert host("b", lab="ipv6-only", begins=both).notes == ()


def test_a_topology_with_the_same_image_has_plain_programs_too(engine, folder):
    """They are ready when they listen, and what they tripped over is told as of those of `labctl run`."""
    text = "services: {srv: {image: labctl/program, command: [python3, sever.py], volumes: ['.:/program:ro']}}"
    (folder / "compose.yaml").write_text(text)

    lab = up(engine, Request(str(folder), "mine", timeout=30), quiet)
    assert lab.node("srv").is_plain
    made = engine._containers[lab.node("srv").container.id]
    made.listen("tcp", 9000)
    [status] = ps(engine, find(engine, "mine"))
    assert status.state == "ready"
    made.begins = lambda: (
        made.print("python3: can't open file '/program/sever.py': [Errno 2] No such file", stderr=True),
        made.end(2),
    )
    with pytest.raises(NodeFailed, match="srv ended with exit status 2; what it printed") as told:
        change(engine, find(engine, "mine"), "restart", "srv", timeout=30)
    assert f"there is no sever.py in {folder}; did you mean server.py?" in told.value.hint


def test_what_is_watched_is_started_again_where_a_file_changes_and_ends_with_its_host(engine, host, folder):
    """Another thread changes the file once it is watched, and removes the host when it runs again."""
    host(begins=lambda container, order: (container.listen("tcp", 9000), container.print("begun")))
    lab = labctl.find(engine=engine)
    shown, told = [], []

    def changed(text):
        told.append(text)
        if text.startswith("watching"):
            (folder / "server.py").write_text("import sys, socket\n")
        elif text.startswith("srv runs again"):
            lab.remove("srv")

    with pytest.raises(LabNotFound):
        watch(engine, find(engine), "srv", lambda line, stderr: shown.append(line), changed)
    assert told[1] == "server.py changed: starting srv again"
    assert shown == ["begun"]


def test_the_end_of_what_is_watched_is_told_once(engine, host, folder):
    """As it begins, later, and where somebody else has started it again meanwhile."""
    made, told, token, program = [], [], labctl.Cancel(), folder / "server.py"
    host(begins=lambda container, order: made.append(container))
    [container] = made

    def changed(text):
        told.append(text)
        if text.startswith("watching"):
            container.end(137)
        elif text.endswith("(SIGKILL)"):
            container.begins = lambda: container.end(0)
            program.write_text("import sys, socket\n")
        elif text == "srv ended with exit status 0":
            container.begins = lambda: container.end(3)
            program.write_text("import this\n")
        elif text == "srv ended with exit status 3":
            container.begins = lambda: container.print("begun")
            change(engine, find(engine), "restart", "srv", timeout=30)
        elif text == "srv ended with exit status 4":
            token.cancel()

    def show(line, stderr):
        assert line == "begun"
        container.end(4)

    watch(engine, find(engine), "srv", show, changed, until=token)
    assert [line.splitlines()[0].partition(" (0.")[0] for line in told[1:]] == [
        "srv ended with exit status 137 (SIGKILL)",
        "server.py changed: starting srv again",
        "srv runs again",
        "srv ended with exit status 0",
        "server.py changed: starting srv again",
        "srv ended with exit status 3",
        "srv ended with exit status 4",
    ]


def test_what_has_ended_does_not_run_though_its_log_goes_on(engine, host, monkeypatch):
    """A busy engine ends a log that is followed only when it comes to it."""
    monkeypatch.setattr(awaiting, "LAST_WORDS", 0.05)
    made = []

    def listening(pids):
        made[0].listeners.clear()
        made[0].end(5)
        return {}

    monkeypatch.setattr(engine, "listening", listening)
    with pytest.raises(NodeFailed, match="srv ended with exit status 5"):
        host(begins=lambda container, order: made.append(container))


def test_watching_ends_where_it_is_told_to(engine, host):
    host()
    token = labctl.Cancel()
    watch(engine, find(engine), "srv", lambda line, stderr: None, lambda text: token.cancel(), until=token)
    assert find(engine).node("srv").is_running
