"""What Docker's API has for swarms, and the engine's clock."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.docker.wire import Refused, Wire, asked, connect, explained
from labctl.engine.swarm import SWARM_PORT, Member, Reading
from labctl.errors import LabError

JOIN_LIMIT = 60.0  # seconds; the engine itself gives up after 20
GONE = 404
NOT_IN = 503  # it is in no swarm
OTHERS = 0.003  # seconds in which an event of somebody else comes that has come before one of ours


class DockerSwarm:
    """See MachineEngine."""

    endpoint: Endpoint
    _wire: Wire

    def swarm_members(self) -> list[Member]:
        found = asked(self._wire, "list the machines of its swarm", "GET", "/nodes")
        return [_member(item) for item in found]

    def begin_swarm(self, address: str) -> None:
        body = {"ListenAddr": f"0.0.0.0:{SWARM_PORT}", "AdvertiseAddr": address}
        asked(self._wire, "make a swarm", "POST", "/swarm/init", body=body, limit=JOIN_LIMIT)

    def worker_token(self) -> str:
        return str(asked(self._wire, "tell how to join its swarm", "GET", "/swarm")["JoinTokens"]["Worker"])

    def join_swarm(self, managers: Sequence[str], token: str, address: str) -> None:
        body = {
            "ListenAddr": f"0.0.0.0:{SWARM_PORT}",
            "AdvertiseAddr": address,
            "RemoteAddrs": list(managers),
            "JoinToken": token,
        }
        asked(self._wire, "join a swarm", "POST", "/swarm/join", body=body, limit=JOIN_LIMIT)

    def leave_swarm(self, *, force: bool = False) -> None:
        try:
            self._wire.call("POST", "/swarm/leave", force=force, limit=JOIN_LIMIT)
        except Refused as refusal:
            if refusal.status != NOT_IN:
                raise explained("leave its swarm", refusal) from None

    def forget_member(self, node: str) -> None:
        try:
            self._wire.call("DELETE", f"/nodes/{quote(node)}", force=True)
        except Refused as refusal:
            if refusal.status != GONE:
                raise explained("take a machine off its swarm's list", refusal) from None

    def create_overlay(self, name: str, labels: Mapping[str, str]) -> str:
        body = {"Name": name, "Driver": "overlay", "Attachable": True, "Internal": True, "Labels": dict(labels)}
        return str(asked(self._wire, "make a network", "POST", "/networks/create", body=body)["Id"])

    def readings(self, count: int, limit: float) -> list[Reading]:
        """By one connection that stays: to make one may take longer than the answer."""
        deadline = time.monotonic() + limit
        found: list[Reading] = []
        try:
            with contextlib.closing(connect(self.endpoint, limit)) as sock, sock.makefile("rb") as stream:
                sock.settimeout(limit)
                for number in range(count + 1):
                    begun = time.time_ns()
                    # The first one only makes the connection a whole one, to where the engine is.
                    path = "/info" if number else "/_ping"
                    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: docker\r\nUser-Agent: labctl\r\n\r\n".encode())
                    told, ended = _answer(stream)
                    if number:
                        found.append(Reading(begun, _nanoseconds(json.loads(told)["SystemTime"]), ended))
                    if time.monotonic() > deadline:
                        break
        except TimeoutError:
            raise LabError("engine-timeout", seconds=limit, action="tell its time") from None
        except (ValueError, KeyError, TypeError, IndexError):
            raise LabError("engine-refused", action="tell its time", why="its answer can't be understood") from None
        except OSError as problem:
            raise self._wire.unreachable(problem) from None
        return found

    def times_of_attaching(self, container: str, count: int, limit: float) -> list[Reading]:
        """The engine's clock as its events tell it: one for each time that a running container is attached to, with
        none of its streams. It takes half a millisecond, where the engine says of itself in several, and a shell that
        tells the time takes fifty to start. None where it can't be had, or somebody else attached meanwhile, as an
        event does not say whose it is."""
        try:
            return list(self._attachings(quote(container), count, limit))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return []

    def _attachings(self, container: str, count: int, limit: float) -> Iterator[Reading]:
        found = []
        wanted = quote(json.dumps({"container": [container], "event": ["attach"]}))
        with contextlib.closing(connect(self.endpoint, limit)) as heard, heard.makefile("rb") as events:
            heard.settimeout(limit)
            heard.sendall(_request("GET", f"/events?filters={wanted}"))
            _accepted(events)
            for _ in range(count):
                with contextlib.closing(connect(self.endpoint, limit)) as sock, sock.makefile("rb") as answer:
                    sock.settimeout(limit)
                    begun = time.time_ns()
                    sock.sendall(_request("POST", f"/containers/{container}/attach?stream=0"))
                    _accepted(answer)
                    told = json.loads(_chunk(events))["timeNano"]
                    found.append(Reading(begun, int(told), time.time_ns()))
            heard.settimeout(OTHERS)
            with contextlib.suppress(TimeoutError):
                events.read(1)  # somebody else's, among those that were taken for ours
                return
        yield from found


def _member(item: dict[str, Any]) -> Member:
    manager = item.get("ManagerStatus") or {}
    status = item.get("Status") or {}
    return Member(
        item["ID"],
        (item.get("Description") or {}).get("Hostname") or "",
        item["Spec"].get("Role") == "manager",
        bool(manager.get("Leader")),
        status.get("State") or "unknown",
        status.get("Addr") or "",
    )


def _request(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: docker\r\nUser-Agent: labctl\r\nContent-Length: 0\r\n\r\n".encode()


def _accepted(stream: Any) -> None:
    """Reads the head of an answer. Raises OSError, ValueError where it is a refusal."""
    if stream.readline().split()[1] != b"200":
        raise ValueError
    while stream.readline().strip():
        pass


def _chunk(stream: Any) -> bytes:
    """RFC 9112, section 7.1."""
    data: bytes = stream.read(int(stream.readline().split(b";")[0], 16))
    stream.readline()
    return data


def _answer(stream: Any) -> tuple[bytes, int]:
    """A whole answer on a connection that stays, and when its first line came. Raises OSError, ValueError."""
    first = stream.readline()
    came = time.time_ns()
    if not first:
        raise ConnectionError("it hung up in the middle of an answer")
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip().lower()
    if headers.get(b"transfer-encoding") != b"chunked":
        return stream.read(int(headers.get(b"content-length", b"0"))), came
    parts = []
    while size := int(stream.readline().split(b";")[0], 16):
        parts.append(stream.read(size))
        stream.readline()
    stream.readline()
    return b"".join(parts), came


def _nanoseconds(stamp: str) -> int:
    """An RFC 3339 time with up to nine digits of a second."""
    import datetime
    import re

    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", stamp)
    if not found:
        raise ValueError(stamp)
    zone = "+00:00" if found[3] == "Z" else found[3]
    whole = int(datetime.datetime.fromisoformat(found[1] + zone).timestamp())
    return whole * 10**9 + int((found[2] or "").ljust(9, "0"))
