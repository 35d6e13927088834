"""Asks a server as fast as it answers, and prints what came of it as JSON. Runs inside a container, by itself.

    python3 load_client.py echo|web HOST PORT CONNECTIONS SECONDS MOST

Each connection has one request under way at any time. Every answer is looked at. The client says how much of the time
it was at work itself (`busy`, processor seconds a second): where that is far from 1, it was not what limited the rate.
"""

import json
import select
import socket
import sys
import time

LINE = b"The quick brown fox jumps over the lazy dog: 0123456789.......\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
WARM_UP = 300  # round trips before the clock starts
PATIENCE = 10.0  # seconds


def connect(host: str, port: int) -> socket.socket:
    """Connects as soon as somebody listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            sock = socket.create_connection((host, port), timeout=PATIENCE)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock


def first_answer(sock: socket.socket, request: bytes, kind: str) -> tuple[bytes, int]:
    """How an answer begins, and its size. All answers of a server have the same one: only the date changes."""
    sock.sendall(request)
    data = b""
    while True:
        received = sock.recv(65536)
        if not received:
            raise SystemExit("the server hung up")
        data += received
        if kind == "echo":
            if len(data) == len(request):
                return request, len(request)
            continue
        head, found, body = data.partition(b"\r\n\r\n")
        if found:
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if len(body) == int(lengths[0].split(b":")[1]):
                return b"HTTP/1.1 200", len(data)


def ask(
    poll: select.epoll,
    socks: dict[int, socket.socket],
    request: bytes,
    beginning: bytes,
    size: int,
    most: int,
    seconds: float,
) -> tuple[int, float]:
    """Round trips until there were `most` or the time is over: how many, and how long they took."""
    rest = dict.fromkeys(socks, b"")
    started = now = time.perf_counter()
    end = started + seconds
    count = 0
    for sock in socks.values():
        sock.send(request)
    waiting = len(socks)
    while waiting:
        ready = poll.poll(PATIENCE)
        if not ready:
            raise SystemExit(f"no answer within {PATIENCE:g} s")
        for number, _ in ready:
            sock = socks[number]
            data = sock.recv(65536)
            if len(data) != size:
                data = rest[number] + data
                if len(data) < size and data:
                    rest[number] = data
                    continue
                rest[number] = b""
            if len(data) != size or not data.startswith(beginning):
                raise SystemExit(f"a wrong answer: {data[:100]!r}")
            count += 1
            if count < most and now < end:
                sock.send(request)
            else:
                waiting -= 1
        now = time.perf_counter()
    return count, now - started


def main(kind: str, host: str, port: str, connections: str, seconds: str, most: str) -> None:
    request = LINE if kind == "echo" else REQUEST
    socks = {}
    poll = select.epoll()
    for _ in range(int(connections)):
        sock = connect(host, int(port))
        socks[sock.fileno()] = sock
        poll.register(sock.fileno(), select.EPOLLIN)
        beginning, size = first_answer(sock, request, kind)
    ask(poll, socks, request, beginning, size, WARM_UP, PATIENCE)
    before = time.process_time()
    count, took = ask(poll, socks, request, beginning, size, int(most), float(seconds))
    busy = (time.process_time() - before) / took
    print(json.dumps({"count": count, "seconds": took, "rate": count / took, "busy": busy}))


if __name__ == "__main__":
    main(*sys.argv[1:])
