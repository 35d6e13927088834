"""Clients that we did not write, on the lab's own network. Building their image is part of the first test's time."""

import os
import re

import pytest
from outside import finish, read_until

pytestmark = [pytest.mark.turn(2), pytest.mark.timeout(900)]

HELLO = "Hello World, Michael!\n"
# More than all buffers on the way hold: an echo that stops reading while it writes, or the other way round, hangs.
LONG = os.urandom(4 << 20)


def peers(lab, node, event, clients, **fields):
    """The client's ports in a node's events."""
    return [found["peer"][1] for found in lab.events(node, event, **fields) if found["peer"][0] == clients.address]


def test_curl_gets_plain_text(lab, clients):
    with lab.journal("web") as journal:
        got = clients.run("curl", "-sS", "-i", "http://web:8080/")
        assert got.returncode == 0, got
        request = journal.wait("web", "request", method="GET", target="/")
    head, _, body = got.stdout.partition("\r\n\r\n")
    assert body == HELLO
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert re.search(r"^content-type: text/plain", head, re.I | re.M)
    assert request["agent"].startswith("curl/")
    assert request["peer"][0] == clients.address
    assert request["local"] == [lab.address("web"), 8080]


def test_curl_keeps_a_connection(clients):
    got = clients.run("curl", "-sS", "-w", "%{num_connects}\n", *["http://web:8080/"] * 3)
    assert got.stdout == f"{HELLO}1\n{HELLO}0\n{HELLO}0\n"


def test_curl_sees_the_other_statuses(clients):
    status = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}"]
    assert clients.run(*status, "http://web:8080/nowhere").stdout == "404"
    assert clients.run(*status, "-X", "BREW", "http://web:8080/").stdout == "501"
    assert clients.run(*status, "-H", "X: " + "x" * 90_000, "http://web:8080/").stdout == "431"
    head = clients.run("curl", "-sS", "--head", "http://web:8080/")
    assert f"content-length: {len(HELLO)}\r\n" in head.stdout.lower()


def test_wget_gets_plain_text(clients):
    got = clients.run("wget", "-q", "-O", "-", "http://web:8080/")
    assert got == (0, HELLO, "")


@pytest.mark.parametrize(
    "client", [["ncat", "echo", "7"], ["socat", "-t", "30", "-", "TCP:echo:7"]], ids=lambda c: c[0]
)
def test_echo_answers_a_half_close(lab, clients, client):
    """All of it comes back after the client has closed its direction, and then the echo server closes its own."""
    with lab.journal("echo") as journal:
        # As hexadecimal digits: the helper wants UTF-8.
        got = clients.run("sh", "-c", '"$@" | od -An -v -tx1 | tr -d " \\n"', "sh", *client, input=LONG)
        assert got.returncode == 0, got
        close = journal.wait("echo", "close")
    assert got.stdout == LONG.hex()
    assert close["peer"][0] == clients.address
    assert (close["received"], close["sent"]) == (len(LONG), len(LONG))


def test_nmap_names_the_echo_service(clients):
    got = clients.run("nmap", "-n", "-Pn", "-sT", "-sV", "-p", "7", "echo", timeout=120)
    assert re.search(r"^7/tcp +open +echo\b", got.stdout, re.M), got


def test_ncat_udp_echo(lab, clients):
    with lab.journal("echo") as journal:
        ncat = clients.begin("ncat", "-u", "echo", "7")
        # It goes at the end of its input, answer or not: so that must not end before the answer is there.
        for datagram in (b"one\n", b"another\n"):
            ncat.stdin.write(datagram)
            ncat.stdin.flush()
            assert read_until(ncat.stdout, b"\n") == datagram
        assert finish(ncat).returncode == 0
        sent = journal.wait("echo", "send", proto="udp", count=2)
    assert sent["peer"][0] == clients.address


def test_nmap_names_the_udp_echo_service(clients):
    got = clients.run("nmap", "-n", "-Pn", "-sU", "-sV", "-p", "7", "echo", timeout=120)
    assert re.search(r"^7/udp +open +echo\b", got.stdout, re.M), got


def test_socat_udp_echo(clients):
    got = clients.run("socat", "-t", "1", "-b", "65507", "-", "UDP:echo:7", input=b"x" * 60_000)
    assert got.stdout == "x" * 60_000, got.stderr


PYTHON_HTTP = """
import http.client
connection = http.client.HTTPConnection("web", 8080, timeout=20)
for _ in range(2):
    connection.request("GET", "/")
    response = connection.getresponse()
    print(response.status, response.read().decode().strip(), connection.sock.getsockname()[1])
"""


def test_python_http_client(lab, clients):
    got = clients.run("python3", "-c", PYTHON_HTTP)
    assert got.returncode == 0, got
    first, second = got.stdout.splitlines()
    assert first == second, "both requests went over one connection"
    assert first.startswith("200 Hello World, Michael!")
    assert int(first.split()[-1]) in peers(lab, "web", "accept", clients)


PYTHON_ASYNCIO = """
import asyncio
async def talk(number):
    reader, writer = await asyncio.open_connection("echo", 7)
    data = bytes([number]) * 300_000
    writer.write(data)
    writer.write_eof()
    back = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return back == data
async def main():
    return await asyncio.wait_for(asyncio.gather(*(talk(number) for number in range(50))), 40)
print(sum(asyncio.run(main())))
"""


def test_python_asyncio_streams(clients):
    got = clients.run("python3", "-c", PYTHON_ASYNCIO)
    assert got == (0, "50\n", "")


def test_second_caller_is_told_and_the_first_is_not_disturbed(lab, clients):
    lab.ok("chat", "send", "alice", "are you there?", "--timeout", "20")
    ended = len(lab.events("alice", "session", state="ended"))
    got = clients.run("ncat", "alice", "12345", input="me too\n")
    assert "Somebody else is talking to me" in got.stdout, got
    assert lab.json("chat", "send", "alice", "still here")["to"] == "bob"
    assert len(lab.events("alice", "session", state="ended")) == ended
