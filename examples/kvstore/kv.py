"""A small key-value store over TCP: a server, and a client that others can import.

A request is a line, and so is what comes back; values are bytes of a given length behind their line:

    SET key length\\n<value>\\n     ->  OK\\n
    GET key\\n                     ->  VALUE length\\n<value>\\n   or  NONE\\n
    DEL key\\n                     ->  OK\\n   or  NONE\\n

A client that has sent all its requests may close its half (shutdown), and still gets all answers. All requests can be
repeated without harm, so the client repeats one whose connection broke.

    python3 kv.py serve [--port 7000]
    python3 kv.py shell --host store        reads commands from standard input, a line each: set a 1, get a, del a
    python3 kv.py load --host store         sends what standard input holds at once, then its half is closed
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
import time
from collections.abc import Iterator

PORT = 7000
LONGEST = 1 << 20  # bytes of a value
RETRIES, PAUSE = 10, 0.3  # how often a request is repeated, and seconds between


class Reader:
    """Lines and counted bytes of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._rest = connection, b""

    def line(self) -> bytes:
        """Without its newline; empty at the end of the stream."""
        while b"\n" not in self._rest:
            data = self._connection.recv(4096)
            if not data:
                return b""
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def bytes(self, count: int) -> bytes:
        """So many, and the newline behind them. Raises ConnectionError."""
        while len(self._rest) < count + 1:
            data = self._connection.recv(65536)
            if not data:
                raise ConnectionError("the stream ended in the middle of a value")
            self._rest += data
        found, self._rest = self._rest[:count], self._rest[count + 1 :]
        return found


class Store:
    """What the server keeps, for all its connections."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    def serve(self, connection: socket.socket) -> None:
        """Until the client has closed its half; then the server closes, too."""
        with connection:
            reader = Reader(connection)
            try:
                while line := reader.line():
                    connection.sendall(self._answer(line.split(), reader))
            except OSError:
                return  # the connection is gone, and with it who could be told

    def _answer(self, words: list[bytes], reader: Reader) -> bytes:
        with self._lock:
            match words:
                case [b"SET", key, length] if length.isdigit() and int(length) <= LONGEST:
                    self._values[key] = reader.bytes(int(length))
                    return b"OK\n"
                case [b"GET", key] if key in self._values:
                    value = self._values[key]
                    return b"VALUE %d\n%s\n" % (len(value), value)
                case [b"DEL", key] if key in self._values:
                    del self._values[key]
                    return b"OK\n"
                case [b"GET" | b"DEL", _]:
                    return b"NONE\n"
        return b"ERROR bad request\n"


class Client:
    """One connection, made when it is needed, and again when it broke."""

    def __init__(self, host: str, port: int = PORT, timeout: float = 5.0) -> None:
        self._where, self._timeout = (host, port), timeout
        self._connection: socket.socket | None = None

    def set(self, key: str, value: bytes) -> None:
        answer = self._ask(b"SET %s %d\n%s\n" % (key.encode(), len(value), value))
        if answer != b"OK":
            raise ValueError(answer.decode())

    def get(self, key: str) -> bytes | None:
        return self._ask(b"GET %s\n" % key.encode(), value=True)

    def delete(self, key: str) -> bool:
        return self._ask(b"DEL %s\n" % key.encode()) == b"OK"

    def _ask(self, request: bytes, value: bool = False) -> bytes | None:
        for attempt in range(RETRIES):
            try:
                connection, reader = self._connected()
                connection.sendall(request)
                return self._answer(reader) if value else self._line(reader)
            except OSError:
                self._drop()
                if attempt == RETRIES - 1:
                    raise
                time.sleep(PAUSE)
        return None

    def _connected(self) -> tuple[socket.socket, Reader]:
        if self._connection is None:
            self._connection = socket.create_connection(self._where, self._timeout)
            self._reader = Reader(self._connection)
        return self._connection, self._reader

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _line(self, reader: Reader) -> bytes:
        if line := reader.line():
            return line
        raise ConnectionError("the server closed the connection")

    def _answer(self, reader: Reader) -> bytes | None:
        words = self._line(reader).split()
        return reader.bytes(int(words[1])) if words[0] == b"VALUE" else None


def serve(port: int) -> None:
    store = Store()
    with socket.create_server(("", port)) as listener:  # with SO_REUSEADDR: it can be started again at once
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=store.serve, args=(connection,), daemon=True).start()


def shell(client: Client) -> None:
    for line in sys.stdin:
        match line.split():
            case ["set", key, value]:
                client.set(key, value.encode())
                print(f"{key} is set", flush=True)
            case ["get", key]:
                value = client.get(key)
                print(f"{key} = {value.decode()}" if value is not None else f"{key} is not set", flush=True)
            case ["del", key]:
                print(f"{key} is deleted" if client.delete(key) else f"{key} is not set", flush=True)
            case _:
                print("set KEY VALUE, get KEY or del KEY", flush=True)


def load(host: str, port: int, lines: Iterator[str]) -> None:
    """All requests at once; then this half is closed, and the answers are counted."""
    with socket.create_connection((host, port), 5.0) as connection:
        for line in lines:
            key, value = line.split(maxsplit=1)
            value = value.rstrip("\n")
            connection.sendall(f"SET {key} {len(value.encode())}\n{value}\n".encode())
        connection.shutdown(socket.SHUT_WR)
        reader, count = Reader(connection), 0
        while reader.line() == b"OK":
            count += 1
    print(f"{count} values are set", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="A small key-value store over TCP.")
    parser.add_argument("what", choices=["serve", "shell", "load"])
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=PORT)
    options = parser.parse_args()
    if options.what == "serve":
        serve(options.port)
    elif options.what == "shell":
        shell(Client(options.host, options.port))
    else:
        load(options.host, options.port, iter(sys.stdin))


if __name__ == "__main__":
    main()
