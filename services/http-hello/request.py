"""One request, as h11 parsed it: what it asks for, and what h11 lets through and RFC 9112 does not."""

import re

HEAD_LIMIT = 16 * 1024  # bytes of a request's line and headers; else 431 (RFC 6585, section 5)
BODY_LIMIT = 1024 * 1024  # bytes of a request's body, which is thrown away; else 413 (RFC 9110, section 15.5.14)
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[-\w.~%!$&'()*+,;=]*)(:\d*)?")  # RFC 3986, section 3.2.2


class Request:
    """`method`, `target`, `path` are text, `version` is such as `1.1`; `headers` are bytes by names in lower case."""

    def __init__(self, parsed):
        self.method, self.target = parsed.method.decode("ascii"), parsed.target.decode("ascii")
        self.version = parsed.http_version.decode("ascii")
        self.path = _path(self.target)
        self.headers: dict = {}
        self._as_sent = parsed.headers
        self._size = len(self.method) + len(self.target)
        for name, value in parsed.headers:
            # Several lines of one name are one list (RFC 9110, section 5.3).
            self.headers[name] = self.headers[name] + b"," + value if name in self.headers else value
            self._size += len(name) + len(value) + 4

    def lines(self) -> list:
        """Names and values of the headers as they were sent."""
        return self._as_sent.raw_items()

    def keeps(self) -> bool:
        """True where the connection stays open after the response (RFC 9112, section 9.3)."""
        options = self.headers.get(b"connection", b"").lower().split(b",")
        return self.version >= "1.1" and b"close" not in [option.strip() for option in options]

    def problem(self) -> tuple | None:
        """Status and reason where it must be refused."""
        if self._size > HEAD_LIMIT:
            return 431, f"a head is over {HEAD_LIMIT} bytes"  # it came in one piece: h11 limits the incomplete ones
        if not self.version.startswith("1."):
            return 505, f"HTTP/{self.version} is not spoken here"
        if not HOST.fullmatch(self.headers.get(b"host", b"")):
            return 400, "the Host header is no host"  # section 3.2
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
