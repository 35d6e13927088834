"""A host that makes exactly the socket calls that a test names: a Python in its container, which does as it is told."""

import json
import shutil
import subprocess
from typing import Any, Self

# Each line is an expression or statement of Python, as JSON; the answer is its value, or the error that it raised.
PROGRAM = r'''
import fcntl, json, socket, struct, sys, time

def until(true, within=10):
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come true")
        time.sleep(0.002)

BYTES = "state ca_state retransmits probes backoff".split()
WORDS = "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets sent_ms ack_sent_ms received_ms ack_ms".split()
STATES = "established syn-sent syn-received fin-wait-1 fin-wait-2 time-wait close close-wait last-ack listen closing"

def info(sock, name):
    """A field of struct tcp_info (linux/tcp.h): 8 bytes, then words of 32 bits."""
    data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return data[BYTES.index(name)] if name in BYTES else struct.unpack_from("=I", data, 8 + 4 * WORDS.index(name))[0]

def is_in(sock, state):
    return info(sock, "state") == STATES.split().index(state) + 1

def fill(sock, piece):
    """Sends pieces, each when the one before has arrived, until one doesn't leave: there is no room for it."""
    waiting = True
    while waiting:
        sock.send(piece)
        until(lambda: not queued(sock) or info(sock, "unacked") == 0)
        waiting = not queued(sock)

def queued(sock):
    """Bytes that are not sent, or not acknowledged (tcp(7), SIOCOUTQ)."""
    return struct.unpack("=i", fcntl.ioctl(sock, 0x5411, bytes(4)))[0]

space = dict(globals())
for line in sys.stdin:
    text = json.loads(line)
    try:
        try:
            code = compile(text, "<test>", "eval")
        except SyntaxError:
            exec(text, space)
            found = None
        else:
            found = eval(code, space)
        answer = {"value": found if isinstance(found, (int, str, type(None))) else repr(found)}
    except Exception as problem:
        answer = {"error": type(problem).__name__, "text": str(problem)}
    print(json.dumps(answer), flush=True)
'''


class Puppet:
    """`puppet("text")` runs one line of Python there and gives its value. A context manager."""

    def __init__(self, container: str, address: str) -> None:
        command = [shutil.which("docker") or "docker", "exec", "-i", container, "python3", "-c", PROGRAM]
        self.address = address
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin
        assert self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def __call__(self, text: str) -> Any:
        answer = self.answer(text)
        assert "error" not in answer, f"{text}: {answer}"
        return answer["value"]

    def fails(self, text: str) -> str:
        """The name of the error that it must raise."""
        answer = self.answer(text)
        assert "error" in answer, f"{text}: {answer}"
        return str(answer["error"])

    def answer(self, text: str) -> dict[str, Any]:
        self.begin(text)
        return self.end()

    def begin(self, text: str) -> None:
        """Has it begun; what comes of it is asked for by `end`."""
        self._stdin.write(json.dumps(text) + "\n")
        self._stdin.flush()

    def end(self) -> dict[str, Any]:
        line = self._stdout.readline()
        assert line, f"the host's Python ended ({self._process.poll()})"
        found: dict[str, Any] = json.loads(line)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stdin.close()
        self._process.wait(10)
        self._stdout.close()
