"""An engine's API on a real socket, as far as making a project goes: what it was asked for, in order, can be read."""

from __future__ import annotations

import itertools
import json
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]


class FakeEngine:
    """`containers`, `networks` and `volumes` are by name. Before it does what a path says, `before` is called with it:
    that may wait, or give another answer. `at_once` is how many requests it had under way at the same time, at most.
    `jobs` are the names of containers whose programs end as soon as they are started."""

    def __init__(self, folder: Path) -> None:
        self.url = f"unix://{folder / 'engine.sock'}"
        self.containers: dict[str, dict[str, Any]] = {}
        self.networks: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.api = "1.45"
        self.at_once = 0
        self.jobs: set[str] = set()
        self.before: Callable[[str], Answer | None] = lambda path: None
        self._lock = threading.Lock()
        self._now = 0
        self._idents = itertools.count(1)
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def address_string(self) -> str:
                return ""

            def log_message(self, *_: object) -> None: ...

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, answer = engine._answer(self.command, self.path, json.loads(body) if body else {})
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Api-Version", engine.api)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = True

            do_GET = do_POST = do_DELETE = _serve

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Who asked may be gone by the time of the answer."""

            request_queue_size = 64

        self._server = Server(str(folder / "engine.sock"), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def named(self, name: str) -> dict[str, Any]:
        return next(item for item in self.containers.values() if item["Names"] == [f"/{name}"])

    def _answer(self, method: str, target: str, body: dict[str, Any]) -> Answer:
        url = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        what = f"{method} {url.path}"
        with self._lock:
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        try:
            told = self.before(f"{what}?{url.query}")
            with self._lock:
                self.asked.append(f"{what} {body.get('Name') or query.get('name', '')}".strip())
                return told or self._do(method, url.path.strip("/").split("/"), query, body)
        finally:
            with self._lock:
                self._now -= 1

    def _do(self, method: str, path: list[str], query: dict[str, str], body: dict[str, Any]) -> Answer:
        match [method, *path]:
            case ["GET", "_ping"]:
                return 200, "OK"
            case ["GET", "containers", "json"]:
                return 200, list(self.containers.values())
            case ["GET", "networks"]:
                return 200, list(self.networks.values())
            case ["GET", "volumes"]:
                return 200, {"Volumes": list(self.volumes.values())}
            case ["GET", "images", *_]:
                return 200, {"Id": "sha256:1", "Config": {}}
            case ["POST", "networks", "create"]:
                self.networks[body["Name"]] = {**body, "Id": f"net-{body['Name']}"}
                return 201, {}
            case ["POST", "volumes", "create"]:
                self.volumes[body["Name"]] = body
                return 201, {}
            case ["POST", "containers", "create"]:
                return self._create(query["name"], body)
            case [_, "containers", ident, *verb]:
                return self._change(self.containers[ident], method, verb, query)
        raise AssertionError(path)

    def _create(self, name: str, body: dict[str, Any]) -> Answer:
        ident = f"{next(self._idents):064x}"  # never one twice: what was `asked` may be forgotten meanwhile
        labels, mode = body["Labels"], body["HostConfig"]["NetworkMode"]
        found = {"Id": ident, "Names": [f"/{name}"], "Labels": labels, "Image": body["Image"], "Asked": body}
        found |= {"State": "created", "Status": "Created", "HostConfig": {"NetworkMode": mode}, "Ports": []}
        self.containers[ident] = found
        return 201, {"Id": ident}

    def _change(self, found: dict[str, Any], method: str, verb: list[str], query: dict[str, str]) -> Answer:
        if method == "DELETE":
            del self.containers[found["Id"]]
        elif verb == ["start"]:
            checked = (found["Asked"].get("Healthcheck") or {}).get("Test", ["NONE"]) != ["NONE"]
            found |= {"State": "running", "Status": "Up 1 second (health: starting)" if checked else "Up 1 second"}
            if found["Names"][0][1:] in self.jobs:
                found |= {"State": "exited", "Status": "Exited (0) 1 second ago"}
        elif verb == ["stop"]:  # listed as running until it has been written down, which inspecting waits for
            found["Ending"] = True
        elif verb == ["json"] and found.pop("Ending", False):
            found |= {"State": "exited", "Status": "Exited (0) 1 second ago"}
        elif verb == ["rename"]:
            found["Names"] = [f"/{query['name']}"]
        return 200, {}
