"""Serves the page of one lab until it is told to end."""

from __future__ import annotations

import errno
import ipaddress
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labctl.cancel import Cancel
from labctl.errors import LabError
from labctl.page.guard import allowed_hosts
from labctl.page.story import Story

if TYPE_CHECKING:
    import uvicorn

    from labctl.api.lab import Lab

HERE = "127.0.0.1"
CLOSING = 1  # seconds for open streams, when the server ends


@dataclass(frozen=True)
class Wanted:
    """`port` 0: any that is free. `recording`: of packets; None: where the lab has few hosts. `shell`: a
    shell in each host, too."""

    port: int = 0
    listen: str = HERE
    recording: bool | None = None
    shell: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


@dataclass(frozen=True)
class Served:
    """A server that listens. `url` has the token in its fragment, which browsers send to nobody."""

    server: uvicorn.Server
    socket: socket.socket
    url: str

    def run(self) -> None:
        """Until a signal, or `stop` in another thread."""
        self.server.run(sockets=[self.socket])

    def stop(self) -> None:
        self.server.should_exit = True


def require() -> None:
    """Raises LabError `page-extra` where what the server stands on isn't installed."""
    try:
        import starlette
        import uvicorn

        del starlette, uvicorn
    except ImportError as problem:
        raise LabError("page-extra", why=problem) from None


@contextmanager
def served(lab: Callable[[Cancel], Lab], name: str, wanted: Wanted) -> Iterator[Served]:
    """Listens, and watches the lab, until the block ends; `lab` gives the lab anew. Raises LabError `page-extra`,
    `page-address`."""
    require()
    import uvicorn

    from labctl.page.server import Server
    from labctl.page.shells import Shells
    from labctl.page.watching import Watching

    listening, story = _listen(wanted), Story()
    shells = Shells(name) if wanted.shell else None
    story.tell("shell", wanted.shell)
    try:
        port = listening.getsockname()[1]
        hosts = allowed_hosts(wanted.listen, port)
        with Watching(lab, name, story, recording=wanted.recording) as watching:
            app = Server(watching, lab, lambda: hosts, wanted.token, shells).app
            config = uvicorn.Config(
                app,
                log_level="critical",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=CLOSING,
                ws="none",
            )
            shown = f"[{wanted.listen}]" if ":" in wanted.listen else wanted.listen
            url = f"http://{shown}:{port}/#token={wanted.token}"
            yield Served(uvicorn.Server(config), listening, url)
    finally:
        listening.close()
        if shells is not None:
            shells.close()


def _listen(wanted: Wanted) -> socket.socket:
    try:
        address = ipaddress.ip_address(wanted.listen)
    except ValueError:
        raise LabError("page-address", place=wanted.listen, why="that is no address of IPv4 or IPv6") from None
    made = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((wanted.listen, wanted.port))
        made.listen(128)
    except OSError as problem:
        made.close()
        why = os.strerror(problem.errno) if problem.errno else str(problem)
        if problem.errno == errno.EADDRINUSE:
            why = "another program listens there (`--port 0` takes one that is free)"
        raise LabError("page-address", place=f"{wanted.listen}:{wanted.port}", why=why) from None
    return made
