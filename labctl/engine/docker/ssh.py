"""An engine on another machine, over ssh: what Docker's own client does, it too.

`ssh HOST docker system dial-stdio` is run for each connection, and its standard input and output are the connection.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import IO, TYPE_CHECKING

from labctl.errors import LabError

if TYPE_CHECKING:
    import subprocess

PATIENCE = 1.0  # seconds for an ssh whose output has ended to end itself


class Connection(socket.socket):
    """One end of a pair of sockets, with an ssh at the other; and what that says on its standard error."""

    child: subprocess.Popen[bytes]
    said: IO[bytes]


def dial(host: str, user: str | None, port: int | None) -> socket.socket:
    """Raises LabError `engine-unreachable` where there is no ssh."""
    import subprocess
    import tempfile

    command = ["ssh", "-o", "ConnectTimeout=10", "-T"]
    command += [*(["-l", user] if user else []), *(["-p", str(port)] if port else [])]
    ours, theirs = socket.socketpair()
    # What it says is of interest only where it fails: at the end dial-stdio complains that we have hung up.
    said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the connection's last reference
    with theirs:
        try:
            child = subprocess.Popen(
                [*command, "--", host, "docker", "system", "dial-stdio"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=said,
                start_new_session=True,  # a ^C is for us alone: what we take back, we take back over this
            )
        except OSError as problem:
            ours.close()
            why = f"ssh can't be run ({os.strerror(problem.errno or 0)})"
            raise LabError("engine-unreachable", endpoint=f"ssh://{host}", why=why) from None
    connection = Connection(fileno=ours.detach())
    connection.child, connection.said = child, said
    return connection


def last_words(sock: socket.socket) -> str:
    """Why the connection ended, as ssh or the other machine said it; nothing where it isn't one over ssh."""
    if not isinstance(sock, Connection):
        return ""
    import subprocess

    with contextlib.suppress(subprocess.TimeoutExpired):
        sock.child.wait(PATIENCE)
    sock.said.seek(0)
    lines = sock.said.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
