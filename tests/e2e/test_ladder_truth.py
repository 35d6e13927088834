"""Whether ladders say no more and no less than what happened: under random faults, at high rates, with a recorder that
can't keep up."""

import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from outside import OUT, Lab
from sampling import seed, share

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from tshark import Oracle, compare

from bench.measurements import mixes
from labctl.lab.recording.recorders import TELL

pytestmark = pytest.mark.timeout(900)  # the image of tshark may have to be built

MIXES = 24  # at once, of 200, which `make bench` takes; in time the seeds of all runs take them all
RATE, COUNT = 5000, 15000
SLACK = 10  # seconds that a busy machine may take until the recorders are asked, from which `--last` counts back
LARGE = 8500  # of 1,400 bytes: more than the 10 MiB of the ring that the kernel fills for a recorder


@pytest.fixture(scope="module")
def recorded(own_lab):
    """A default lab with recorders at the UDP peers."""
    assert own_lab.run("ladder", "udp1", "udp2", timeout=300).returncode == 1, "the first call starts them"
    return own_lab


def ladder(lab: Lab, begin: float) -> dict:
    """That of the peers' datagrams since a moment (time.time())."""
    last = f"{time.time() - begin + SLACK:.0f}s"
    found = lab.json("ladder", "udp1", "udp2", "--last", last, "--port", "5005", "--limit", "0")
    # Questions for a neighbour's hardware address are seen only where they arrive.
    found["arrows"] = [arrow for arrow in found["arrows"] if (arrow["sent_ns"] or arrow["arrived_ns"]) >= begin * 1e9]
    found["arrows"] = [arrow for arrow in found["arrows"] if arrow["packet"]["protocol"] == "udp"]
    return found


def datagrams(lab: Lab, node: str) -> dict[str, int]:
    """The node's own counters (proc(5), /proc/net/snmp)."""
    lines = lab.ok("exec", node, "--", "cat", "/proc/net/snmp").stdout.splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith("Udp: "))
    return dict(zip(names, map(int, values), strict=True))


def test_ladder_and_journal_of_faults_name_the_same_packets(recorded):
    [first] = share(range(0, 201 - MIXES, 8), 200, seed() or "first")
    found = mixes.compared(recorded.name, range(first, first + MIXES))
    assert found.differences == []
    assert found.packets > MIXES * 20
    assert found.verdicts > MIXES * 10
    # These are late in truth, by a busy machine, and no rule is named for it; if all were, nothing would be shown.
    assert found.late < found.packets / 2


@pytest.mark.turn(3)
def test_five_thousand_packets_a_second_are_all_recorded(recorded):
    begin = time.time()
    before = datagrams(recorded, "udp1"), datagrams(recorded, "udp2")
    recorded.json("udp", "send", "udp1", "udp2", "--count", str(COUNT), "--rate", str(RATE), "--timeout", "30")
    after = datagrams(recorded, "udp1"), datagrams(recorded, "udp2")
    assert after[0]["OutDatagrams"] - before[0]["OutDatagrams"] == COUNT
    # All arrived at the node, though its program may be too slow to read them.
    arrived = sum(after[1][name] - before[1][name] for name in ("InDatagrams", "RcvbufErrors"))
    assert arrived == COUNT
    found = ladder(recorded, begin)
    assert Counter(arrow["fate"] for arrow in found["arrows"]) == {"delivered": COUNT}
    assert len({arrow["packet"]["payload"] for arrow in found["arrows"]}) == COUNT
    assert not any(arrow["copy"] or arrow["reordered"] for arrow in found["arrows"])
    assert [note for note in found["notes"] if "dropped" in note] == []


@pytest.mark.turn(3)
def test_what_a_recorder_missed_is_not_called_lost(recorded, engine):
    """The receiver's recorder is frozen, and the kernel's ring for it runs full: that packets arrived is not known."""
    labels = [f"dev.labctl.lab={recorded.name}", "dev.labctl.probe=capture", "dev.labctl.probed=udp2"]
    begin = time.time()
    [recorder] = engine.containers.list(filters={"label": labels}, ignore_removed=True)
    first = recorded.json("udp", "send", "udp1", "udp2", "before")
    recorder.pause()
    try:
        train = ("--count", str(LARGE), "--rate", "0", "--size", "1400", "--timeout", "30")
        recorded.json("udp", "send", "udp1", "udp2", *train)
    finally:
        recorder.unpause()
    recorded.ok("fault", "drop", "udp1:udp2", 'udp contains "gone"')
    recorded.run("udp", "send", "udp1", "udp2", "gone", "--timeout", "1")
    found = ladder(recorded, begin)
    large = [arrow for arrow in found["arrows"] if arrow["packet"]["payload_length"] == 1400]
    fates = Counter(arrow["fate"] for arrow in large)
    assert set(fates) == {"delivered", "unknown"}
    assert fates.total() == LARGE
    [note] = [note for note in found["notes"] if "dropped" in note]
    # A question for a hardware address may have been among them, which is no datagram.
    dropped = int(note.removeprefix("The kernel dropped ").partition(" packets of the capture at udp2")[0])
    assert 0 <= dropped - fates["unknown"] <= 4, fates
    # What a rule dropped is lost all the same, and what was seen at both ends is delivered.
    [lost] = [arrow for arrow in found["arrows"] if arrow["fate"] == "lost"]
    assert (lost["text"], lost["faults"][0]["action"]) == ("gone", "drop")
    assert first["bytes"] in {arrow["packet"]["payload_length"] for arrow in found["arrows"] if arrow not in large}


UNREACHABLE = """
import socket
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.settimeout(10)
sock.connect(("udp1", 9))
sock.send(b"nobody is there")
try:
    sock.recv(1)
except ConnectionRefusedError:
    print("refused")
"""


@pytest.mark.turn(3)
def test_tshark_reads_what_every_node_recorded(recorded, engine, outsider):
    """Addresses, ports, flags, numbers, lengths and checksums of all that seven recorders saw at all their taps."""
    for pair in (("alice", "bob"), ("client", "echo"), ("web", "udp1")):
        recorded.run("ladder", *pair, timeout=300)
    begin = time.time()
    recorded.ok("fault", "drop", "alice:bob", "tcp data 1")
    for link in ("alice:bob", "udp2:udp1"):  # which are for no packet, but are asked of each
        recorded.ok("fault", "drop", link, "any port 1")
    recorded.ok("chat", "send", "alice", "lost once")
    recorded.ok("chat", "send", "bob", "grüße " + "x" * 5000)
    recorded.ok("echo", "send", "client", "hello")
    recorded.ok("echo", "send", "client", "exit")
    recorded.ok("http", "get", "web", "/", "--from", "client")
    recorded.ok("udp", "send", "udp2", "udp1", "y" * 4000)
    assert recorded.ok("exec", "echo", "--", "python3", "-c", UNREACHABLE).stdout == "refused\n"
    recorded.ok("fault", "clear", "--all")
    Oracle.container = outsider("wireshark", recorded).container
    try:
        taps: set[str] = set()
        for node in recorded.containers():
            found, _ = compare(pcapng(engine, recorded, node, time.time() - begin))
            taps |= {f"{node}:{packet.interface.rpartition(':')[2]}" for packet in found}
    finally:
        Oracle.container.remove(force=True)
    ruled = {"alice", "udp2"}
    wanted = {f"{node}:{'left' if node in ruled else 'out'}" for node in recorded.containers()}
    assert wanted | {f"{node}:in" for node in recorded.containers()} | {f"{node}:sent" for node in ruled} <= taps


def pcapng(engine, lab: Lab, node: str, last: float) -> Path:
    """What a node's recorder has of the last seconds, as it tells it."""
    labels = [f"dev.labctl.lab={lab.name}", "dev.labctl.probe=capture", f"dev.labctl.probed={node}"]
    [recorder] = engine.containers.list(filters={"label": labels}, ignore_removed=True)
    docker = shutil.which("docker") or "docker"
    teller = subprocess.Popen(
        [docker, "exec", "-i", recorder.id, *TELL, "--last", f"{last:.3f}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with teller:  # its input stays open: it goes when that ends
        data = teller.stdout.read()
    file = OUT / f"recorded-{node}.pcapng"
    OUT.mkdir(exist_ok=True)
    file.write_bytes(data)
    return file
