"""`labctl capture`, `ladder` and `trace` from outside: tshark's word on the files, Docker's on the recorders.

The tests stand in the order of a lesson on one lab: the first ones find it unrecorded.
"""

import io
import json
import re
import signal
import subprocess
import time

import pytest
from executing import execute
from outside import PATIENCE, end_group, finish, json_lines, read_until, run, until

from labctl.engine.model import PROBE_IMAGE
from labctl.packets.files.capture import read

pytestmark = pytest.mark.turn(3)

FIELDS = ("frame.interface_name", "frame.comment", "frame.len", "ip.src", "ip.dst", "tcp.len", "tcp.port", "udp.port")
RETURN_TO_SENDER = """
import socket
with socket.create_server(("", 9000)) as door:
    sock, _ = door.accept()
    total = 0
    while data := sock.recv(1 << 20):
        total += len(data)
    print(total)
"""
MEGABYTE = """
import socket, time
deadline = time.monotonic() + 60
while True:
    try:
        sock = socket.create_connection(("udp2", 9000))
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.02)
sock.sendall(bytes(1 << 20))
"""


@pytest.fixture(scope="module")
def shark(outsider, own_lab):
    """`shark(pcapng)`: what tshark says of each packet; `display` is a filter of tshark's own."""
    found = outsider("wireshark", own_lab)

    def rows(data: bytes, display: str = "") -> list[dict[str, str]]:
        command = ["tshark", "-n", "-r", "-", "-T", "fields", "-E", "occurrence=a", "-E", "separator=/t"]
        for field in FIELDS:
            command += ["-e", field]
        done = found.run(*command, *(["-Y", display] if display else []), input=data)
        assert done.returncode == 0, done
        assert "cut short" not in done.stderr, done
        lines = done.stdout.split("\n")[:-1]
        return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]

    yield rows
    found.container.remove(force=True)


def recorder(lab, node):
    """The container that records a node, None where there is none."""
    labels = [f"dev.labctl.lab={lab.name}", "dev.labctl.probe=capture", f"dev.labctl.probed={node}"]
    found = lab.engine.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    assert len(found) <= 1
    return found[0] if found else None


def tellers(lab, node) -> list[str]:
    """The programs that tell labctl of packets, in the recorder of a node."""
    listing = recorder(lab, node).top()["Processes"]
    return [line[-1] for line in listing if "capture_tell.py" in line[-1]]


def piped(lab, *args: str, **variables) -> tuple[subprocess.Popen, bytes]:
    """A capture into a pipe that listens by now, and what it has written so far."""
    child = lab.begin("capture", *args, "-w", "-", **variables)
    return child, read_until(child.stdout, b"labctl")  # in the section's header


@pytest.mark.turn(1)
def test_first_ladder_begins_to_record(own_lab):
    first = own_lab.run("ladder", "alice", "bob")  # which may have to build the recorder's image
    assert (first.returncode, first.stdout) == (1, "")
    assert "labctl: nothing was recorded at alice and bob until now; from now on it is\n" in first.stderr
    own_lab.ok("chat", "send", "alice", "seen by both")
    drawn = own_lab.ok("ladder", "alice", "bob", "--no-ack", "--last", "2m").stdout
    assert drawn.splitlines()[1].split() == ["alice", "bob"]
    assert '"seen by both\\n"' in drawn


def test_recorders_hold_only_what_they_need(own_lab):
    container = recorder(own_lab, "alice")
    host = container.attrs["HostConfig"]
    assert (host["Privileged"], host["ReadonlyRootfs"], host["CapDrop"]) == (False, True, ["ALL"])
    assert sorted(name.removeprefix("CAP_") for name in host["CapAdd"]) == ["NET_ADMIN", "NET_RAW"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["NetworkMode"] == f"container:{own_lab.container('alice').id}"
    assert not any(host[space].startswith(("host", "container:")) for space in ("PidMode", "IpcMode", "UTSMode"))
    assert (host["Binds"], host["Devices"], container.attrs["Mounts"]) == (None, None, [])
    assert not host["PortBindings"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] == 64
    status = execute(container.id, "cat", "/proc/1/status").out
    # capabilities(7): 12 and 13, in the bounding set of the first process, and so of all others.
    assert int(re.search(r"CapBnd:\s+(\w+)", status)[1], 16) == 1 << 12 | 1 << 13


@pytest.mark.turn(1)
def test_file_for_wireshark(own_lab, shark, tmp_path):
    """One interface for each node, and one for what was sent before a fault, which is named where it struck."""
    file = tmp_path / "all.pcapng"
    own_lab.ok("capture", "--start", timeout=120)
    rule = own_lab.json("fault", "drop", "alice:bob", "tcp data 1")["id"]
    child = own_lab.begin("capture", "-w", str(file))
    until(lambda: file.exists() and file.stat().st_size, "the file begins when it listens")
    own_lab.ok("chat", "send", "alice", "lost once")
    own_lab.ok("http", "get", "web", "/", "--from", "client")
    until(lambda: b"lost once" in file.read_bytes() and b"Hello World" in file.read_bytes(), "all is written")
    end_group(child, signal.SIGINT)
    assert finish(child).returncode == 130
    own_lab.ok("fault", "clear", "--all")
    rows = shark(file.read_bytes())
    names = {row["frame.interface_name"] for row in rows}
    assert {"alice", "alice before faults", "bob", "client", "web"} <= names
    assert names <= {*own_lab.containers(), "alice before faults"}
    struck = [row for row in rows if row["frame.comment"]]
    assert [(row["frame.interface_name"], row["frame.comment"], row["tcp.len"]) for row in struck] == [
        ("alice before faults", f"drop by {rule}", "10")
    ]
    # The rule has done its work with that, and what is sent again leaves as everything does.
    seen = {
        name: [row for row in rows if (row["frame.interface_name"], row["tcp.len"]) == (name, "10")] for name in names
    }
    assert [len(seen[name]) for name in ("alice before faults", "alice", "bob")] == [1, 1, 1]
    assert {(row["ip.src"], row["ip.dst"]) for row in seen["bob"]} == {
        (own_lab.address("alice"), own_lab.address("bob"))
    }


def test_places_and_filters(own_lab, shark, tmp_path):
    """What is left out is what tshark's own filter leaves out of all."""
    nodes = ("alice", "bob", "udp2", "web")
    own_lab.ok("capture", "--stop", *nodes)
    own_lab.ok("capture", "--start", *nodes)
    own_lab.ok("chat", "send", "alice", "one")
    own_lab.ok("chat", "send", "bob", "two")
    own_lab.ok("udp", "send", "udp1", "udp2", "--count", "20", "--rate", "500")
    own_lab.ok("http", "get", "web", "/", "--from", "alice")

    def written(*words: str) -> list[dict[str, str]]:
        own_lab.ok("capture", *words, "--last", "2m", "-w", str(tmp_path / "x"))
        return shark((tmp_path / "x").read_bytes())

    own_lab.ok("capture", *nodes, "--last", "2m", "-w", str(tmp_path / "whole"))
    whole = (tmp_path / "whole").read_bytes()
    alice, bob = own_lab.address("alice"), own_lab.address("bob")
    both = f"(frame.interface_name == alice or frame.interface_name == bob) and ip.addr == {alice} and ip.addr == {bob}"
    for words, display in {
        ("udp2",): "frame.interface_name == udp2",
        ("alice", "web", "--filter", "tcp port 8080"): "tcp.port == 8080",
    }.items():
        found, wanted = written(*words), shark(whole, display)
        # Packets go on coming and getting old; what was asked for above is in both.
        assert data_of(found) == data_of(wanted), words
        assert data_of(found)
    link = data_of(written("alice-bob", "--filter", "ip"))
    assert link == data_of(shark(whole, both))
    assert {row[2] for row in link} == {alice, bob}
    assert {row[2] for row in data_of(written("bob:alice", "--filter", "ip"))} == {bob}


def data_of(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """Of the packets with data, what tells them apart: keep-alives come and go."""
    wanted = [row for row in rows if row["udp.port"] or int(row["tcp.len"] or 0) > 1]
    return sorted(tuple(row[name] for name in FIELDS if name != "frame.comment") for row in wanted)


def test_pipe_brings_packets_as_they_come(own_lab):
    child, head = piped(own_lab, "alice")
    own_lab.ok("chat", "send", "alice", "still running")
    data = head + read_until(child.stdout, b"still running")
    assert child.poll() is None
    assert any(b"still running" in record.data for record in read(io.BytesIO(data)))
    child.stdout.close()  # `labctl capture -w - | head -c 100`
    child.stdout = None
    own_lab.ok("chat", "send", "alice", "nobody reads")
    assert finish(child).returncode == 128 + signal.SIGPIPE
    until(lambda: tellers(own_lab, "alice") == [], "nothing is left in the recorder")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_labctl_is_ended(own_lab, number, status):
    child, head = piped(own_lab, "alice")
    assert len(tellers(own_lab, "alice")) == 1
    child.send_signal(number)
    child.wait(PATIENCE)
    rest = child.communicate()[0]
    assert child.returncode == status
    if number == signal.SIGTERM:
        list(read(io.BytesIO(head + rest)))
    until(lambda: tellers(own_lab, "alice") == [], "nothing is left in the recorder")


def test_times(own_lab):
    begun = time.monotonic()
    own_lab.ok("capture", "alice", "--for", "300ms", "--json")
    assert time.monotonic() - begun < PATIENCE
    own_lab.ok("chat", "send", "alice", "look back")
    found = json_lines(own_lab.ok("capture", "alice", "--last", "2m", "--json").stdout)
    assert found
    assert [line["ts"] for line in found] == sorted(line["ts"] for line in found)
    assert {(line["node"], line["interface"]) for line in found} == {("alice", "eth0")}
    assert '"look back\\n"' in own_lab.ok("capture", "alice", "--last", "2m").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("alice", "-w", "/dev/full"), "/dev/full can't be written: No space left on device"),
        (("alice", "-w", "/no/such/folder"), "/no/such/folder can't be written: No such file or directory"),
        (("alice", "--filter", "tcp prt 7"), "the filter 'tcp prt 7' is none: can't parse filter expression"),
        (("alise",), "there is no node alise in the lab {}; did you mean alice"),
        (("alice-bobb",), "there is no node bobb in the lab {}; did you mean bob?"),
        (("alice", "bob-web"), "bob-web is no node, and a link stands alone"),
        (("alice:alice",), "alice has no link to itself"),
        (("--for", "soon"), "--for soon is not a time"),
    ],
)
def test_refusals(own_lab, words, said):
    assert own_lab.refused("capture", *words, "--last", "2m").startswith(said.format(own_lab.name))


def test_terminal_gets_no_pcapng(own_lab):
    with own_lab.terminal("capture", "alice", "-w", "-") as terminal:
        assert terminal.end(PATIENCE) == 2
        assert "a terminal can't show pcapng" in terminal.shown


def test_nodes_that_do_not_run(own_lab):
    own_lab.ok("stop", "udp2")
    assert own_lab.refused("capture", "udp2").startswith("udp2 exited (")
    assert own_lab.refused("ladder", "udp1", "udp2").startswith("udp2 exited (")
    own_lab.ok("capture", "--for", "100ms")  # all that run
    own_lab.ok("start", "udp2")
    own_lab.ok("capture", "udp1", "udp2", "--for", "100ms")


def test_a_paused_node_is_recorded_since_its_kernel_goes_on(own_lab):
    own_lab.ok("capture", "--start", "udp1", "udp2")
    own_lab.ok("pause", "udp1")
    try:
        assert own_lab.json("ping", "udp2", "udp1", "-c", "2")["summary"]["received"] == 2
        assert own_lab.json("ping", "udp1", "udp2", "-c", "1")["summary"]["received"] == 1
        arrows = own_lab.json("ladder", "udp2", "udp1", "--last", "2m")["arrows"]
        assert {(arrow["from"], arrow["fate"]) for arrow in arrows if arrow["packet"]["protocol"] == "icmp"} == {
            ("udp1", "delivered"),
            ("udp2", "delivered"),
        }
        assert "5005" in own_lab.ok("sockets", "udp1").stdout
    finally:
        own_lab.ok("unpause", "udp1")


def test_recorder_that_is_paused(own_lab):
    """Frozen while it is listened to, and then asked again: an error within the limit, and no hang."""
    child, _ = piped(own_lab, "echo")
    container = recorder(own_lab, "echo")
    container.pause()
    got = finish(child, 30)
    assert got.returncode == 1
    assert "echo can't be recorded: its recorder has said nothing for 10 s" in got.stderr
    assert own_lab.refused("capture", "echo").startswith("echo can't be recorded: its recorder is paused")
    own_lab.ok("capture", "alice", "--for", "100ms")  # of no concern to others
    container.unpause()
    own_lab.ok("capture", "echo", "--for", "100ms")
    assert recorder(own_lab, "echo").id == container.id


def test_recorder_that_is_killed(own_lab):
    child, _ = piped(own_lab, "echo")
    recorder(own_lab, "echo").kill()
    got = finish(child)
    assert got.returncode == 1
    assert "echo can't be recorded: its recorder ended" in got.stderr
    own_lab.ok("capture", "echo", "--for", "100ms")


def test_control_c_leaves_a_whole_file(own_lab, shark, tmp_path):
    file = tmp_path / "cut.pcapng"
    with own_lab.terminal("capture", "alice", "-w", str(file)) as terminal:
        until(lambda: file.exists() and file.stat().st_size, "it listens")
        own_lab.ok("chat", "send", "alice", "before the end")
        until(lambda: b"before the end" in file.read_bytes(), "it is written")
        terminal.type("\x03")
        assert terminal.end(PATIENCE) == 130
        assert "Traceback" not in terminal.shown
    assert [row["tcp.len"] for row in shark(file.read_bytes()) if row["tcp.len"] == "15"]


def test_segments_are_those_of_the_wire(own_lab, tmp_path):
    """A megabyte within one machine, and none of its segments is larger than the MTU; `--stop` sets all back."""

    def offload() -> set[str]:
        shown = own_lab.engine.containers.run(
            PROBE_IMAGE,
            ["ethtool", "-k", "eth0"],
            network_mode=f"container:{own_lab.container('udp1').id}",
            remove=True,
        )
        return set(re.findall(r"^([a-z-]+): on$", shown.decode(), re.MULTILINE))

    ours = {"tcp-segmentation-offload", "generic-segmentation-offload", "generic-receive-offload", "tx-checksumming"}
    own_lab.ok("capture", "--stop", "udp1")
    before = offload()
    assert before & ours
    own_lab.ok("capture", "--start", "udp1")
    server = own_lab.begin("exec", "udp2", "--", "python3", "-c", RETURN_TO_SENDER)
    own_lab.ok("exec", "udp1", "--", "python3", "-c", MEGABYTE)
    assert finish(server).stdout == f"{1 << 20}\n"
    own_lab.ok("capture", "udp1", "--last", "2m", "--filter", "tcp port 9000", "-w", str(tmp_path / "x"))
    data = (tmp_path / "x").read_bytes()
    found = list(read(io.BytesIO(data)))
    assert sum(len(record.data) for record in found) > 1 << 20
    assert max(record.original_length for record in found) <= 1514
    assert offload() & ours == set()
    assert own_lab.json("capture", "--stop", "udp1")["ended"] == ["udp1"]
    assert offload() == before
    assert recorder(own_lab, "udp1") is None


@pytest.mark.timeout(900)
def test_a_recorder_gives_out_all_that_it_holds(own_lab, tmp_path):
    """More than a reader can take at once; and it is still there afterwards. What a busy machine's kernel could not
    hand over is not held: then more is sent, until it is."""
    own_lab.ok("capture", "--stop", "udp1")
    own_lab.ok("capture", "--start", "udp1")
    kept = recorder(own_lab, "udp1").id
    file = tmp_path / "all.pcapng"
    command = ("capture", "udp1", "--last", "1h", "--filter", "tcp port 9000", "-w", str(file))
    for _ in range(3):
        server = own_lab.begin("exec", "udp2", "--", "python3", "-c", RETURN_TO_SENDER)
        own_lab.ok("exec", "udp1", "--", "python3", "-c", MEGABYTE.replace("1 << 20", "80 << 20"))
        assert finish(server).stdout == f"{80 << 20}\n"
        own_lab.ok(*command)
        if file.stat().st_size > 64 << 20:
            break
    file.unlink()
    said = own_lab.ok(*command).stderr
    assert file.stat().st_size > 64 << 20
    assert "udp1 is recorded since" in said
    assert (recorder(own_lab, "udp1").id, recorder(own_lab, "udp1").status) == (kept, "running")
    own_lab.ok("packet", "last")


def test_several_at_once_make_one_recorder(own_lab):
    own_lab.ok("capture", "--stop")
    started = [own_lab.begin("capture", "--start") for _ in range(3)]
    assert [finish(child).returncode for child in started] == [0, 0, 0]
    assert len([name for name in own_lab.labelled() if name.endswith("-capture")]) == 7
    assert own_lab.json("capture", "--stop")["ended"] == ["alice", "bob", "client", "echo", "udp1", "udp2", "web"]
    assert own_lab.ok("capture", "--stop").stderr == "nothing was being recorded\n"
    own_lab.ok("capture", "--start")


def test_capture_goes_on_with_a_node_that_starts_again(own_lab):
    own_lab.ok("capture", "--start", "alice", "bob")
    # From further back than it can take the command to begin: the message may be sent before it reads.
    child = own_lab.begin("capture", "alice", "bob", "--last", "1m", "--for", "1m")
    own_lab.ok("chat", "send", "alice", "before")
    read_until(child.stdout, b"before")
    own_lab.ok("restart", "bob")
    read_until(child.stderr, b"bob is there again")
    own_lab.ok("chat", "send", "bob", "after all")
    read_until(child.stdout, b"bob   -> 10.77")
    read_until(child.stdout, b"after all")
    end_group(child, signal.SIGINT)
    assert finish(child).returncode == 130


def test_a_capture_that_can_not_begin_leaves_an_older_file(own_lab, tmp_path):
    old, new = tmp_path / "old.pcapng", tmp_path / "new.pcapng"
    old.write_bytes(b"precious")
    for file in (old, new):
        assert "is none" in own_lab.refused("capture", "alice", "--filter", "tcp prt 7", "-w", str(file))
    assert old.read_bytes() == b"precious"
    assert not new.exists()
    own_lab.ok("capture", "alice", "--last", "1s", "-w", str(old))
    assert b"precious" not in old.read_bytes()


def test_ladder_in_each_form(own_lab):
    own_lab.ok("capture", "--start", "client", "web")
    own_lab.ok("http", "get", "web", "/", "--from", "client")
    words = ("ladder", "client", "web", "--last", "10m")
    heads = [arrow["head"] for arrow in own_lab.json(*words)["arrows"] if arrow["segment"]]
    assert "SYN" in heads
    assert "ACK" in heads
    fewer = own_lab.json(*words, "--no-ack")
    assert len([arrow for arrow in fewer["arrows"] if arrow["segment"]]) + fewer["hidden_acks"] == len(heads)
    assert fewer["hidden_acks"] >= 2
    ports = [arrow["packet"] for arrow in own_lab.json(*words, "--port", "8080")["arrows"]]
    assert ports
    assert own_lab.json(*words, "--port", "9")["arrows"] == []
    assert own_lab.ok(*words, "--format", "mermaid").stdout.startswith("sequenceDiagram")
    assert own_lab.ok(*words, "--format", "svg").stdout.startswith("<svg ")
    short = own_lab.ok(*words, "--limit", "3").stdout
    assert "limit" in short
    cut = own_lab.json(*words, "--limit", "3")
    assert len(cut["arrows"]) == 3
    assert cut["cut"] >= len(heads) - 3


def test_ladder_follows_a_loss(own_lab):
    own_lab.ok("fault", "drop", "alice:bob", "tcp data 1")
    child = own_lab.begin("ladder", "alice", "bob", "-f", "--last", "2m", "--json")
    text = read_until(child.stdout, b"\n")  # it follows
    own_lab.ok("chat", "send", "alice", "sent again")
    # Of this line: what was said before may have been sent again as well.
    while not re.search(rb'sent again.*"word":"retransmission".*\n', text, re.DOTALL):
        text += read_until(child.stdout, b"\n")
    end_group(child, signal.SIGINT)
    assert finish(child).returncode == 130
    own_lab.ok("fault", "clear", "--all")
    arrows = json_lines(text[: text.rindex(b"\n") + 1].decode())
    data = [arrow for arrow in arrows if arrow["text"] == "sent again\n"]
    assert [arrow["fate"] for arrow in data] == ["lost", "delivered"], data
    assert [fault["action"] for fault in data[0]["faults"]] == ["drop"]


@pytest.mark.turn(1)
def test_trace(own_lab):
    drawn = own_lab.ok("trace", "--", "chat", "send", "alice", "traced").stdout
    assert '"traced\\n"' in drawn
    drawn = own_lab.ok("trace", "--", "http", "get", "web", "/").stdout
    assert "this machine" in drawn
    assert '"GET / HTTP/1.1' in drawn
    train = own_lab.json("trace", "--", "udp", "send", "udp1", "udp2", "--count", "10", "--rate", "500")
    assert train["status"] == 0
    [ladder] = [one for one in train["ladders"] if {one["left"]["node"], one["right"]["node"]} == {"udp1", "udp2"}]
    numbered = [arrow for arrow in ladder["arrows"] if arrow["packet"]["protocol"] == "udp" and arrow["from"] == "udp1"]
    assert len(numbered) >= 10


def test_trace_ends_as_its_command_does(own_lab):
    bad = own_lab.run("trace", "--json", "--node", "udp1", "--", "chat", "send", "alicee", "x")
    assert (bad.returncode, json.loads(bad.stdout)["status"]) == (1, 1)
    assert "there is no node alicee" in bad.stderr
    none = own_lab.run("trace", "--node", "udp1", "--", "no-such-command")
    assert (none.returncode, none.stdout) == (2, "")
    # Nor does it where a neighbour's hardware address happens to be checked meanwhile.
    assert re.search("it caused no (packet|conversation, only what kernels ask for)", none.stderr)
    assert own_lab.run("trace").returncode == 2


def test_trace_leaves_out_what_kernels_check_of_an_earlier_conversation(own_lab):
    """Five seconds after a first answer the kernel asks whether the neighbour is still there (arp(7))."""
    own_lab.ok("ping", "bob", "web", "-c", "1")  # these two had nothing to do with each other until now
    traced = own_lab.json("trace", "--", "ping", "alice", "bob", "-c", "8", "-i", "1s")
    assert [{one["left"]["node"], one["right"]["node"]} for one in traced["ladders"]] == [{"alice", "bob"}]
    found = json_lines(own_lab.ok("capture", "web", "--last", "2m", "--filter", "arp", "--json").stdout)
    assert any(line["tap"] == "out" and "who has" in line["label"][0] for line in found), found


def _heads(ladders, a: str, b: str) -> list[tuple[str, str, str]]:
    [found] = [one for one in ladders if {one["left"]["node"], one["right"]["node"]} == {a, b}]
    return [(arrow["from"], arrow["head"], arrow["fate"]) for arrow in found["arrows"] if arrow["segment"]]


@pytest.mark.parametrize("verbs", [["restart"], ["stop", "start"]])
def test_trace_of_a_node_that_starts_again_has_its_first_segment(own_lab, verbs):
    own_lab.ok("capture", "--start")
    for verb in verbs:
        heads = _heads(own_lab.json("trace", "--", verb, "bob")["ladders"], "alice", "bob")
        if verb == "stop":
            assert ("bob", "FIN, ACK", "delivered") in heads, "what it said last is told by its recorder"
        else:
            assert [head for head in heads if "SYN" in head[1]] == [
                ("bob", "SYN", "delivered"),
                ("alice", "SYN, ACK", "delivered"),
            ]
    assert own_lab.events("bob", "error") == [], "it did not wait in vain"
    assert own_lab.container("bob").attrs["HostConfig"]["PidsLimit"] == 64
    assert own_lab.json("ladder", "alice", "bob", "--last", "1m")["arrows"]


def test_trace_gives_its_command_the_terminal(own_lab):
    """What is typed is the command's, and so is ^C, after which what was caused is drawn."""
    with own_lab.terminal("trace", "--", "attach", "alice", columns=120, NO_COLOR="1") as terminal:
        terminal.wait("at alice's keyboard")
        terminal.type("typed in a trace\n")
        with own_lab.journal("bob", whole=True) as journal:
            journal.wait("bob", "message", text="typed in a trace")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "PSH, ACK" in terminal.shown
        assert '"typed in a trace\\n"' in terminal.shown


def test_trace_of_a_command_that_goes_on_until_control_c(own_lab):
    with own_lab.terminal("trace", "--", "logs", "-f", "bob", columns=120, NO_COLOR="1") as terminal:
        terminal.wait("bob")
        own_lab.ok("chat", "send", "alice", "while it follows")
        terminal.wait("while it follows")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "10.77." in terminal.shown.split("while it follows", 1)[1]


def test_modules_of_the_folder_are_none_of_traces(own_lab, tmp_path):
    (tmp_path / "select.py").write_text("raise SystemExit('a learner's own')")
    done = own_lab.run("trace", "--", "chat", "send", "alice", "from a folder", cwd=tmp_path)
    assert done.returncode == 0, done


def test_trace_of_a_node_that_is_killed(own_lab):
    """Its kernel goes with it, so nobody says goodbye; the lab is whole again afterwards."""
    traced = own_lab.json("trace", "--node", "udp1", "--node", "udp2", "--", "kill", "udp2")
    assert traced["status"] == 0
    assert own_lab.refused("ladder", "udp1", "udp2").startswith("udp2 exited (")
    lost = own_lab.run("trace", "--json", "--node", "udp1", "--", "udp", "send", "udp1", "udp2", "x")
    assert lost.returncode == 1
    own_lab.ok("start", "udp2")
    own_lab.ok("udp", "send", "udp1", "udp2", "x")


def test_start_and_stop(own_lab):
    own_lab.ok("capture", "--start")
    ended = own_lab.json("capture", "--stop")["ended"]
    assert {"alice", "bob", "echo"} <= set(ended)
    assert own_lab.ok("capture", "--stop").stderr == "nothing was being recorded\n"
    assert own_lab.json("capture", "--start", "alice")["recorded"] == ["alice"]
    own_lab.ok("chat", "send", "alice", "recorded by now")
    found = json_lines(own_lab.ok("capture", "alice", "--last", "2m", "--json").stdout)
    assert any("recorded by now" in json.dumps(line["label"]) or line["length"] > 80 for line in found)
    assert run("capture", "--start", "--stop", LABCTL_LAB=own_lab.name).returncode == 2


def test_recorded_from_the_start(spare, tmp_path):
    """The first segment of the first conversation; then what was not recorded yet, and a node that is new."""
    lab, file = spare("recorded"), tmp_path / "compose.yaml"
    chat = {
        "alice": {"image": "labctl/chat-server", "stdin_open": True, "init": True, "pids_limit": 64},
        "bob": {"image": "labctl/chat-client", "init": True, "environment": {"TARGET": "alice:12345"}},
    }
    chat["bob"] |= {"stdin_open": True, "pids_limit": 64}

    def up(services: dict) -> None:
        file.write_text(json.dumps({"services": services}))
        lab.ok("up", str(file), "--record", "--lab", lab.name)

    up(chat)
    arrows = lab.json("ladder", "alice", "bob", "--last", "1m")["arrows"]
    heads = [(arrow["from"], arrow["head"]) for arrow in arrows if arrow["packet"]["protocol"] == "tcp"]
    assert heads[0] == ("bob", "SYN")
    assert ("alice", "SYN, ACK") in heads
    assert lab.events("alice", "error") == lab.events("bob", "error") == [], "nobody waited in vain"
    limits = {lab.container(name).attrs["HostConfig"]["PidsLimit"] for name in chat}
    assert limits == {64}, "nobody waits at the next start"
    alice, kept = lab.container("alice").attrs["State"]["StartedAt"], recorder(lab, "alice").id
    lab.ok("capture", "--stop", "bob")
    up(chat | {"carol": chat["bob"] | {"environment": {"TARGET": "alice:12345", "NAME": "carol"}}})
    assert (lab.container("alice").attrs["State"]["StartedAt"], recorder(lab, "alice").id) == (alice, kept)
    assert recorder(lab, "bob").status == "running"
    first = lab.json("ladder", "alice", "carol", "--last", "1m")["arrows"]
    assert next(arrow for arrow in first if arrow["segment"])["head"] == "SYN"
    lab.ok("down", lab.name)
    assert lab.labelled() == []
