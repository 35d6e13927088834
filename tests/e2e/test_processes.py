"""Sockets and system calls of nodes, beside what ss(8) says and what a program of ours is known to do."""

import base64
import os
import re
import signal
from pathlib import Path

import pytest
from executing import execute
from outside import Lab, finish, json_lines, read_until, until

from labctl.render.text import width

pytestmark = pytest.mark.turn(3)

PROBE = "dev.labctl.probe=processes"
# Every call of it is known: a server and its client in one process, one thread.
KNOWN = r"""
import os, socket
print(os.getpid(), flush=True)
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", 9100)); server.listen(7)
client = socket.socket(); client.connect(("127.0.0.1", 9100))
accepted, _ = server.accept()
client.send("hé\n".encode()); accepted.recv(100)
accepted.sendmsg([b"one", b"\xfftwo"]); client.recv_into(bytearray(100))
client.setblocking(False)
try: client.recv(1)
except BlockingIOError: pass
client.shutdown(socket.SHUT_WR); accepted.recv(10)
accepted.close(); client.close(); server.close()
datagram = socket.socket(type=socket.SOCK_DGRAM)
datagram.sendto(b"x" * 1000, ("127.0.0.1", 7)); datagram.recvfrom(2000)
"""
# call, result or errno, and what it is about; the descriptors are those that Python takes: the lowest that are free.
CALLS = [
    ("socket", 3),
    ("setsockopt", 0),
    ("bind", 0),
    ("listen", 0),
    ("socket", 4),
    ("connect", 0),
    ("accept4", 5),
    ("sendto", 4),
    ("recvfrom", 4),
    ("sendmsg", 7),
    ("recvfrom", 7),
    ("ioctl", 0),
    ("recvfrom", "EAGAIN"),
    ("shutdown", 0),
    ("recvfrom", 0),
    ("close", 0),
    ("close", 0),
    ("close", 0),
    ("socket", 3),
    ("sendto", 1000),
    ("recvfrom", 1000),
    ("close", 0),
]
# What Python asks besides, for its own objects.
ASIDE = ("getsockname", "getpeername")
CONNECT = (
    "import socket; s = socket.create_connection(('{}', 7)); s.send(b'x'); s.recv(1); s.close()"  # the active closer
)


def probe(engine, lab: Lab, node: str):
    labels = [PROBE, f"dev.labctl.lab={lab.name}", f"dev.labctl.probed={node}"]
    return engine.containers.list(all=True, filters={"label": labels}, ignore_removed=True)


def pids(container) -> list[tuple[int, str]]:
    """The machine's number and the command line of each process."""
    found = container.top()
    number, command = (found["Titles"].index(title) for title in ("PID", "CMD"))
    return [(int(line[number]), line[command]) for line in found["Processes"]]


def programs(container) -> list[str]:
    return [command for _, command in pids(container)]


def run_in(lab: Lab, node: str, code: str) -> str:
    done = execute(lab.container(node).id, "python3", "-c", code)
    assert done.status == 0, done
    return done.out


def record(lab: Lab, node: str) -> None:
    """From now on, if not before."""
    got = lab.run("syscalls", node, timeout=300)
    assert got.returncode in (0, 1), got
    if got.returncode == 1:
        assert f"nothing was recorded at {node} until now; from now on it is" in got.stderr


def calls(lab: Lab, node: str, *options: str) -> list[dict]:
    return json_lines(lab.ok("syscalls", node, "--json", *options).stdout)


def watching(lab: Lab, *nodes: str):
    """Each of the nodes says for itself from when on nothing is missed, in any order."""
    child, said = lab.begin("sockets", *nodes, "--watch", "--json"), b""
    while not all(f"{node}: watching".encode() in said for node in nodes):
        said += read_until(child.stderr, b"\n", 120)
    return child


# -- the table


@pytest.mark.turn(1)
def test_table_is_what_ss_says(engine, own_lab):
    own_lab.ok("echo", "send", "client", "so that there is a connection")
    own_lab.ok("sockets", "echo", timeout=300)  # the first one builds the probe's image
    [helper] = probe(engine, own_lab, "echo")
    keys = ("proto", "state", "receive_queue", "send_queue")
    found = {
        (*(item[key] for key in keys), end(item, "local"), end(item, "peer"))
        for item in own_lab.json("sockets", "echo")["sockets"]
    }
    lines = execute(helper.id, "ss", "-H", "-n", "-t", "-u", "-a").out.splitlines()
    told = {
        (proto, state, int(recv), int(send), *rest[:2]) for proto, state, recv, send, *rest in map(str.split, lines)
    }
    assert found == told
    assert len(found) >= 7


def end(item: dict, which: str) -> str:
    """As ss(8) writes it."""
    if item[which] is None:
        return "[::]:*" if ":" in item["local"][0] else "0.0.0.0:*"
    host, port = item[which]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def test_table_names_programs_and_backlogs(own_lab):
    code = (
        "import socket; s = socket.socket(); s.bind(('127.0.0.1', 9200)); s.listen(5); "
        "c = [socket.create_connection(('127.0.0.1', 9200)) for _ in range(2)]; c[0].send(b'12345'); "
        "print('there', flush=True); input()"
    )
    child = own_lab.begin("exec", "web", "--", "python3", "-c", code)
    read_until(child.stdout, b"there")
    there = own_lab.json("sockets", "web")["sockets"]
    [listening] = [item for item in there if item["local"] == ["127.0.0.1", 9200] and item["state"] == "LISTEN"]
    assert (listening["receive_queue"], listening["send_queue"], listening["program"]) == (2, 5, "python3")
    waiting = [item for item in there if item["local"] == ["127.0.0.1", 9200] and item["state"] == "ESTAB"]
    # Nobody has accepted them, so no program holds them; their data is there.
    assert sorted((item["receive_queue"], item["program"]) for item in waiting) == [(0, None), (5, None)]
    assert {item["pid"] for item in there if item["peer"] == ["127.0.0.1", 9200]} == {listening["pid"]}
    assert {item["program"] for item in there if item["local"][0] == "127.0.0.11"} == {"docker dns"}
    child.communicate(b"\n", timeout=20)


def test_no_socket_of_a_probe_is_shown(own_lab):
    own_lab.ok("fault", "add", "alice-bob", "--loss", "1%", "--seed", "1", timeout=300)
    own_lab.ok("fault", "clear", "--all")
    programs_there = {item["program"] for item in own_lab.json("sockets", "alice")["sockets"]}
    assert programs_there == {"python3", "docker dns"}


# -- states


def test_states_of_a_slow_connection_are_seen(own_lab):
    address = own_lab.address("echo")
    own_lab.ok("fault", "add", "client-echo", "--delay", "200ms", timeout=300)
    child = watching(own_lab, "client")
    try:
        run_in(own_lab, "client", CONNECT.format(address))
        data = read_until(child.stdout, b'"to":"TIME-WAIT"')
    finally:
        child.send_signal(signal.SIGINT)
        got = finish(child)
        own_lab.ok("fault", "clear", "--all")
    assert got.returncode == 130
    way = [event for event in json_lines(data.decode()) if event.get("peer") == [address, 7]]
    states = [(event["from"], event["to"], event["seen"]) for event in way]
    assert states[:3] == [("CLOSED", "SYN-SENT", True), ("SYN-SENT", "ESTAB", True), ("ESTAB", "FIN-WAIT-1", True)]
    assert states[-1][1:] == ("TIME-WAIT", True)
    assert way[0]["program"] == "python3"


def test_states_that_nobody_saw_are_told_as_such(own_lab):
    """On a fast network a handshake is over between two looks. Both ends tell a way that RFC 9293 knows."""
    address, mine = own_lab.address("echo"), own_lab.address("client")
    child = watching(own_lab, "client", "echo")
    try:
        run_in(own_lab, "client", CONNECT.format(address))
        data = b""
        while not (b'"to":"TIME-WAIT"' in data and b'"to":"CLOSED"' in data):
            data += read_until(child.stdout, b"\n")
    finally:
        child.send_signal(signal.SIGINT)
        finish(child)
    events = json_lines(data.decode().rpartition("\n")[0])
    ways = {
        node: [event for event in events if event["node"] == node and event["proto"] == "tcp" and event.get("peer")]
        for node in ("client", "echo")
    }
    for way in ways.values():
        # No state is left out, and each begins where the last one ended.
        assert [event["from"] for event in way[1:]] == [event["to"] for event in way[:-1]]
    client = [event["to"] for event in ways["client"]]
    assert client[:3] == ["SYN-SENT", "ESTAB", "FIN-WAIT-1"]
    assert client[-1] == "TIME-WAIT"
    assert [event["to"] for event in ways["echo"]] == ["SYN-RECV", "ESTAB", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
    assert ways["echo"][0]["from"] == "LISTEN"
    assert ways["echo"][0]["peer"][0] == mine
    assert not all(event["seen"] for way in ways.values() for event in way)


def test_watch_ends_with_its_node_and_with_labctl(engine, own_lab):
    child = watching(own_lab, "bob")
    [helper] = probe(engine, own_lab, "bob")
    assert any("sockets.py watch" in command for command in programs(helper))
    child.kill()
    finish(child)
    until(lambda: not any("sockets.py watch" in command for command in programs(helper)), "its program ends")
    child = watching(own_lab, "bob")
    own_lab.ok("kill", "bob")
    assert finish(child, 30).returncode == 0
    own_lab.heal()
    assert own_lab.json("sockets", "bob")["sockets"]


def test_a_watch_whose_labctl_stood_still_says_that_it_is_over(engine, own_lab):
    """^Z and, later, fg: the program in the probe has taken labctl for dead. That is no end of the node's."""
    child = watching(own_lab, "udp1")
    [helper] = probe(engine, own_lab, "udp1")
    child.send_signal(signal.SIGSTOP)
    until(lambda: not any("sockets.py watch" in command for command in programs(helper)), "its program ends")
    child.send_signal(signal.SIGCONT)
    got = finish(child)
    assert got.returncode == 1
    assert "the probe at udp1 can't do that: its program ended, and its node did not" in got.stderr


# -- system calls


def test_calls_of_a_known_program(own_lab):
    """Each call, in order, with its result; from the program's very first on, though `docker exec` starts it."""
    record(own_lab, "echo")
    pid = int(run_in(own_lab, "echo", KNOWN).split()[0])
    mine = [event for event in calls(own_lab, "echo") if event.get("pid") == pid]
    assert mine[0]["event"] == "process"
    assert mine[0]["state"] == "started"
    assert mine[-1] == mine[-1] | {"event": "process", "state": "ended", "status": 0}
    made = [event for event in mine if event["event"] == "syscall" and event["call"] not in ASIDE]
    assert [(event["call"], event.get("error", event["result"])) for event in made] == CALLS
    by = {(event["call"], event["result"]): event for event in made}
    server, client = ["127.0.0.1", 9100], by["connect", 0]["local"]
    assert by["bind", 0]["args"] == ["3", "{AF_INET, 127.0.0.1:9100}", "16"]
    assert by["listen", 0]["args"] == ["3", "7"]
    assert by["connect", 0]["peer"] == server
    assert (by["accept4", 5]["local"], by["accept4", 5]["peer"]) == (server, client)
    assert by["sendto", 4] == by["sendto", 4] | {"proto": "tcp", "fd": 4, "bytes": 4, "text": "hé\n", "peer": server}
    assert by["sendto", 4]["args"] == ["4", '"hé\\n"', "4", "0", "NULL", "0"]
    assert by["sendmsg", 7]["data"] == "b25l/3R3bw=="
    assert by["ioctl", 0]["args"] == ["4", "FIONBIO", "[1]"]
    assert by["sendto", 1000]["proto"] == "udp"
    assert by["sendto", 1000]["bytes"] == 1000 == len(by["sendto", 1000]["text"]) + by["sendto", 1000]["cut"]
    assert by["recvfrom", 1000]["peer"] == ["127.0.0.1", 7]
    assert all(event["duration_ns"] > 0 and event["program"] == "python3" for event in made)
    # The server on the other side is of the same node: it was running long before.
    others = [event for event in calls(own_lab, "echo", "--last", "60s") if event.get("pid") == 1]
    assert [event["call"] for event in others if event.get("bytes") == 1000] == ["recvmsg", "sendmsg"]
    assert not any(event.get("call") == "epoll_wait" for event in others)
    assert any(event.get("call") == "epoll_wait" for event in calls(own_lab, "echo", "--waits"))


def test_a_name_server_is_asked_for_both_families_with_one_call(own_lab):
    record(own_lab, "echo")
    pid = int(run_in(own_lab, "echo", "import os, socket; print(os.getpid()); socket.getaddrinfo('web', 80)"))
    [asked] = [event for event in calls(own_lab, "echo") if event.get("pid") == pid and event.get("call") == "sendmmsg"]
    assert asked["peer"] == ["127.0.0.11", 53]
    assert [one["bytes"] for one in asked["datagrams"]] == [21, 21]
    assert asked["bytes"] == 42


def test_follow(engine, own_lab):
    child = own_lab.begin("syscalls", "client", "--follow")
    read_until(child.stderr, b"recorded", 120)
    own_lab.ok("echo", "send", "client", "heard?")
    shown = read_until(child.stdout, b"recvfrom(").decode()
    assert re.search(r'client  python3\[1\] +sendto\(\d+<tcp [\d.:]+ -> [\d.:]+:7>, "heard\?\\n", 7, .*\) = 7', shown)
    child.send_signal(signal.SIGINT)
    assert finish(child).returncode == 130
    [helper] = probe(engine, own_lab, "client")
    until(lambda: not any("syscalls.py" in command for command in programs(helper)), "its program ends")
    # The recorder stays, until it is told to stop; its node goes on.
    assert any(command.startswith("strace") for command in programs(helper))
    other = own_lab.begin("syscalls", "client", "--follow")
    read_until(other.stderr, b"recorded")
    assert own_lab.json("syscalls", "client", "--stop")["stopped"] is True
    assert not any(command.startswith("strace") for command in programs(helper))
    assert finish(other).returncode == 0
    assert own_lab.json("echo", "send", "client", "still there?")["answer"] == "still there?"
    assert own_lab.json("syscalls", "client", "--stop")["stopped"] is False


# More than labctl takes ahead (100,000 events) and the probe keeps for it (16 MiB) together.
FLOOD = """
import socket
datagram = socket.socket(type=socket.SOCK_DGRAM)
for number in range(50_000):
    datagram.sendto(b"%08d" % number + bytes([255]) * 248, ("127.0.0.1", 9))
"""


@pytest.mark.turn(6)
def test_a_reader_that_stands_still_is_told_how_much_is_missing(own_lab):
    child = own_lab.begin("syscalls", "udp2", "--follow", "--json")
    read_until(child.stderr, b"recorded", 120)
    flood = own_lab.begin("exec", "udp2", "--", "python3", "-c", FLOOD)
    assert finish(flood, 240).returncode == 0, "the node does not wait for a reader"
    got = finish(child, 240)
    own_lab.ok("syscalls", "udp2", "--stop")
    assert got.returncode == 1
    [missing] = re.findall(r"udp2 had more to tell than was read: (\d+) events are left out", got.stderr)
    *events, last = json_lines(got.stdout)
    assert last["error"]["code"] == "fell-behind"
    told = [int(base64.b64decode(event["data"])[:8]) for event in events if event.get("bytes") == 256]
    assert told == list(range(len(told))), "until then all is told"
    assert 0 < len(told) < 50_000
    assert int(missing) > 0


def test_a_process_that_is_traced_already(engine, own_lab):
    own_lab.ok("sockets", "udp1")
    own_lab.ok("syscalls", "udp2", "--stop")
    [helper] = probe(engine, own_lab, "udp1")
    other = helper.exec_run(["strace", "-f", "-qq", "-o", "/dev/null", "-p", "1"], detach=True)
    assert other.exit_code is None
    until(lambda: "TracerPid:\t0\n" not in execute(helper.id, "cat", "/proc/1/status").out, "it is traced")
    got = own_lab.run("syscalls", "udp1")
    assert got.returncode == 1
    assert re.match(
        r"labctl: the processes of udp1 can't be traced: it is traced already, by process \d+\n", got.stderr
    )
    assert "one tracer at most" in got.stderr
    # What is asked of two nodes and can't be had of one is begun at neither.
    got = own_lab.run("xray", "udp2", "udp1")
    assert (got.returncode, "the processes of udp1 can't be traced" in got.stderr) == (1, True)
    assert own_lab.json("syscalls", "udp2", "--stop")["stopped"] is False


def test_programs_of_others(clients, spare, tmp_path):
    """A container of somebody else's, with programs in C, in a project that labctl brought up from a file."""
    lab = spare("foreign")
    file: Path = tmp_path / "compose.yaml"
    file.write_text("services:\n  box:\n    image: labctl/test-clients\n    init: true\n")
    lab.ok("up", str(file), "--lab", lab.name, timeout=120)
    record(lab, "box")
    box = lab.container("box")
    script = (
        # Once it is followed: on a busy machine that may be after it began.
        "until grep -q 'TracerPid:.[1-9]' /proc/self/status; do :; done; "
        "socat -u TCP-LISTEN:9000,reuseaddr OPEN:/dev/null & "
        "until grep -q ':2328 ' /proc/net/tcp; do :; done; echo 'grüße' | ncat --send-only 127.0.0.1 9000; wait; "
        "curl -s http://127.0.0.1:9001/; true"
    )
    assert execute(box.id, "sh", "-c", script).status == 0
    found = [event for event in calls(lab, "box") if event["event"] == "syscall" and event.get("proto") == "tcp"]
    by = {name: [event for event in found if event["program"] == name] for name in ("socat", "ncat", "curl")}
    # What each of them does with its sockets, in its own words (ncat writes by sendto, socat reads by read).
    assert [event["call"] for event in by["socat"] if event["call"] in ("bind", "listen")] == ["bind", "listen"]
    [accepted] = [event for event in by["socat"] if event["call"].startswith("accept")]
    [connected] = [event for event in by["ncat"] if event["call"] == "connect"]
    assert (accepted["peer"], accepted["local"]) == (connected["local"], connected["peer"])
    assert [event["text"] for event in by["socat"] if event["call"] in ("read", "recvfrom") and event["result"]] == [
        "grüße\n"
    ]
    assert [event["text"] for event in by["ncat"] if event.get("bytes")] == ["grüße\n"]
    refused = [event for event in by["curl"] if event["call"] in ("connect", "getsockopt")]
    assert refused[0]["peer"] == ["127.0.0.1", 9001]
    assert "ECONNREFUSED" in str(refused)


def test_a_program_that_was_found_late_is_told(engine, own_lab):
    own_lab.run("xray", "client", "echo", timeout=300)  # records from now on
    own_lab.ok("echo", "send", "client", "of which there is something to show")
    [helper] = probe(engine, own_lab, "client")
    lookers = [pid for pid, command in pids(helper) if "process_probe.py" in command]
    for pid in lookers:
        os.kill(pid, signal.SIGSTOP)  # as if it had got no turn
    try:
        own_lab.container("client").exec_run(["sleep", "100"], detach=True)
        until(lambda: any("sleep" in command for _, command in pids(own_lab.container("client"))), "sleep has begun")
    finally:
        for pid in lookers:
            os.kill(pid, signal.SIGCONT)

    def told():
        found = [event for event in calls(own_lab, "client") if event["event"] == "missed"]
        return [event for event in found if event["program"] == "sleep"]

    until(told, "it is told")
    [event] = told()
    assert event["reason"] == f"sleep[{event['pid']}] was found late: what it did first is not recorded"
    assert f"-- {event['reason']}\n" in own_lab.ok("syscalls", "client").stdout
    assert f"At client {event['reason']}." in own_lab.ok("xray", "client", "echo").stdout
    # One that is found in time is told from its start on; on a busy machine that is for the probe to say.
    own_lab.container("client").exec_run(["sleep", "200"], detach=True)
    begins = 'started ["sleep", '
    until(lambda: (begins in own_lab.ok("syscalls", "client").stdout) != (len(told()) == 2), "one of both is told")


# -- the command line


def test_refusals(own_lab):
    assert "nobody" in own_lab.refused("sockets", "nobody")
    assert "nobody" in own_lab.refused("syscalls", "nobody")
    assert "--last" in own_lab.refused("syscalls", "web", "--last", "soon")
    assert own_lab.run("syscalls", "web", "--stop", "--follow").returncode == 2
    own_lab.ok("pause", "udp2")
    assert own_lab.refused("syscalls", "udp2").startswith("udp2 is paused, so its system calls can't be recorded")
    own_lab.ok("unpause", "udp2")


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_lines_fit_the_terminal(own_lab, columns):
    record(own_lab, "echo")
    own_lab.ok("echo", "send", "client", "漢字 " * 30)
    for command in (("sockets",), ("syscalls", "echo")):
        with own_lab.terminal(*command, columns=columns, NO_COLOR="1") as terminal:
            assert terminal.end() == 0
        # What shows that labctl works on it is on stderr, and gone again.
        shown = re.sub(r"\x1b\[\??[\d;]*[A-LN-Za-ln-z]", "", terminal.shown)
        assert "\x1b" not in shown
        assert max(map(width, shown.replace("\r", "").split("\n"))) <= columns, shown
