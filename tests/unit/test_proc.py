"""Where programs listen, by the kernel's own tables: of this process, whose sockets are real, and of others' words."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from lacking import lacking

from labctl.engine.docker import diag, proc
from labctl.engine.memory import Execution, MemoryEngine
from labctl.engine.model import Line, Listening

HERE = os.getpid()
# Every process is in some group: "/" is in its name, as a container's id is in that of its processes.
MINE = "/"
TCP = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
UDP = TCP + " ref pointer drops"
REST = "00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0"


def row(local: str, state: str, remote: str = "00000000:0000") -> str:
    return f"   0: {local} {remote} {state} {REST}"


@pytest.fixture
def opened():
    """`opened(family, kind, address)` is a socket of this process that is bound, and listens where it can."""
    given: list[socket.socket] = []

    def open_(family: int, kind: int, address: str) -> socket.socket:
        try:
            made = socket.socket(family, kind)
            given.append(made)
            made.bind((address, 0))
        except OSError:
            lacking("this kernel has no IPv6")
        if kind == socket.SOCK_STREAM:
            made.listen(1)
        return made

    yield open_
    for made in given:
        made.close()


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
@pytest.mark.parametrize(("kind", "proto"), [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_each_socket_is_found_at_its_address(opened, family, address, kind, proto):
    made = opened(family, kind, address)
    wanted = Listening(proto, address, made.getsockname()[1])
    assert wanted in proc.read(HERE, MINE)
    made.close()
    assert wanted not in proc.read(HERE, MINE)


def test_connections_and_their_ends_listen_to_nobody(opened):
    server = opened(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1")
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    talker = opened(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1")
    talker.connect(server.getsockname())
    with client, accepted:
        found = {(item.proto, item.port) for item in proc.read(HERE, MINE)}
        assert ("tcp", server.getsockname()[1]) in found
        assert ("tcp", client.getsockname()[1]) not in found
        assert ("udp", talker.getsockname()[1]) not in found


def test_a_process_that_is_another_container_s_is_not_read():
    assert proc.read(HERE, "f" * 64) is None
    assert proc.read(0, MINE) is None, "nothing runs"
    assert proc.read(2**22 + 1, MINE) is None, "no process can have that number"


def test_all_are_read_that_are_to_be_seen(opened):
    """By their processes: three are this one, by names that its groups have in common with it."""
    port = opened(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1").getsockname()[1]
    groups = Path("/proc/self/cgroup").read_text().splitlines()
    mine = {MINE, ":", groups[0].partition(":")[0]}
    found = proc.read_all({**dict.fromkeys(mine, HERE), "f" * 64: HERE, "e" * 64: 0})
    assert found.keys() == mine
    assert all(Listening("tcp", "127.0.0.1", port) in told for told in found.values())
    assert proc.read_all({}) == {}


APART = """
import fcntl, socket, struct, sys
with socket.socket() as any_:
    name = struct.pack("16sh", b"lo", 1)
    fcntl.ioctl(any_, 0x8914, name)  # SIOCSIFFLAGS, IFF_UP
kept = []
for family, kind, address, port in [
    (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", 5000),
    (socket.AF_INET6, socket.SOCK_STREAM, "::", 5001),
    (socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0", 5000),
    (socket.AF_INET6, socket.SOCK_DGRAM, "::1", 5000),
]:
    kept.append(socket.socket(family, kind))
    kept[-1].bind((address, port))
    if kind == socket.SOCK_STREAM:
        kept[-1].listen(1)
kept.append(socket.create_connection(("127.0.0.1", 5000)))
kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
kept[-1].connect(("127.0.0.1", 5000))
kept.append(socket.socket())
kept[-1].bind(("127.0.0.11", 5002))  # as the engine's name server
kept[-1].listen(1)
print("ready", flush=True)
sys.stdin.read()
"""
THERE = (
    Listening("tcp", "127.0.0.1", 5000),
    Listening("tcp", "::", 5001),
    Listening("udp", "0.0.0.0", 5000),
    Listening("udp", "::1", 5000),
)


@pytest.fixture(scope="module")
def apart():
    """A process in a network namespace of its own."""
    command = ["unshare", "--net", sys.executable, "-c", APART]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        if child.stdout.readline() != "ready\n":
            lacking("this user may make no network namespace, or this kernel has no IPv6")
        yield child.pid


@pytest.mark.parametrize("way", ["the kernel's answer there", "its tables"])
def test_another_namespace(apart, monkeypatch, way):
    if way == "its tables":
        monkeypatch.setattr(diag, "_enter", not_allowed)
    before = os.readlink("/proc/self/ns/net")
    place = os.open(f"/proc/{apart}", os.O_RDONLY)
    asked = diag.listening([(MINE, place)])
    os.close(place)
    assert bool(asked) == (way != "its tables")
    assert proc.read_all({MINE: apart, ":": HERE})[MINE] == THERE
    assert proc.read(apart, MINE) == THERE
    assert os.readlink("/proc/self/ns/net") == before == os.readlink("/proc/thread-self/ns/net")


def not_allowed(_place):
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("number", [2, 95], ids=["no such table", "no such answer"])
def test_a_kernel_that_does_not_answer_there_has_tables(apart, monkeypatch, number):
    def refused(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(diag, "_dump", refused)
    assert proc.read_all({MINE: apart})[MINE] == THERE


def test_a_protocol_that_the_kernel_does_not_know_is_an_error():
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, diag.NETLINK_SOCK_DIAG) as kernel,
        pytest.raises(OSError, match="."),
    ):
        list(diag._dump(kernel, socket.AF_INET, 250, 1 << diag.LISTEN))


def test_tables_of_a_container():
    said = [
        TCP,
        row("0B00007F:A953", "0A"),  # Docker's name server
        row("00000000:1F90", "0A"),
        row("00000000:1F90", "01", "0600000A:C000"),
        row("0100007F:1388", "0A"),
        TCP.replace("local_address", "local_address                        "),
        row("00000000000000000000000001000000:1388", "0A", "00000000000000000000000000000000:0000"),
        row("000077FD000000000000000005000000:0050", "0A", "00000000000000000000000000000000:0000"),
        UDP,
        row("0B00007F:D2E0", "07"),
        row("00000000:0007", "07"),
        row("0700000A:8000", "01", "0B00007F:0035"),
    ]
    assert proc.listening(said) == (
        Listening("tcp", "fd77::5", 80),
        Listening("tcp", "127.0.0.1", 5000),
        Listening("tcp", "::1", 5000),
        Listening("tcp", "0.0.0.0", 8080),
        Listening("udp", "0.0.0.0", 7),
    )
    assert proc.is_table(said)


@pytest.mark.parametrize("said", [[], ['OCI runtime exec failed: exec: "cat": executable file not found in $PATH']])
def test_what_is_no_table_is_taken_for_none(said):
    """Where a container has no cat(1): that nothing listens would be a guess."""
    assert not proc.is_table(said)


class Watched(MemoryEngine):
    """How many commands run at the same time at most."""

    most = now = 0

    def open(self, *args, **options):
        stream = super().open(*args, **options)
        self.now += 1
        self.most = max(self.most, self.now)
        return stream

    def wait(self, streams, deadline):
        for happening in super().wait(streams, deadline):
            self.now -= happening.line is None
            yield happening


def with_tables(count: int, engine: MemoryEngine) -> list[str]:
    lines = [Line(text.encode()) for text in (TCP, row("00000000:1F90", "0A"))]
    nodes = [engine.add("lab", f"n{number}") for number in range(count)]
    for node in nodes:
        node.commands = lambda command: Execution(lines)
    return [node.record.id for node in nodes]


def test_many_containers_are_read_a_few_at_a_time():
    """Each reading is a process of the engine's and its helpers; a thousand at once brought a machine to a stop."""
    engine = Watched()
    names = with_tables(100, engine)
    found = proc.told_inside(engine, names)
    assert found == dict.fromkeys(names, (Listening("tcp", "0.0.0.0", 8080),))
    assert engine.most == proc.READERS


def test_what_there_is_no_time_for_is_not_known(monkeypatch):
    monkeypatch.setattr(proc, "READ_LIMIT", 0.0)
    engine = Watched()
    assert proc.told_inside(engine, with_tables(3, engine)) == {}
    assert engine.most == 0
