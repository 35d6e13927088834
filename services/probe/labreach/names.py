"""Questions to a name server (RFC 1035) as the node's own resolver would ask them (resolv.conf(5)).

The answers go out as they came; labctl takes them apart.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import socket
import struct
import time

from labreach.output import Refused, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

RESOLV, HOSTS = "/etc/resolv.conf", "/etc/hosts"
NO_SUCH_NAME = 3  # RFC 1035, section 4.1.1
TRIES = 2
PORT = 53
_LARGEST = 65535


def run(order: Fields) -> None:
    """`name`, `types` (numbers), `server` (an address) or None, `timeout` of each question (seconds)."""
    name = order["name"]
    with open(RESOLV) as file:
        conf = resolv_conf(file.read())
    with open(HOSTS) as file:
        listed = hosts(file.read(), order["host"])
    servers = [order["server"]] if order["server"] else conf["servers"]
    say("resolver", servers=servers, search=conf["search"], ndots=conf["ndots"], hosts=listed)
    for kind in order["types"]:
        _ask(candidates(name, conf), kind, servers, order["timeout"])


def resolv_conf(text: str) -> Fields:
    """Name servers (the one on this host where none is named), search list and `ndots`: resolv.conf(5)."""
    servers, search, ndots = [], [], 1
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or line[:1] in "#;":
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = [word for word in words[1:] if word != "."]
        elif words[0] == "options":
            for word in words[1:]:
                if word.startswith("ndots:") and word[6:].isdigit():
                    ndots = min(15, int(word[6:]))
    return {"servers": servers[:3] or ["127.0.0.1"], "search": search[:6], "ndots": ndots}


def hosts(text: str, wanted: str) -> list[Fields]:
    """The lines of /etc/hosts (hosts(5)) that hold a name, or an address; both in any spelling."""
    found = []
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if wanted.lower().rstrip(".") in [name.lower().rstrip(".") for name in names] or _same(address, wanted):
            found.append({"address": address, "names": names})
    return found


def _same(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False


def candidates(name: str, conf: Fields) -> list[str]:
    """The names that are asked for one after the other until one is there: resolv.conf(5), `search` and `ndots`."""
    if name.endswith("."):
        return [name.rstrip(".")]
    longer = [f"{name}.{domain}".rstrip(".") for domain in conf["search"]]
    return [name, *longer] if name.count(".") >= conf["ndots"] else [*longer, name]


def question(ident: int, name: str, kind: int) -> bytes:
    """A query for one name (RFC 1035, section 4), recursion desired. Raises Refused where no name can be written so."""
    labels = []
    for label in name.split(".") if name else []:
        try:
            raw = label.encode("ascii" if label.isascii() else "idna")
        except UnicodeError:
            raw = b""
        if not 1 <= len(raw) <= 63:
            raise Refused("EAI_NONAME", "no name can be written so: each part has from 1 to 63 characters")
        labels.append(bytes([len(raw)]) + raw)
    whole = b"".join(labels) + b"\0"
    if len(whole) > 255:
        raise Refused("EAI_NONAME", "no name can be written so: it has over 253 characters")
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + whole + struct.pack("!2H", kind, 1)


def _ask(names: list[str], kind: int, servers: list[str], timeout: float) -> None:
    for number, name in enumerate(names):
        server, data, fields = _exchange(name, kind, servers, timeout)
        if data is None:
            say("silent", name=name, type=kind, reasons=fields)
            return
        if data[3] & 0x0F == NO_SUCH_NAME and number + 1 < len(names):
            continue
        say("answer", name=name, type=kind, server=server, data=base64.b64encode(data).decode(), **fields)
        return


def _exchange(name: str, kind: int, servers: list[str], timeout: float) -> tuple[str | None, bytes | None, Fields]:
    """Each server in turn, each by UDP, again, and by TCP where the answer was cut (RFC 7766)."""
    deadline = time.monotonic() + timeout
    reasons: Fields = {}
    share = timeout / (TRIES * len(servers))
    for _ in range(TRIES):
        for server in servers:
            query = question(int.from_bytes(os.urandom(2)), name, kind)
            begun = time.monotonic_ns()
            try:
                data = _by_udp(server, query, min(share, max(0.01, deadline - time.monotonic())))
                transport = "udp"
                if data[2] & 0x02:
                    data, transport = _by_tcp(server, query, max(0.01, deadline - time.monotonic())), "tcp"
            except OSError as problem:
                reasons[server] = "no answer" if isinstance(problem, TimeoutError) else problem.strerror or str(problem)
                continue
            return server, data, {"rtt_ns": time.monotonic_ns() - begun, "transport": transport}
    return None, None, reasons


def _connected(server: str, kind: int, timeout: float) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(server, PORT, type=kind, flags=socket.AI_NUMERICHOST)[0]
    sock = socket.socket(family, kind)
    try:
        sock.settimeout(timeout)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def _by_udp(server: str, query: bytes, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    with _connected(server, socket.SOCK_DGRAM, timeout) as sock:
        sock.send(query)
        while True:
            data = sock.recv(_LARGEST)
            if is_answer(data, query):
                return data
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)


def _by_tcp(server: str, query: bytes, timeout: float) -> bytes:
    with _connected(server, socket.SOCK_STREAM, timeout) as sock:
        sock.sendall(struct.pack("!H", len(query)) + query)
        with sock.makefile("rb") as stream:
            size = stream.read(2)
            data = stream.read(int.from_bytes(size)) if len(size) == 2 else b""
        if not is_answer(data, query):
            raise OSError("what came by TCP is no answer to the question")
        return data


def is_answer(data: bytes, query: bytes) -> bool:
    """A response with the query's id (RFC 5452, section 9.1; a connected socket hears nobody else)."""
    return len(data) >= 12 and data[:2] == query[:2] and bool(data[2] & 0x80)
