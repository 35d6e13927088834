"""The Docker engine, over its API."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from labctl.cancel import Cancel
from labctl.engine.alone import Alone
from labctl.engine.docker import inspected, making, proc, streams
from labctl.engine.docker.endpoint import Endpoint, find
from labctl.engine.docker.project.projects import DockerProjects
from labctl.engine.docker.swarm import DockerSwarm
from labctl.engine.docker.wire import Refused, Wire, asked, explained
from labctl.engine.model import (
    LOG_DRIVER,
    LOG_FILE,
    LOG_FILES,
    PROBE_IMAGE,
    Container,
    Details,
    Image,
    Listening,
    Network,
    ProbeOrder,
    Process,
    Stream,
    StreamEvent,
    Volume,
)
from labctl.engine.nodes import NodeOrder
from labctl.engine.sharing import with_networks
from labctl.errors import EngineRefused, LabError
from labctl.phases import reached

if TYPE_CHECKING:
    from labctl.engine.settings import Settings

ARCHIVE_LIMIT = 60.0  # seconds until the next piece
UNCHANGED, GONE, CONFLICT = 304, 404, 409


class DockerEngine(Alone, DockerProjects, DockerSwarm):
    """An Engine on the other end of a wire."""

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        self.endpoint = endpoint or find()
        self._wire = Wire(self.endpoint)
        self.cancels: tuple[Cancel, ...] = ()

    def cancelled_by(self, *cancels: Cancel) -> Self:
        other = copy.copy(self)
        other.cancels = cancels
        return other

    @property
    def where(self) -> str:
        return f"{self.endpoint.url} ({self.endpoint.source})"

    @property
    def is_local(self) -> bool:
        return self.endpoint.is_local

    @property
    def half_closes(self) -> bool:
        return not self.endpoint.tls  # TLS 1.2 has no half-closed connection

    @property
    def machine(self) -> str | None:
        return self.endpoint.machine

    def _call(self, action: str, method: str, path: str, /, **options: Any) -> Any:
        return asked(self._wire, action, method, path, **options)

    def containers(self, labels: Sequence[str] = (), *, running: bool = False) -> list[Container]:
        filters = {"label": list(labels)} if labels else {}
        found = self._listed(all=not running, filters=filters)
        return sorted(with_networks(found, lambda: self._listed(all=True)), key=lambda container: container.name)

    def _listed(self, **options: Any) -> list[Container]:
        found = self._call("list containers", "GET", "/containers/json", **options)
        return [inspected.container(item) for item in found]

    def details(self, container: str) -> Details:
        return inspected.details(self._call("inspect a container", "GET", f"/containers/{container}/json"))

    def settings(self, container: str) -> Settings:
        from labctl.engine.docker import made

        return made.settings(self._call("inspect a container", "GET", f"/containers/{container}/json"))

    def listening(self, pids: Mapping[str, int]) -> dict[str, tuple[Listening, ...]]:
        found = proc.read_all(pids) if self.endpoint.is_local else {}
        return found | proc.told_inside(self, [name for name in pids if name not in found])

    def networks(self, labels: Sequence[str] = ()) -> list[Network]:
        filters = {"label": list(labels)} if labels else {}
        found = self._call("list networks", "GET", "/networks", filters=filters)
        return [inspected.network(item) for item in found]

    def volumes(self, labels: Sequence[str]) -> list[Volume]:
        found = self._call("list volumes", "GET", "/volumes", filters={"label": list(labels)})
        return [Volume(item["Name"], item.get("Labels") or {}) for item in found.get("Volumes") or []]

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        made = self._call("make a volume", "POST", "/volumes/create", body={"Name": name, "Labels": dict(labels)})
        return Volume(made["Name"], made.get("Labels") or {})

    def image(self, name: str) -> Image | None:
        try:
            found = self._wire.call("GET", f"/images/{quote(name, safe='/:@')}/json")
        except Refused as refusal:
            if refusal.status == GONE:
                return None
            raise explained(f"inspect the image {name}", refusal) from None
        config = found.get("Config") or {}
        entrypoint, command = tuple(config.get("Entrypoint") or ()), tuple(config.get("Cmd") or ())
        size, user = found.get("Size", 0), config.get("User") or ""
        return Image(found["Id"], config.get("Labels") or {}, size, entrypoint, command, user=user)

    def images_with(self, labels: Sequence[str]) -> list[Image]:
        found = self._call("list images", "GET", "/images/json", filters={"label": list(labels)})
        return [
            Image(
                item["Id"],
                item.get("Labels") or {},
                item.get("Size", 0),
                names=tuple(name for name in item.get("RepoTags") or () if name != "<none>:<none>"),
            )
            for item in found
        ]

    def info(self) -> dict[str, Any]:
        version = self._call("tell its version", "GET", "/version", limit=10)
        return {**self._call("describe itself", "GET", "/info", limit=20), "Version": version}

    def attach(self, container: str, *, keyboard: bool) -> Stream:
        """The output by the log, the keyboard by a WebSocket: of an attached connection the engine would keep the
        descriptors, those of an output up to the container's end (its standard error is never written to)."""
        output = None
        try:
            output = self._wire.stream(
                "GET", f"/containers/{container}/logs", stdout=True, stderr=True, follow=True, tail=0
            )
            typed = None
            if keyboard:
                typed = self._wire.stream(
                    "GET", f"/containers/{container}/attach/ws", upgrade="websocket", stream=True, stdin=True
                )
        except Refused:
            if output:
                output.sock.close()
            return self._attach_whole(container, keyboard)
        except BaseException:
            if output:
                output.sock.close()
            raise
        demultiplexer = _demultiplexer(output.headers, stamped=False)
        return streams.DockerStream(container, output, demultiplexer, keyboard=typed)

    def _attach_whole(self, container: str, keyboard: bool) -> Stream:
        """As `attach`, where the log can't be read (a logging driver that only sends it elsewhere, say)."""
        try:
            response = self._wire.stream(
                "POST",
                f"/containers/{container}/attach",
                upgrade="tcp",
                stream=True,
                stdin=keyboard,
                stdout=True,
                stderr=True,
            )
        except Refused as refusal:
            raise explained("attach to a container", refusal) from None
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
            raise explained("give a container's log", refusal) from None
        return streams.DockerStream(container, response, _demultiplexer(response.headers, stamped=True))

    def wait(self, streams_: Iterable[Stream], deadline: float | None) -> Iterator[StreamEvent]:
        return streams.wait(streams_, deadline, self.cancels)

    def converse(self, stream: Stream, source: int | None, deadline: float | None) -> Iterator[StreamEvent]:
        assert isinstance(stream, streams.DockerStream)
        return streams.converse(stream, source, deadline, self.cancels)

    def change(self, verb: str, container: str, *, limit: float = 30, signal: str | None = None) -> None:
        try:
            # A container's own grace (10 s by default) comes before the kill; give the engine time for both.
            path = f"/containers/{container}/{verb}"
            self._wire.call("POST", path, limit=limit + 15, cancels=self.cancels, signal=signal)
        except Refused as refusal:
            if refusal.status != UNCHANGED:
                raise explained(f"{verb} the container", refusal) from None
        if verb == "stop":
            # It is listed as running for milliseconds more, until its end is written down, which inspecting waits for.
            with contextlib.suppress(EngineRefused):  # it was one that is removed with its end
                self._call("inspect a container", "GET", f"/containers/{container}/json")

    def run_probe(
        self,
        command: Sequence[str],
        *,
        network: str,
        labels: Mapping[str, str],
        limit: float = 30,
        image: str = PROBE_IMAGE,
    ) -> str:
        host = _probe_host(network, ["NET_ADMIN"], memory=64)
        body = {"Image": image, "Cmd": list(command), "User": "0", "Labels": dict(labels), "HostConfig": host}
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
        network = "none" if probe.apart else probe.network or place
        host = _probe_host(network, list(probe.capabilities), memory=probe.memory)
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
            raise explained("make a probe", refusal) from None

    def create_node(self, order: NodeOrder) -> str | None:
        path = f"/containers/create?name={quote(order.name)}"
        try:
            made = str(self._wire.call("POST", path, body=making.node(order, mounts=self.machine is None))["Id"])
        except Refused as refusal:
            if refusal.status == CONFLICT:
                return None
            raise explained(f"make {order.hostname}", refusal) from None
        try:
            if order.folder:
                self.send_folder(made, order.folder, order.place)
        except BaseException:
            self.remove_container(made)
            raise
        return made

    def create_network(self, name: str, labels: Mapping[str, str], subnet: str, *, internal: bool = False) -> Network:
        try:
            self._wire.call("POST", "/networks/create", body=making.network(name, labels, subnet, internal))
        except Refused as refusal:
            if refusal.status != CONFLICT:
                raise explained(f"make the network {name}", refusal) from None
        return inspected.network(self._call("look at a network", "GET", f"/networks/{quote(name)}"))

    def join(self, network: str, container: str, aliases: Sequence[str]) -> str:
        body = {"Container": container, "EndpointConfig": {"Aliases": list(aliases)}}
        self._call(f"join {network}", "POST", f"/networks/{quote(network)}/connect", body=body)
        seen = self._call("look at a container", "GET", f"/containers/{quote(container)}/json")
        return inspected.address(seen, network)

    def leave(self, network: str, container: str) -> None:
        body = {"Container": container}
        self._call(f"leave {network}", "POST", f"/networks/{quote(network)}/disconnect", body=body)

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
            response = self._wire.stream("POST", f"/exec/{made}/start", upgrade="tcp", body={"Detach": False})
        except Refused as refusal:
            raise explained("run a command in a container", refusal) from None
        return streams.DockerStream(container, response, streams.Demultiplexer() if lines else streams.Pieces(), made)

    def status(self, stream: Stream) -> int | None:
        assert isinstance(stream, streams.DockerStream)
        found = self._call("tell how a command ended", "GET", f"/exec/{stream.execution}/json")
        return None if found["Running"] else int(found["ExitCode"])

    def top(self, container: str) -> list[Process]:
        try:
            found = self._wire.call("GET", f"/containers/{container}/top", ps_args=f"-eo {','.join(inspected.PS)}")
        except Refused:  # a `ps` that knows no columns
            found = self._call("list a container's processes", "GET", f"/containers/{container}/top")
        return [inspected.process(dict(zip(found["Titles"], row, strict=False))) for row in found["Processes"] or []]

    def archive(self, container: str, path: str) -> Iterator[bytes]:
        try:
            response = self._wire.stream("GET", f"/containers/{container}/archive", path=path)
        except Refused as refusal:
            raise explained(f"give {path}", refusal) from None
        with response.sock:
            try:
                yield from response.pieces(ARCHIVE_LIMIT)
            except OSError as problem:
                raise self._wire.unreachable(problem) from None

    def limit_processes(self, container: str, count: int) -> None:
        self._call("limit a container", "POST", f"/containers/{container}/update", body={"PidsLimit": count})

    def remove_container(self, container: str) -> None:
        self._remove(f"/containers/{container}", force=True, v=True)

    def remove_network(self, network: str) -> None:
        self._remove(f"/networks/{network}")

    def remove_volume(self, volume: str) -> None:
        self._remove(f"/volumes/{volume}", force=True)

    def remove_image(self, image: str) -> None:
        self._remove(f"/images/{quote(image, safe='/:@')}")

    def _remove(self, path: str, **query: Any) -> None:
        try:
            self._wire.call("DELETE", path, limit=60, **query)
        except Refused as refusal:
            # Gone, or being removed by somebody else at this moment: what was asked for comes true either way.
            if refusal.status != GONE and not (refusal.status == CONFLICT and "already in progress" in refusal.message):
                raise explained(f"remove {path[1:]}", refusal) from None


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
        "LogConfig": {"Type": LOG_DRIVER, "Config": {"max-size": LOG_FILE, "max-file": LOG_FILES}},
    }


def _unix(stamp: str) -> str:
    """An RFC 3339 time as the seconds and nanoseconds that the API wants; a second earlier, since the engine's own
    time of a line is what it goes by, and the caller's events have theirs."""
    import datetime  # strptime compiles so many expressions that a short command takes a tenth longer

    seconds = int(datetime.datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp()) - 1
    return f"{max(0, seconds)}.{stamp[20:29] or '000000000'}"


def _demultiplexer(headers: dict[str, str], *, stamped: bool) -> streams.Demultiplexer:
    raw = headers.get("content-type") == "application/vnd.docker.raw-stream"
    return streams.Demultiplexer(raw=raw, stamped=stamped)
