"""HTTP/1.1 to the engine, by the standard library's sockets alone.

Importing Docker's SDK takes longer than a whole `labctl chat send` may, and it can't do ssh by itself. The engine's API
asks little of HTTP (RFC 9112): a request, a status, a body by length or in chunks, and an upgrade to a raw stream; so
that is what stands here, with a limit on every wait.
"""

from __future__ import annotations

import json
import math
import os
import socket
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from labctl import cancel
from labctl.cancel import Cancel
from labctl.engine.docker import ssh
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import LabError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

LIMIT = 30.0  # seconds for a request, where the caller states no other
LIMIT_VARIABLE = "LABCTL_ENGINE_LIMIT"  # seconds for any request, at most
CONNECT_LIMIT = 10.0
HEADER_LIMIT = 64 * 1024  # bytes
CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")
# By whether the other end is verified, and the files as they are.
_contexts: dict[tuple[object, ...], ssl.SSLContext] = {}


class Refused(Exception):
    """The engine answered with an error: its HTTP status and its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def encode_query(values: dict[str, Any]) -> str:
    """A query string as the engine wants it: booleans as 0 and 1, filters as JSON, nothing for None."""
    parts = []
    for key, value in values.items():
        if value is None:
            continue
        if isinstance(value, dict):
            value = json.dumps(value, separators=(",", ":"))
        elif isinstance(value, bool):
            value = int(value)
        parts.append(f"{key}={quote(str(value), safe='')}")
    return "?" + "&".join(parts) if parts else ""


class Body:
    """A response's body as it arrives: bytes in, bytes out; by length, in chunks, or up to the end."""

    def __init__(self, *, chunked: bool, length: int | None) -> None:
        self._chunked = chunked
        self._left = length  # bytes of the body, or of the chunk that is being read
        self._buffer = b""
        self.ended = length == 0 and not chunked

    def feed(self, data: bytes) -> bytes:
        if not self._chunked:
            return self._feed_plain(data)
        self._buffer += data
        out = []
        while not self.ended:
            if self._left is None:
                line, found, rest = self._buffer.partition(b"\r\n")
                if not found:
                    break
                self._left = int(line.split(b";")[0], 16)
                self._buffer = rest
                if self._left == 0:
                    self.ended = True
                    break
            if len(self._buffer) < self._left + 2 and not self._buffer[: self._left]:
                break
            piece = self._buffer[: self._left]
            out.append(piece)
            self._buffer = self._buffer[len(piece) :]
            self._left -= len(piece)
            if self._left or len(self._buffer) < 2:
                break
            self._buffer = self._buffer[2:]
            self._left = None
        return b"".join(out)

    @property
    def is_cut(self) -> bool:
        """Whether more is to come, for which there is a length or another chunk."""
        return not self.ended and (self._chunked or self._left is not None)

    def _feed_plain(self, data: bytes) -> bytes:
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
            self.ended = self._left == 0
        return data


class Response:
    """A response whose headers are read and whose body may still be on its way."""

    def __init__(self, sock: socket.socket, status: int, headers: dict[str, str], rest: bytes) -> None:
        self.sock = sock
        self.status = status
        self.headers = headers
        length = headers.get("content-length")
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        # After an upgrade, or with neither header, the body is whatever comes until the end.
        self.body = Body(chunked=chunked, length=int(length) if length and not chunked else None)
        if status in (204, 304):
            self.body.ended = True
        self.first = self.body.feed(rest)

    def read(self, deadline: float) -> bytes:
        """The whole body. Raises TimeoutError after the deadline (of time.monotonic())."""
        parts = [self.first]
        while not self.body.ended:
            self.sock.settimeout(_left(deadline))
            data = self.sock.recv(1 << 16)
            if not data:
                break
            parts.append(self.body.feed(data))
        return b"".join(parts)

    def pieces(self, limit: float) -> Iterator[bytes]:
        """The body as it comes; `limit` in seconds until the next piece. Raises LabError `engine-timeout`, OSError."""
        if self.first:
            yield self.first
        while not self.body.ended:
            self.sock.settimeout(limit)
            try:
                data = self.sock.recv(1 << 18)
            except TimeoutError:
                raise LabError("engine-timeout", seconds=limit, action="give the rest of its answer") from None
            if not data and self.body.is_cut:
                raise ConnectionError("it hung up in the middle of an answer")
            if not data:
                return
            yield self.body.feed(data)


class Wire:
    """Requests to one engine; each on a connection of its own, which a local socket makes cheap."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._at_most = _at_most()
        self._api = ""  # the newest version that it speaks: each of its answers tells it

    def call(
        self,
        method: str,
        path: str,
        /,
        *,
        body: Any = None,
        limit: float = LIMIT,
        cancels: Collection[Cancel] = (),
        **query: Any,
    ) -> Any:
        """One request with its whole answer, decoded from JSON where it is JSON. Raises Refused, LabError; `cancelled`
        while the answer is waited for: what the engine was asked for it goes on with."""
        cancel.check(cancels)
        limit = min(limit, self._at_most)
        deadline = time.monotonic() + limit
        try:
            with self._open(method, path + encode_query(query), body, deadline) as sock:
                if cancels:
                    cancel.await_readable(sock, deadline - time.monotonic(), cancels)
                response = self._read_head(sock, deadline)
                content = response.read(deadline)
        except TimeoutError:
            raise LabError("engine-timeout", seconds=limit, action=f"{method} {path}") from None
        except OSError as problem:
            raise self.unreachable(problem) from None
        if response.status >= 400:
            raise Refused(response.status, _message(content))
        if "json" in response.headers.get("content-type", ""):
            return json.loads(content) if content else None
        return content

    def stream(
        self,
        method: str,
        path: str,
        /,
        *,
        body: Any = None,
        file: Path | None = None,
        upgrade: str = "",
        limit: float = LIMIT,
        **query: Any,
    ) -> Response:
        """One request whose body the caller reads; `file` holds what is sent, where that is no JSON; `upgrade` makes
        the socket a raw stream both ways ("tcp"), or a "websocket"."""
        limit = min(limit, self._at_most)
        deadline = time.monotonic() + limit
        sock = None
        try:
            sock = self._open(method, path + encode_query(query), body, deadline, upgrade=upgrade, file=file)
            response = self._read_head(sock, deadline)
            if response.status >= 400:
                with sock:
                    raise Refused(response.status, _message(response.read(deadline)))
        except TimeoutError:
            if sock:
                sock.close()
            raise LabError("engine-timeout", seconds=limit, action=f"{method} {path}") from None
        except OSError as problem:
            if sock:
                sock.close()
            raise self.unreachable(problem) from None
        return response

    def api_version(self) -> tuple[int, int]:
        """The newest that the engine speaks. Raises LabError."""
        if not self._api:
            self.stream("GET", "/_ping").sock.close()
        major, _, minor = (self._api or "0.0").partition(".")
        return int(major), int(minor)

    def unreachable(self, problem: OSError) -> LabError:
        if isinstance(problem, PermissionError):
            return LabError("engine-permission", endpoint=self.endpoint.url)
        why = problem.strerror or str(problem) or type(problem).__name__
        return LabError("engine-unreachable", endpoint=f"{self.endpoint.url} ({self.endpoint.source})", why=why)

    def _open(
        self, method: str, target: str, body: Any, deadline: float, *, upgrade: str = "", file: Path | None = None
    ) -> socket.socket:
        sock = connect(self.endpoint, min(_left(deadline), CONNECT_LIMIT))
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", "Host: docker", "User-Agent: labctl"]
        if upgrade == "websocket":
            from labctl.engine.docker import websocket

            lines += websocket.request_headers()
        else:
            lines += ["Connection: Upgrade", f"Upgrade: {upgrade}"] if upgrade else ["Connection: close"]
        if body is not None:
            lines.append("Content-Type: application/json")
        if method in ("POST", "PUT"):
            lines.append(f"Content-Length: {file.stat().st_size if file else len(content)}")
        try:
            sock.settimeout(_left(deadline))
            sock.sendall("\r\n".join([*lines, "", ""]).encode() + content)
            if file:
                with file.open("rb") as stream:
                    while piece := stream.read(1 << 20):
                        sock.settimeout(_left(deadline))
                        sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError) as problem:
            why = ssh.last_words(sock) or problem.strerror
            sock.close()
            raise ConnectionError(why) from None
        except BaseException:
            sock.close()
            raise
        return sock

    def _read_head(self, sock: socket.socket, deadline: float) -> Response:
        data = b""
        while b"\r\n\r\n" not in data:
            sock.settimeout(_left(deadline))
            try:
                received = sock.recv(1 << 16)
            except ConnectionResetError as problem:  # also an ssh that ended before it read what we sent
                raise ConnectionError(ssh.last_words(sock) or problem.strerror) from None
            if not received or len(data) > HEADER_LIMIT:
                raise ConnectionError(ssh.last_words(sock) or "it hung up in the middle of an answer")
            data += received
        head, _, rest = data.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        try:
            status = int(status_line.split(" ", 2)[1])
        except (IndexError, ValueError):
            raise ConnectionError("what answers there does not speak HTTP") from None
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        self._api = headers.get("api-version") or self._api
        return Response(sock, status, headers, rest)


def asked(wire: Wire, action: str, method: str, path: str, /, **options: Any) -> Any:
    """A request's answer, as `Wire.call` gives it; a refusal is told by what was to be done. Raises LabError."""
    try:
        return wire.call(method, path, **options)
    except Refused as refusal:
        raise explained(action, refusal) from None


def explained(action: str, refusal: Refused) -> LabError:
    if "no space left on device" in refusal.message:
        return LabError("disk-full", why=refusal.message)
    return LabError("engine-refused", action=action, why=refusal.message)


def connect(endpoint: Endpoint, limit: float) -> socket.socket:
    """A connected socket to the engine. Raises OSError, LabError."""
    url = urlsplit(endpoint.url)
    if url.scheme == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(limit)
            sock.connect(url.path)
        except BaseException:
            sock.close()
            raise
        return sock
    if url.scheme in ("tcp", "http", "https"):
        sock = socket.create_connection((url.hostname or "localhost", url.port or 2375), timeout=limit)
        return _secure(sock, endpoint, url.hostname or "") if endpoint.tls or url.scheme == "https" else sock
    if url.scheme == "ssh":
        return ssh.dial(url.hostname or "", url.username, url.port)
    raise LabError("engine-endpoint", where=endpoint.source, why=f"{url.scheme}:// is not supported on this system")


def _secure(sock: socket.socket, endpoint: Endpoint, host: str) -> socket.socket:
    # All certificates that the machine trusts are read for a context: some 10 ms, where a handshake takes two.
    files = [endpoint.tls / name for name in CERTIFICATES] if endpoint.tls else []
    key = endpoint.verify, *((file, file.stat().st_mtime_ns) for file in files if file.exists())
    context = _contexts.get(key)
    if context is None:
        context = _contexts[key] = _context(endpoint)
    return context.wrap_socket(sock, server_hostname=host)


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context()
    if endpoint.tls:
        ca, cert, key = (endpoint.tls / name for name in CERTIFICATES)
        if ca.exists():
            context.load_verify_locations(ca)
        if cert.exists():
            context.load_cert_chain(cert, key)
    if not endpoint.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _at_most() -> float:
    """What the environment says of every request. Raises LabError `bad-option`."""
    text = os.environ.get(LIMIT_VARIABLE)
    if not text:
        return math.inf
    try:
        limit = float(text)
    except ValueError:
        limit = 0
    if not limit > 0:
        raise LabError("bad-option", option=LIMIT_VARIABLE, why=f"{text!r} is no number of seconds above 0")
    return limit


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"]).strip()
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip() or "no reason given"
