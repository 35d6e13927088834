"""Whole programs: `labctl run` of a small server until its first answer, beside `docker run` of the same in the same
image; all of `labctl grade echo` with a server that is right; and what importing costs: `labctl --help` beside a Python
that does nothing, and the plugin that pytest loads."""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.commands import Failed, docker, labctl, run
from bench.model import Result, Setting, Target
from bench.project import LABEL, LIMIT, hardening, image, one_network, project
from labctl.engine.model import PROGRAM_IMAGE

PATIENCE = 20.0  # seconds for an answer
LOOK = 0.005  # seconds between two questions
AT_ONCE = 0.05  # seconds
SERVER = """
import socket
listener = socket.create_server(("", 9000))
while True:
    sock, peer = listener.accept()
    sock.sendall(b"hello")
    sock.close()
"""
ECHO = """
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 64
Server(("", 9000), Echo).serve_forever()
"""
# What pytest does with it in each run, also in one of tests that want no lab.
PLUGIN = """
import time, pytest
begun = time.process_time()
import labctl.testing.plugin, labctl.testing.labs
print(time.process_time() - begun)
"""
# As a host of labctl is held in; what it may write, and its keyboard, included.
HELD = (
    "--user 10001:10001 --read-only --cap-drop ALL --security-opt no-new-privileges:true --init --interactive "
    "--memory 256m --pids-limit 256 --tmpfs /tmp:size=64m --log-driver json-file --log-opt max-size=20m "
    f"--log-opt max-file=3 --label {LABEL}=1"
).split()


def measure(setting: Setting) -> Iterator[Result]:
    waits = {**hardening(), "image": image("udp1"), "environment": {"PEER": "node:5005"}}
    with project("program", one_network({"node": waits})) as lab, tempfile.TemporaryDirectory() as made:
        run([labctl(), "up", str(lab.file), "--lab", lab.name], LIMIT)
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "server.py").write_text(SERVER)
        here = [labctl(), "run", "--lab", lab.name, "--name", "srv", "--folder", made, "--publish"]
        there = [docker(), "run", "--detach", "--name", f"{lab.name}-plain", "--network", f"{lab.name}_lab", *HELD]
        there += ["--volume", f"{made}:/program:ro", "--workdir", "/program", "--env", "PYTHONUNBUFFERED=1"]

        def ours() -> float:
            port = _free_port()
            took = _answered([*here, f"{port}:9000", "--", "python3", "server.py"], port)
            run([labctl(), "rm", "--lab", lab.name, "srv"], LIMIT)
            return took

        def theirs() -> float:
            port = _free_port()
            command = [*there, "--publish", f"127.0.0.1:{port}:9000", PROGRAM_IMAGE, "python3", "server.py"]
            try:
                return _answered(command, port)
            finally:
                run([docker(), "rm", "--force", f"{lab.name}-plain"], LIMIT)

        samples = setting.alternate("run until the first answer, s", ours, theirs, runs=setting.runs * 2)
    against = "docker run -d of the same, held in alike"
    yield Result("run", "labctl run to the first answer", "s", samples[0], samples[1], against, Target(1.5))


def grades(setting: Setting) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "server.py").write_text(ECHO)
        command = [labctl(), "grade", "echo", "--folder", made, "--", "python3", "server.py"]
        [took] = setting.alternate("grade echo, s", lambda: run(command, LIMIT).seconds)
    yield Result("grade", "labctl grade echo, all checks", "s", took, (), "", Target(15.0, absolute=True))


def starts(setting: Setting) -> Iterator[Result]:
    ours, theirs = setting.alternate(
        "help, ms",
        lambda: run([labctl(), "--help"], 30).seconds * 1000,
        lambda: run([sys.executable, "-c", "pass"], 30).seconds * 1000,
        runs=setting.runs * 3,  # short, so more of them
    )
    [loads] = setting.alternate("plugin, ms of a core", _plugin, runs=setting.runs * 3)
    yield Result("plugin", "the plugin loaded by pytest", "ms", loads, (), "", Target(10.0, absolute=True))
    yield Result("help", "labctl --help", "ms", ours, theirs, "python -c pass", Target(6.0))


def _plugin() -> float:
    return float(run([sys.executable, "-c", PLUGIN], 30).out) * 1000


def _answered(command: Sequence[str], port: int) -> float:
    """Seconds until a server that a command starts has answered at a port of this machine; the command itself may have
    ended by then or not."""
    with ThreadPoolExecutor(1) as pool:
        begun = time.perf_counter()
        command_ends = pool.submit(run, command, LIMIT)
        while _answer(port) != b"hello":
            if time.perf_counter() - begun > PATIENCE:
                raise Failed(f"no answer within {PATIENCE:g} s")
            time.sleep(LOOK)
        took = time.perf_counter() - begun
        command_ends.result()
    return took


def _answer(port: int) -> bytes:
    """What comes at once; nothing where only the engine's proxy is there yet: who asks so early waits for a second, as
    TCP does until it tries again."""
    try:
        with socket.create_connection(("127.0.0.1", port), AT_ONCE) as sock:
            return sock.recv(100)
    except OSError:
        return b""


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
