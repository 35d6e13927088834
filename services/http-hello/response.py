"""What a request gets: its status, its content, and the response's bytes as they go onto the wire."""

from __future__ import annotations

import time

import page
from icon import ICON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from request import Request

    Content = tuple[str, bytes, list[str]]  # media type, content, further header lines

TEXT = "text/plain; charset=utf-8"
ALLOWED = ("GET", "HEAD")
KNOWN = (*ALLOWED, "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")  # RFC 9110, section 9; RFC 5789
REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}
_date = (0, "")


def status_of(request: Request) -> int:
    """200, 404, 405 or, where not even the method is known, 501 (RFC 9110, section 9.1)."""
    if request.method not in KNOWN:
        return 501
    if request.method not in ALLOWED:
        return 405
    return 200 if request.path in ("/", "/favicon.ico") else 404


def found(request: Request, greeting: str, ends: Mapping[str, Any], number: int) -> Content:
    """Media type, content and further header lines of a 200; `number` counts the requests of the connection."""
    if request.path == "/favicon.ico":
        return "image/vnd.microsoft.icon", ICON, ["Cache-Control: max-age=86400"]
    lines = ["Vary: Accept", "Cache-Control: no-store"]
    if page.wants_html(request.headers.get(b"accept", b"")):
        content = page.html(greeting, ends, number, request).encode("utf-8", "replace")
        return "text/html; charset=utf-8", content, [*lines, f"Content-Security-Policy: {page.POLICY}"]
    return TEXT, f"{greeting}\n".encode("utf-8", "replace"), lines


def other(status: int) -> Content:
    """The same of any other status."""
    lines = [f"Allow: {', '.join(ALLOWED)}"] if status == 405 else []  # RFC 9110, section 15.5.6
    return TEXT, f"{status} {REASONS[status]}\n".encode(), lines


def message(status: int, kind: str, content: bytes, lines: list[str], *, head_only: bool, keep: bool) -> bytes:
    """A response (RFC 9112, section 4). That to HEAD is the one to GET without content (RFC 9110, section 9.3.2)."""
    head = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        f"Date: {date()}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        *lines,
    ]
    if not keep:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode("ascii") + (b"" if head_only else content)


def date() -> str:
    """The time as an HTTP-date (RFC 9110, section 5.6.7)."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)))
    return _date[1]
