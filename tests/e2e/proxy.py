"""A door in front of the engine, which a test can shut: the engine goes away for whoever comes through it."""

import contextlib
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from typing import Self

ENGINE = "/var/run/docker.sock"


class Door:
    """A Unix socket that leads to the engine's. A context manager; `url` is what DOCKER_HOST takes."""

    def __init__(self, engine: str = ENGINE) -> None:
        # Not in pytest's folder for the test: a Unix socket's path has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="door-"))
        self._engine, self._path = engine, self._folder / "docker.sock"
        self.url = f"unix://{self._path}"
        self._open = threading.Event()
        self._open.set()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._path))
        self._server.listen(128)
        threading.Thread(target=self._serve, args=(self._server,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._open.set()
        shutil.rmtree(self._folder)

    def cut(self) -> None:
        """The engine is gone: every connection breaks, and there is nobody to connect to."""
        self._path.unlink(missing_ok=True)
        _close(self._server)
        with self._lock:
            for sock in self._sockets:
                _close(sock)
            self._sockets.clear()

    def hold(self) -> None:
        """The engine answers no more: connections are taken and stay, and no byte passes."""
        self._open.clear()

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                ours, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(ours,), daemon=True).start()

    def _connect(self, ours: socket.socket) -> None:
        theirs = socket.socket(socket.AF_UNIX)
        theirs.connect(self._engine)
        with self._lock:
            self._sockets |= {ours, theirs}
        back = threading.Thread(target=self._pass, args=(theirs, ours), daemon=True)
        back.start()
        self._pass(ours, theirs)
        back.join()
        with self._lock:
            self._sockets -= {ours, theirs}
        ours.close()
        theirs.close()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._open.wait()
                target.sendall(data)
            self._open.wait()
            target.shutdown(socket.SHUT_WR)


def _close(sock: socket.socket) -> None:
    """Ends a socket that another thread may be reading."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
