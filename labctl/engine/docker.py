"""The Docker engine, over its API."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from labctl.engine import endpoint as endpoints
from labctl.engine import streams
from labctl.engine.inspected import settings
from labctl.engine.model import (
    PROBE_IMAGE,
    Container,
    Details,
    Happening,
    Image,
    Network,
    Port,
    ProbeOrder,
    Process,
    Settings,
    Stream,
    Volume,
)
from labctl.engine.wire import Refused, Wire
from labctl.errors import LabError
from labctl.phases import reached

ARCHIVE_LIMIT = 60.0  # seconds until the next piece
_PS = ("pid", "ppid", "user", "pcpu", "rss", "etime", "args")
GONE = 404
UNCHANGED = 304
CONFLICT = 409
_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)$")


class DockerEngine:
    """An Engine on the other end of a wire."""

    def __init__(self, endpoint: endpoints.Endpoint | None = None) -> None:
        self.endpoint = endpoint or endpoints.find()
        self._wire = Wire(self.endpoint)

    def _call(self, action: str, method: str, path: str, /, **options: Any) -> Any:
        try:
            return self._wire.call(method, path, **options)
        except Refused as refusal:
            raise _explain(action, refusal) from None

    def containers(self, labels: Sequence[str] = (), *, running: bool = False) -> list[Container]:
        filters = {"label": list(labels)} if labels else {}
        found = self._call("list containers", "GET", "/containers/json", all=not running, filters=filters)
        return sorted((_container(item) for item in found), key=lambda container: container.name)

    def details(self, container: str) -> Details:
        found = self._call("inspect a container", "GET", f"/containers/{container}/json")
        state = found["State"]
        return Details(
            finished=state["FinishedAt"],
            exit_code=state["ExitCode"],
            stdin_open=found["Config"]["OpenStdin"],
            error=state.get("Error", ""),
            out_of_memory=state.get("OOMKilled", False),
            started=state["StartedAt"],
            environment=dict(text.partition("=")[::2] for text in found["Config"].get("Env") or []),
            aliases={
                name: tuple(net.get("Aliases") or ()) for name, net in found["NetworkSettings"]["Networks"].items()
            },
            check=next((run["Output"] for run in reversed((state.get("Health") or {}).get("Log") or [])), ""),
            processes=found["HostConfig"].get("PidsLimit"),
            host_processes=found["HostConfig"].get("PidMode") == "host",
        )

    def settings(self, container: str) -> Settings:
        return settings(self._call("inspect a container", "GET", f"/containers/{container}/json"))

    def networks(self, labels: Sequence[str] = ()) -> list[Network]:
        filters = {"label": list(labels)} if labels else {}
        found = self._call("list networks", "GET", "/networks", filters=filters)
        return [
            Network(
                id=item["Id"],
                name=item["Name"],
                labels=item.get("Labels") or {},
                subnets=tuple(
                    config["Subnet"] for config in (item.get("IPAM") or {}).get("Config") or [] if "Subnet" in config
                ),
            )
            for item in found
        ]

    def volumes(self, labels: Sequence[str]) -> list[Volume]:
        found = self._call("list volumes", "GET", "/volumes", filters={"label": list(labels)})
        return [Volume(item["Name"], item.get("Labels") or {}) for item in found.get("Volumes") or []]

    def image(self, name: str) -> Image | None:
        try:
            found = self._wire.call("GET", f"/images/{quote(name, safe='/:@')}/json")
        except Refused as refusal:
            if refusal.status == GONE:
                return None
            raise _explain(f"inspect the image {name}", refusal) from None
        return Image(found["Id"], (found.get("Config") or {}).get("Labels") or {}, found.get("Size", 0))

    def info(self) -> dict[str, Any]:
        version = self._call("tell its version", "GET", "/version", limit=10)
        return {**self._call("describe itself", "GET", "/info", limit=20), "Version": version}

    def attach(self, container: str, *, keyboard: bool) -> Stream:
        try:
            response = self._wire.stream(
                "POST",
                f"/containers/{container}/attach",
                upgrade=True,
                stream=True,
                stdin=keyboard,
                stdout=True,
                stderr=True,
            )
        except Refused as refusal:
            raise _explain("attach to a container", refusal) from None
        return streams.DockerStream(container, response, _demultiplexer(response.headers, stamped=False))

    def logs(
        self, container: str, *, follow: bool = False, since: str | None = None, tail: int | None = None
    ) -> Stream:
        try:
            response = self._wire.stream(
                "GET",
                f"/containers/{container}/logs",
                stdout=True,
                stderr=True,
                timestamps=True,
                follow=follow,
                since=_unix(since) if since else None,
                tail=tail,
            )
        except Refused as refusal:
            raise _explain("give a container's log", refusal) from None
        return streams.DockerStream(container, response, _demultiplexer(response.headers, stamped=True))

    def wait(self, streams_: Iterable[Stream], deadline: float | None) -> Iterator[Happening]:
        return streams.wait(streams_, deadline)

    def converse(self, stream: Stream, source: int | None, deadline: float | None) -> Iterator[Happening]:
        assert isinstance(stream, streams.DockerStream)
        return streams.converse(stream, source, deadline)

    def change(self, verb: str, container: str, *, limit: float = 30, signal: str | None = None) -> None:
        try:
            # A container's own grace (10 s by default) comes before the kill; give the engine time for both.
            self._wire.call("POST", f"/containers/{container}/{verb}", limit=limit + 15, signal=signal)
        except Refused as refusal:
            if refusal.status != UNCHANGED:
                raise _explain(f"{verb} the container", refusal) from None

    def run_probe(self, command: Sequence[str], *, network: str, labels: Mapping[str, str], limit: float = 30) -> str:
        host = _probe_host(network, ["NET_ADMIN"], memory=64)
        body = {"Image": PROBE_IMAGE, "Cmd": list(command), "User": "0", "Labels": dict(labels), "HostConfig": host}
        made = self._call("make a probe", "POST", "/containers/create", body=body)["Id"]
        try:
            self._call("start a probe", "POST", f"/containers/{made}/start")
            reached("probe:running")
            status = self._call("wait for a probe", "POST", f"/containers/{made}/wait", limit=limit)["StatusCode"]
            stream = self.logs(made)
            deadline = time.monotonic() + limit
            printed = "\n".join(
                happening.line.text.decode(errors="replace")
                for happening in self.wait([stream], deadline)
                if happening.line
            )
            stream.close()
        finally:
            self.remove_container(made)
        if status:
            raise LabError("probe-failed", command=" ".join(command), status=status, why=printed.strip() or "no words")
        return printed

    def create_probe(self, probe: ProbeOrder) -> str | None:
        place = f"container:{probe.target}"
        host = _probe_host("none" if probe.apart else place, list(probe.capabilities), memory=probe.memory)
        # An init of its own only where it is the first process.
        host |= {"PidMode": place} if probe.processes else {"Init": True}
        if probe.volume:
            volume = {"Type": "volume", "Source": probe.volume, "Target": "/run/labctl"}
            host["Mounts"] = [{**volume, "VolumeOptions": {"Labels": dict(probe.labels)}}]
        body = {
            "Image": PROBE_IMAGE,
            "Cmd": list(probe.command),
            "User": "0",
            "Labels": dict(probe.labels),
            "Env": [f"{name}={value}" for name, value in probe.environment.items()],
            "OpenStdin": True,
            "AttachStdin": False,
            "StopTimeout": 3,
            "HostConfig": host,
        }
        path = f"/containers/create?name={quote(probe.name)}"
        try:
            return str(self._wire.call("POST", path, body=body)["Id"])
        except Refused as refusal:
            if refusal.status == CONFLICT:
                return None
            raise _explain("make a probe", refusal) from None

    def open(
        self,
        container: str,
        command: Sequence[str],
        *,
        lines: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Stream:
        body = {"Cmd": list(command), "AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
        body["Env"] = [f"{name}={value}" for name, value in (environment or {}).items()]
        try:
            made = self._wire.call("POST", f"/containers/{container}/exec", body=body)["Id"]
            response = self._wire.stream("POST", f"/exec/{made}/start", upgrade=True, body={"Detach": False})
        except Refused as refusal:
            raise _explain("run a command in a container", refusal) from None
        return streams.DockerStream(container, response, streams.Demultiplexer() if lines else streams.Pieces(), made)

    def status(self, stream: Stream) -> int | None:
        assert isinstance(stream, streams.DockerStream)
        found = self._call("tell how a command ended", "GET", f"/exec/{stream.execution}/json")
        return None if found["Running"] else int(found["ExitCode"])

    def top(self, container: str) -> list[Process]:
        try:
            found = self._wire.call("GET", f"/containers/{container}/top", ps_args=f"-eo {','.join(_PS)}")
        except Refused:  # a `ps` that knows no columns
            found = self._call("list a container's processes", "GET", f"/containers/{container}/top")
        return [_process(dict(zip(found["Titles"], row, strict=False))) for row in found["Processes"] or []]

    def archive(self, container: str, path: str) -> Iterator[bytes]:
        try:
            response = self._wire.stream("GET", f"/containers/{container}/archive", path=path)
        except Refused as refusal:
            raise _explain(f"give {path}", refusal) from None
        with response.sock:
            yield from response.pieces(ARCHIVE_LIMIT)

    def limit_processes(self, container: str, count: int) -> None:
        self._call("limit a container", "POST", f"/containers/{container}/update", body={"PidsLimit": count})

    def remove_container(self, container: str) -> None:
        self._remove(f"/containers/{container}", force=True, v=True)

    def remove_network(self, network: str) -> None:
        self._remove(f"/networks/{network}")

    def remove_volume(self, volume: str) -> None:
        self._remove(f"/volumes/{volume}", force=True)

    def _remove(self, path: str, **query: Any) -> None:
        try:
            self._wire.call("DELETE", path, limit=60, **query)
        except Refused as refusal:
            # Gone, or being removed by somebody else at this moment: what was asked for comes true either way.
            if refusal.status != GONE and not (refusal.status == CONFLICT and "already in progress" in refusal.message):
                raise _explain(f"remove {path[1:]}", refusal) from None


def _probe_host(network: str, capabilities: list[str], memory: int) -> dict[str, Any]:
    """A probe's HostConfig; `memory` in MiB."""
    return {
        "NetworkMode": network,
        "CapDrop": ["ALL"],
        "CapAdd": capabilities,
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": True,
        "Memory": memory * 1024**2,
        "PidsLimit": 64,
    }


def _process(row: dict[str, str]) -> Process:
    """A line of ps(1), by the titles of its columns."""
    cpu, memory = row.get("%CPU"), row.get("RSS")
    user, command = row.get("USER") or row.get("UID", "?"), row.get("COMMAND") or row.get("CMD", "?")
    return Process(
        int(row.get("PID", 0)),
        int(row.get("PPID", 0)),
        user,
        float(cpu) if cpu else None,
        int(memory) if memory else None,
        row.get("ELAPSED", ""),
        command,
    )


def _unix(stamp: str) -> str:
    """An RFC 3339 time as the seconds and nanoseconds that the API wants; a second earlier, since the engine's own
    time of a line is what it goes by, and the caller's events have theirs."""
    seconds = calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) - 1
    return f"{max(0, seconds)}.{stamp[20:29] or '000000000'}"


def _demultiplexer(headers: dict[str, str], *, stamped: bool) -> streams.Demultiplexer:
    raw = headers.get("content-type") == "application/vnd.docker.raw-stream"
    return streams.Demultiplexer(raw=raw, stamped=stamped)


def _container(item: dict[str, Any]) -> Container:
    attached = (item.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = {
        name: tuple(address for address in (net.get("IPAddress"), net.get("GlobalIPv6Address")) if address)
        for name, net in attached.items()
    }
    ports = tuple(
        Port(port["Type"], port["PrivatePort"], port.get("IP"), port.get("PublicPort"))
        for port in item.get("Ports") or []
    )
    name = item["Names"][0].lstrip("/") if item.get("Names") else item["Id"][:12]
    # `Up 3 seconds (health: starting)`: newer engines say it in a field of its own as well, older ones only so.
    health = _HEALTH.search(item.get("Status") or "")
    return Container(
        item["Id"],
        name,
        item["Image"],
        item["State"],
        item.get("Labels") or {},
        addresses,
        ports,
        health[1] if health and item["State"] == "running" else None,
        (item.get("HostConfig") or {}).get("NetworkMode") == "host",
        tuple(gate for net in attached.values() for gate in (net.get("Gateway"), net.get("IPv6Gateway")) if gate),
    )


def _explain(action: str, refusal: Refused) -> LabError:
    if "no space left on device" in refusal.message:
        return LabError("disk-full", why=refusal.message)
    return LabError("engine-refused", action=action, why=refusal.message)
