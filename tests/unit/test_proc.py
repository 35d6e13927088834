"""Where programs listen, by the kernel's own tables: of this process, whose sockets are real, and of others' words."""

import os
import socket

import pytest
from lacking import lacking

from labctl.engine.docker import proc
from labctl.engine.model import Listening

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
