"""Ladders of what TCP, UDP and ICMP do, from real sockets on two hosts: each against its expected text.

LABCTL_WRITE_EXPECTED=1 writes the files anew; look at what changed before it is committed. What the kernel is free to
choose is shown as `*`: times, and windows other than 0. All else must be the same to the byte.
"""

import contextlib
import itertools
import os
import re
import shutil
from pathlib import Path

import pytest
from outside import Lab, run, run_command
from puppet import Puppet

pytestmark = [pytest.mark.turn(3), pytest.mark.timeout(120)]

FOLDER = Path(__file__).parent / "ladders"
COLUMNS = 100
PORTS = itertools.count(4000)  # a port of its own for each situation: so one recording holds them all
FROM = 1000  # the client's port is so much lower
SEGMENT = 1448  # bytes of data, beside the headers and a timestamp
NO_DELAY = "sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)"


@pytest.fixture(scope="module")
def hosts(spare_for_all, debian):
    """A lab of hosts that run nothing, recorded from now on; with a puppet in each."""
    docker = shutil.which("docker") or "docker"
    command = [docker, "build", "--quiet", "--target", "clients", "--tag", "labctl/test-clients"]
    command += ["--build-arg", f"DEBIAN={debian}", str(FOLDER.parents[1] / "clients")]
    built = run_command(command, timeout=800)
    assert built.returncode == 0, built
    lab = spare_for_all("ladders")
    up = run("up", str(FOLDER / "compose.yaml"), "--lab", lab.name, timeout=280)
    assert up.returncode == 0, up
    for pair in (("ann", "ben"), ("cat", "ben")):
        assert lab.run("ladder", *pair, timeout=300).returncode == 1, "the first call starts the recorders"
    with contextlib.ExitStack() as stack:
        puppets = []
        for _, found in sorted(lab.containers().items()):
            address = found.attrs["NetworkSettings"]["Networks"][f"{lab.name}_lan"]["IPAddress"]
            puppets.append(stack.enter_context(Puppet(found.id, address)))
        yield lab, *puppets


class Pair:
    """Two of the hosts, with a port for this test alone."""

    def __init__(self, lab: Lab, ann: Puppet, ben: Puppet):
        self.lab, self.ann, self.ben = lab, ann, ben
        self.port = next(PORTS)

    def listen(self) -> None:
        self.ben(f"server = socket.create_server(('', {self.port}))")

    def client(self) -> None:
        self.ann("sock = socket.socket()")
        self.ann(NO_DELAY)
        self.ann("sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)")
        self.ann(f"sock.bind(('', {self.port - FROM}))")

    def connected(self) -> tuple[Puppet, Puppet]:
        self.listen()
        self.client()
        self.ann(f"sock.connect(('{self.ben.address}', {self.port}))")
        self.ben("sock, _ = server.accept()")
        self.ben(NO_DELAY)
        self.ben("server.close()")
        return self.ann, self.ben

    def close(self) -> None:
        """In order, from ann's side, and seen to its end."""
        self.ann("sock.shutdown(socket.SHUT_WR)")
        self.ben("sock.recv(1)")
        self.ann("until(lambda: is_in(sock, 'fin-wait-2'))")
        self.ben("sock.close()")
        self.ann("sock.recv(1)")
        self.ann("sock.close()")

    def fault(self, *args: str) -> None:
        self.lab.ok("fault", *args)

    def match(self, text: str) -> str:
        return f"{text} port {self.port}"

    def ladder(self, *args: str) -> str:
        args = args or ("--port", str(self.port))
        drawn = self.lab.ok("ladder", "ann", "ben", "--last", "2m", *args, COLUMNS=str(COLUMNS)).stdout
        return normal(drawn, {"ann": self.ann.address, "ben": self.ben.address}, self.port)


@pytest.fixture
def pair(hosts):
    lab, ann, ben, _ = hosts
    found = Pair(lab, ann, ben)
    yield found
    if "fault" in lab.ok("fault", "ls", "--json").stdout:
        lab.ok("fault", "clear", "--all")


def normal(drawn: str, addresses: dict[str, str], port: int) -> str:
    """The ladder without what the kernel may choose, and with names for addresses; lifelines stay in line."""
    rules: dict[str, str] = {}
    out = []
    for line in drawn.splitlines():
        wide = len(line)
        text = re.sub(r"^seconds from .*", "seconds from * UTC", line)
        text = re.sub(r"^ *\d+\.\d{6} │", "       * │", text)
        text = re.sub(r"│ +[\d.]+ m?s$", "│ * ms", text)
        text = re.sub(r"\d+(\.\d+)? m?s\b", "* ms", text)
        text = re.sub(r"\bwin [1-9]\d*", "win *", text)
        text = re.sub(r"\bid [1-9]\d*", "id *", text)
        text = re.sub(r"\bf\d+\b", lambda found: rules.setdefault(found[0], f"f{len(rules) + 1}"), text)
        text = re.sub(r'"(\S{1,5})[^"]*…', r'"\1…', text)  # how much of it there is room for depends on the numbers
        for name, address in addresses.items():
            text = re.sub(rf"\b{re.escape(address)}\b", f"<{name}>", text)
        text = re.sub(rf"\b{port}\b", "<port>", re.sub(rf"\b{port - FROM}\b", "<from>", text))
        out.append(_as_wide(text, line, wide))
    return "\n".join(out) + "\n"


def _as_wide(text: str, line: str, wide: int) -> str:
    """The lifelines where they were: the longest run of what fills a line is made longer or shorter."""
    if line.count("│") != 2 and not line.startswith("  "):
        return text
    fills = list(re.finditer(r"─+|┄+", text)) or list(re.finditer(r" +", text[10:].rjust(len(text), "#")))
    fill = fills[-1] if text.endswith(" │") else max(fills, key=lambda found: len(found[0]))
    wanted, there = line.rfind("│"), text.rfind("│")
    if wanted < 0:
        wanted, there = wide, len(text)
    length = max(1, len(fill[0]) + wanted - there)
    return text[: fill.start()] + fill[0][0] * length + text[fill.end() :]


def compare(name: str, drawn: str) -> None:
    file = FOLDER / f"{name}.txt"
    if os.environ.get("LABCTL_WRITE_EXPECTED"):
        file.write_text(drawn)
    assert drawn == file.read_text()


@pytest.mark.turn(1)
def test_three_way_handshake(pair):
    pair.connected()
    compare("three-way-handshake", pair.ladder())
    pair.close()


@pytest.mark.turn(1)
def test_four_way_close(pair):
    pair.connected()
    pair.close()
    compare("four-way-close", pair.ladder())


def test_half_close(pair):
    ann, ben = pair.connected()
    ann("sock.send(b'all of it')")
    ben("sock.recv(9)")
    ann("sock.shutdown(socket.SHUT_WR)")
    ann("until(lambda: is_in(sock, 'fin-wait-2'))")
    ben("sock.recv(1)")
    ben("sock.send(b'then the answer')")
    ann("sock.recv(15)")
    ben("until(lambda: info(sock, 'unacked') == 0)")  # nothing is unacknowledged
    ben("sock.close()")
    ann("sock.recv(1)")
    ann("sock.close()")
    compare("half-close", pair.ladder())


def test_reset(pair):
    ann, ben = pair.connected()
    ann("sock.send(b'hello')")
    ben("until(lambda: sock.recv(5, socket.MSG_PEEK))")
    ben("sock.close()")  # with data that nobody has read: RFC 9293, section 3.10.4
    assert ann.fails("sock.recv(1)") == "ConnectionResetError"
    compare("reset", pair.ladder())


@pytest.mark.alone
def test_simultaneous_close(pair):
    # Neither FIN is there before the other has left; and ben's answer leaves first.
    pair.fault("add", "ann:ben", "--delay", "150ms")
    pair.fault("add", "ben:ann", "--delay", "300ms")
    ann, ben = pair.connected()
    ann("sock.shutdown(socket.SHUT_WR)")
    ben("sock.shutdown(socket.SHUT_WR)")
    ann("until(lambda: is_in(sock, 'close'))")  # so a socket in TIME-WAIT is called
    ben("until(lambda: is_in(sock, 'close'))")
    compare("simultaneous-close", from_ann_first(pair.ladder()))


def from_ann_first(drawn: str) -> str:
    """The ladder with ann's FIN above ben's. Neither is the other's cause, and when one has left is known by when its
    recorder could read of it: on a busy machine the later one may be read of first."""
    lines = drawn.splitlines(keepends=True)
    fins = [number for number, line in enumerate(lines) if " FIN, ACK " in line]
    assert len(fins) == 2
    assert fins[1] == fins[0] + 3
    first, second = lines[fins[0] : fins[1]], lines[fins[1] : fins[1] + 3]
    pairs = [second, first] if "<──" in first[0] else [first, second]
    return "".join([*lines[: fins[0]], *pairs[0], *pairs[1], *lines[fins[1] + 3 :]])


def test_zero_window(pair):
    """The receiver reads nothing, and is full; the sender asks again and again, until there is room."""
    pair.ben("kept = socket.socket()")
    pair.ben("kept.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 6000)")
    pair.ben(f"kept.bind(('', {pair.port}))")
    pair.ben("kept.listen()")
    pair.client()
    pair.ann(f"sock.connect(('{pair.ben.address}', {pair.port}))")
    pair.ben("sock, _ = kept.accept()")
    pair.ann(f"fill(sock, b'x' * {SEGMENT})")
    pair.ann("until(lambda: info(sock, 'backoff') == 1)")
    pair.ben("len(sock.recv(100000))")
    pair.ann("until(lambda: queued(sock) == 0)")
    pair.ben("len(sock.recv(100000))")
    compare("zero-window", from_full(pair.ladder()))
    pair.close()


def from_full(drawn: str) -> str:
    """The ladder without the segments that fill the receiver: how many fit is the kernel's affair, and so `n`."""
    lines = drawn.splitlines()
    first = next(number for number, line in enumerate(lines) if "win 0" in line)
    begin = next(number for number, line in enumerate(lines) if " data " in line) + 1
    full = int(re.search(r"ack (\d+)", lines[first])[1])
    out = [*lines[:begin], "..."]
    for line in lines[first:]:
        text = re.sub(r"(?<=seq |ack )\d{3,}", lambda found: f"n{int(found[0]) - full:+}".replace("+0", ""), line)
        out.append(_as_wide(text, line, len(line)))
    return "\n".join(out) + "\n"


def test_retransmission_by_timeout(pair):
    ann, ben = pair.connected()
    pair.fault("drop", "ann:ben", pair.match("tcp data"), "--times", "2")
    ann("sock.send(b'hello')")
    ben("sock.recv(5)")
    ann("until(lambda: info(sock, 'unacked') == 0)")
    compare("retransmission-by-timeout", pair.ladder())
    pair.close()


def test_retransmission_by_duplicate_acks(pair):
    ann, ben = pair.connected()
    pair.fault("drop", "ann:ben", pair.match("tcp data 1"))
    pair.fault("add", "ann:ben", "--delay", "50ms")  # all are sent before the first one is answered
    ann("[sock.send(word) for word in (b'one', b'two', b'three', b'four')] and None")
    ben("[sock.recv(1, socket.MSG_WAITALL) for _ in range(15)] and None")
    ann("until(lambda: info(sock, 'unacked') == 0)")
    compare("retransmission-by-duplicate-acks", pair.ladder())
    pair.close()


def test_keep_alive(pair):
    ann, _ = pair.connected()
    ann("sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)")
    ann("sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)")
    ann("until(lambda: info(sock, 'ack_ms') > 500)")
    ann("until(lambda: info(sock, 'ack_ms') < 500)")
    ann("sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)")
    compare("keep-alive", pair.ladder())
    pair.close()


def test_fragments_of_a_large_datagram(pair):
    pair.ben("sock = socket.socket(type=socket.SOCK_DGRAM)")
    pair.ben(f"sock.bind(('', {pair.port}))")
    pair.ann("sock = socket.socket(type=socket.SOCK_DGRAM)")
    pair.ann(f"sock.bind(('', {pair.port - FROM}))")
    pair.ann(f"sock.sendto(b'large ' * 600, ('{pair.ben.address}', {pair.port}))")
    assert pair.ben("len(sock.recv(65536))") == 3600
    compare("fragments", pair.ladder())


def test_icmp_port_unreachable(pair):
    pair.ann("sock = socket.socket(type=socket.SOCK_DGRAM)")
    pair.ann(f"sock.bind(('', {pair.port - FROM}))")
    pair.ann(f"sock.connect(('{pair.ben.address}', {pair.port}))")
    pair.ann("sock.send(b'anybody?')")
    assert pair.ann.fails("sock.recv(1)") == "ConnectionRefusedError"
    compare("icmp-port-unreachable", pair.ladder())


def test_syn_to_a_closed_port(pair):
    pair.client()
    assert pair.ann.fails(f"sock.connect(('{pair.ben.address}', {pair.port}))") == "ConnectionRefusedError"
    compare("syn-to-a-closed-port", pair.ladder())


def test_syn_that_is_lost_once(pair):
    pair.fault("drop", "ann:ben", pair.match("tcp syn"))
    pair.connected()
    compare("syn-lost-once", pair.ladder())
    pair.close()


def test_syn_to_nobody(hosts):
    """It never leaves: nobody says whose the address is, and who asked gives up."""
    lab, _, ben, cat = hosts
    nobody = f"{ben.address.rpartition('.')[0]}.199"
    cat("sock = socket.socket()")
    assert cat.fails(f"sock.connect(('{nobody}', 80))") == "OSError"
    drawn = lab.ok("ladder", "cat", "ben", "--last", "2m", COLUMNS=str(COLUMNS)).stdout
    compare("syn-to-nobody", normal(drawn, {"cat": cat.address, "ben": ben.address, "nobody": nobody}, 80))
