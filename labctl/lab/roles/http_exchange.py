"""One HTTP GET as its client saw it: run here, or in a node by its own Python (standard library alone).

As a program: `python3 - HOST PORT TARGET LIMIT` prints the exchange as one JSON object.
"""

import base64
import contextlib
import http.client
import json
import os
import socket
import sys
import threading
import time

BODY_LIMIT = 16 * 1024 * 1024  # bytes


def exchange(host: str, port: int, target: str, limit: float) -> dict[str, object]:
    """The response to `GET target`, the two ends of its connection, and the seconds until the last byte.

    `limit` bounds all of it, in seconds, the search for the name included. A failure gives `error` (a name) and
    `reason` instead.
    """
    seen: list[dict[str, object]] = []
    asking = _Asking(host, port, target, limit)
    # A server that sends a byte now and then has none of its waits too long, and a name server can't be hurried.
    worker = threading.Thread(target=lambda: seen.append(asking.result()), daemon=True)
    worker.start()
    worker.join(limit)
    if seen:
        return seen[0]
    doing = asking.doing
    asking.hang_up()
    return {"error": "TimeoutError", "reason": f"it took longer than {limit:g} s {doing}"}


class _Asking:
    """One GET; `doing` is what it is at."""

    def __init__(self, host: str, port: int, target: str, limit: float) -> None:
        self._host, self._target = host, target
        self._connection = http.client.HTTPConnection(host, port, timeout=limit + 1)  # our own limit comes first
        self._socket: socket.socket | None = None
        self.doing = "to connect"

    def hang_up(self) -> None:
        """So that nobody goes on reading."""
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def result(self) -> dict[str, object]:
        connection = self._connection
        try:
            connection.connect()
            self._socket = connection.sock  # which the connection gives away with its answer
            started = time.monotonic()
            self.doing = "until the answer began"
            ends = {"local": list(connection.sock.getsockname()[:2]), "peer": list(connection.sock.getpeername()[:2])}
            connection.request("GET", self._target, headers={"User-Agent": "labctl", "Connection": "close"})
            response = connection.getresponse()
            self.doing = "until the whole answer was there"
            body = response.read(BODY_LIMIT)
            seconds = time.monotonic() - started
        except socket.gaierror as problem:
            return {"error": "EAI_NONAME", "reason": f"{self._host}: {problem.strerror}"}
        except (OSError, http.client.HTTPException) as problem:
            return {"error": type(problem).__name__, "reason": str(problem) or type(problem).__name__}
        finally:
            connection.close()
        return {
            **ends,
            "status": response.status,
            "reason": response.reason,
            "headers": [list(pair) for pair in response.getheaders()],
            **_shown(body),
            "bytes": len(body),
            "seconds": seconds,
        }


def _shown(body: bytes) -> dict[str, object]:
    """`body` as text; where it isn't UTF-8, its bytes in base64 as well (`data`)."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body": body.decode(errors="replace"), "data": base64.b64encode(body).decode("ascii")}


if __name__ == "__main__":
    print(json.dumps(exchange(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))), flush=True)
    os._exit(0)  # whatever it still waits for
