"""Asks an HTTP server of the lab for a page: from this machine, over its published port, or from another node."""

from __future__ import annotations

import base64
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.engine.model import COMPOSE_SERVICE, Engine, Port
from labctl.errors import LabError, LabTimeout, ProgramNotFound
from labctl.lab.model import Lab, Node
from labctl.lab.roles.role import Role

if TYPE_CHECKING:  # the table of roles is read by commands that ask for no page
    from labctl.lab.inside.execution import Place

ROLES = (Role("http", "an HTTP server", commands=("http get",), events={"request": "", "response": ""}),)
GRACE = 10.0  # seconds beyond its limit that what asks in a node has to start, and to say how it went


@dataclass(frozen=True)
class Exchange:
    """`seen` is what labctl.lab.roles.http_exchange saw of the exchange from the client's end."""

    url: str
    source: str
    seen: dict[str, Any]

    @property
    def status(self) -> int:
        """The status of the response (RFC 9110), such as 200."""
        return int(self.seen["status"])

    @property
    def content(self) -> bytes:
        """The body as it came."""
        data = self.seen.get("data")
        return base64.b64decode(data) if data else str(self.seen["body"]).encode()

    @property
    def is_text(self) -> bool:
        """Whether the body is text, so that `seen` has it as `body`, and not as `data` in base64."""
        return "data" not in self.seen and "\0" not in self.seen["body"]

    def as_json(self) -> dict[str, Any]:
        """As `labctl http get --json` has it."""
        return {"url": self.url, "from": self.source, **self.seen}


def get(engine: Engine, lab: Lab, name: str, url: str, *, source: str | None = None, timeout: float = 10.0) -> Exchange:
    """GET of `url` (a path, or a whole URL whose path and port count) at a node; `timeout` in seconds is for all of it.
    Raises LabError."""
    from labctl.lab.inside.execution import Place
    from labctl.lab.reach.published import address
    from labctl.lab.roles.http_exchange import exchange

    node = lab.running(name, "nothing answers there")
    target, port = _parse(url)
    if source:
        asker = lab.running(source, "it can't ask")
        wanted = port or _listening(engine, node)
        return _from_node(engine, Place(lab, asker), _named(lab, asker, node), wanted, target, timeout)
    published = _published(node, port, target)
    host = address(engine, node, published)
    seen = exchange(host, int(published.public or 0), target, timeout)
    shown = f"[{host}]" if ":" in host else host
    return _checked(f"http://{shown}:{published.public}{target}", "this machine", seen)


def _parse(url: str) -> tuple[str, int | None]:
    """Path with query, and the port where the URL names one."""
    from urllib.parse import urlsplit

    if "://" in url and not url.partition("://")[2].partition("/")[0]:
        raise LabError("bad-option", option="URL", why=f"{url!r} names no host")  # RFC 9110, section 4.2.1
    parts = urlsplit(url if "://" in url else f"http://host{url if url.startswith('/') else '/' + url}")
    if parts.scheme != "http":
        raise LabError("bad-option", option="URL", why=f"only http:// is spoken here, not {parts.scheme}://")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(character.isspace() or not character.isprintable() for character in target):
        raise LabError("bad-option", option="URL", why=f"{url!r} holds characters that a URL can't; escape them with %")
    try:
        return target, parts.port
    except ValueError:
        raise LabError("bad-option", option="URL", why=f"{url!r} names a port that is none") from None


def _listening(engine: Engine, node: Node) -> int:
    """The port that a server is at: what the node states, where its kernel knows of it, or else the only one."""
    ident = node.container.id
    stated = [port.private for port in node.container.ports if port.proto == "tcp"]
    told = engine.listening({ident: engine.details(ident).pid}).get(ident)
    if told is None:
        found = stated[:1]
    else:
        open_ = {item.port for item in told if item.proto == "tcp" and not item.address.startswith(("127.", "::1"))}
        found = [port for port in stated if port in open_][:1] or sorted(open_)
    if len(found) == 1:
        return found[0]
    where = f"listens on {', '.join(map(str, found))}" if found else "listens on no TCP port that others reach"
    why = f"{node.name} {where}; name one in the URL (http://{node.name}:8080/)"
    raise LabError("bad-option", option="URL", why=why)


def _named(lab: Lab, asker: Node, node: Node) -> str:
    """What the asking node knows a node by: its name, where the engine's name server has that, else its address."""
    if node.owner is None and node.name == node.container.labels.get(COMPOSE_SERVICE):
        return node.name
    from labctl.lab.reach.probe import target

    address = target(lab, asker, node.name, None).address or node.name
    return f"[{address}]" if ":" in address else address


def _published(node: Node, port: int | None, target: str) -> Port:
    for found in (node.owner or node).container.ports:
        if found.proto == "tcp" and found.public and port in (None, found.private, found.public):
            return found
    raise LabError("not-published", node=node.name, path=target)


def _from_node(engine: Engine, place: Place, host: str, port: int, target: str, timeout: float) -> Exchange:
    """What asks ends by itself when its time is over, and with labctl."""
    from labctl.lab.inside.execution import run

    url, asker = f"http://{host}:{port}{target}", place.node.name
    program = Path(__file__).with_name("http_exchange.py").read_text()
    command = ["python3", "-c", program, host.strip("[]"), str(port), target, str(timeout)]
    said = {False: b"", True: b""}  # on standard output, and on standard error

    def show(data: bytes, stderr: bool) -> None:
        said[stderr] += data

    try:
        run(engine, place, command, source=None, show=show, why_ended=_why_ended, limit=timeout + GRACE)
        seen = json.loads(said[False])
    except (ValueError, ProgramNotFound) as problem:
        last = (said[True].decode(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
        why = str(problem.values["why"]) if isinstance(problem, LabError) else last
        mend = f"{asker} needs python3 to ask for a page; choose another node"
        raise LabError("http-failed", url=url, why=why, mend=mend) from None
    return _checked(url, asker, seen)


def _why_ended(cause: BaseException) -> int | None:
    """Of what the engine has refused nothing runs."""
    refused = isinstance(cause, LabError) and not isinstance(cause, LabTimeout)
    return None if refused else signal.SIGTERM


def _checked(url: str, source: str, seen: dict[str, Any]) -> Exchange:
    if "error" in seen:
        mend = "`labctl ps` shows what listens where"
        raise LabError(
            "http-failed", url=url, why=f"{seen['reason']} ({seen['error']}), asked from {source}", mend=mend
        )
    return Exchange(url, source, seen)
