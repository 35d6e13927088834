"""One request, as h11 parsed it: what it asks for, and what h11 lets through and RFC 9112 does not."""

from __future__ import annotations

import re
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    import h11

HEAD_LIMIT = 16 * 1024  # bytes of a request's line and headers; else 431 (RFC 6585, section 5)
BODY_LIMIT = 1024 * 1024  # bytes of a request's body, which is thrown away; else 413 (RFC 9110, section 15.5.14)
# RFC 3986, section 3.2.2: an address of IPv6 or of some later version in brackets, else a name or an address of IPv4
HOST = re.compile(rb"(?:\[(?P<literal>[^]]+)\]|(?P<name>(?:[-\w.~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*))(?P<port>:\d*)?")
FUTURE = re.compile(rb"[vV][0-9A-Fa-f]+\.[-\w.~!$&'()*+,;=:]+")
ABSOLUTE = re.compile(r"(?P<scheme>[A-Za-z][-A-Za-z0-9+.]*)://(?P<authority>[^/?#]*)")


class Request:
    """`method`, `target`, `path` are text, `version` is such as `1.1`; `headers` are bytes by names in lower case."""

    def __init__(self, parsed: h11.Request) -> None:
        self.method, self.target = parsed.method.decode("ascii"), parsed.target.decode("ascii")
        self.version = parsed.http_version.decode("ascii")
        self.path = _path(self.target)
        self.headers: dict[bytes, bytes] = {}
        self._as_sent = parsed.headers
        self._size = len(self.method) + len(self.target)
        for name, value in parsed.headers:
            # Several lines of one name are one list (RFC 9110, section 5.3).
            self.headers[name] = self.headers[name] + b"," + value if name in self.headers else value
            self._size += len(name) + len(value) + 4

    def lines(self) -> list[tuple[bytes, bytes]]:
        """Names and values of the headers as they were sent."""
        as_sent: list[tuple[bytes, bytes]] = self._as_sent.raw_items()
        return as_sent

    def keeps(self) -> bool:
        """True where the connection stays open after the response (RFC 9112, section 9.3)."""
        options = self.headers.get(b"connection", b"").lower().split(b",")
        return self.version >= "1.1" and b"close" not in [option.strip() for option in options]

    def problem(self) -> tuple[int, str] | None:
        """Status and reason where it must be refused."""
        if self._size > HEAD_LIMIT:
            return 431, f"a head is over {HEAD_LIMIT} bytes"  # it came in one piece: h11 limits the incomplete ones
        if not self.version.startswith("1."):
            return 505, f"HTTP/{self.version} is not spoken here"
        if _host(self.headers.get(b"host", b"")) is None:
            return 400, "the Host header is no host"  # section 3.2
        if not _has_a_form(self.method, self.target):
            return 400, "the target has none of the four forms, or not the one of its method"
        if b"transfer-encoding" in self.headers and b"content-length" in self.headers:
            return 400, "Transfer-Encoding and Content-Length contradict each other"  # section 6.3
        if int(self.headers.get(b"content-length", 0)) > BODY_LIMIT:
            return 413, f"a body is over {BODY_LIMIT} bytes"
        return None


def _path(target: str) -> str:
    """The path of a target in origin-form or, as it would go to a proxy, absolute-form (RFC 9112, section 3.2)."""
    path = target.partition("?")[0]
    if path[:7].lower() == "http://":
        path = "/" + path[7:].partition("/")[2]
    return path


def _host(text: bytes) -> re.Match[bytes] | None:
    """The parts of `host:port`, None where it is no such thing."""
    found = HOST.fullmatch(text)
    literal = found["literal"] if found else None
    if literal and not FUTURE.fullmatch(literal):
        try:
            socket.inet_pton(socket.AF_INET6, literal.decode("ascii", "replace"))
        except OSError:
            return None
    return found


def _has_a_form(method: str, target: str) -> bool:
    """RFC 9112, section 3.2: a path, a URL (`http` needs a host: RFC 9110, section 4.2.1; and names no user: 4.2.4),
    `host:port` for CONNECT alone, or `*` for OPTIONS alone."""
    if method == "CONNECT":
        found = _host(target.encode())
        return bool(found and (found["name"] or found["literal"]) and len(found["port"] or "") > 1)
    if target == "*":
        return method == "OPTIONS"
    if target[:1] == "/":
        return True
    absolute = ABSOLUTE.match(target)
    if not absolute:
        return False
    found = _host(absolute["authority"].encode())
    return bool(found and (found["name"] or found["literal"])) or absolute["scheme"].lower() not in ("http", "https")
