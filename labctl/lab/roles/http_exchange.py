"""One HTTP GET as its client saw it: run here, or in a node by its own Python (standard library alone).

As a program: `python3 - HOST PORT TARGET LIMIT` prints the exchange as one JSON object.
"""

import base64
import http.client
import json
import socket
import sys
import time

BODY_LIMIT = 16 * 1024 * 1024  # bytes


def exchange(host: str, port: int, target: str, limit: float) -> dict[str, object]:
    """The response to `GET target`, the two ends of its connection, and the seconds until the last byte.

    `limit` bounds each wait, in seconds. A failure gives `error` (a name) and `reason` instead.
    """
    connection = http.client.HTTPConnection(host, port, timeout=limit)
    try:
        connection.connect()
        started = time.monotonic()
        ends = {"local": list(connection.sock.getsockname()[:2]), "peer": list(connection.sock.getpeername()[:2])}
        connection.request("GET", target, headers={"User-Agent": "labctl", "Connection": "close"})
        response = connection.getresponse()
        body = response.read(BODY_LIMIT)
        seconds = time.monotonic() - started
    except socket.gaierror as problem:
        return {"error": "EAI_NONAME", "reason": f"{host}: {problem.strerror}"}
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
    print(json.dumps(exchange(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))))
