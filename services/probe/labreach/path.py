"""The way to an address: what the routing table says, then each hop by what it answers when the TTL ends there."""

from __future__ import annotations

import json
import os
import subprocess
import time

from labreach.echo import Echo, Heard, words
from labreach.output import Refused, say
from labreach.targets import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

IPV6 = "/proc/net/if_inet6"  # not there in a kernel without
SIZE = 32  # bytes of each request


def run(order: Fields) -> None:
    """`address`, or `name` with `family`, or neither (the whole table); `hops` at most, `timeout` of each (seconds)."""
    if not order["address"] and not order["name"]:
        say("table", family=4, routes=_ip("-4", "route", "show"))
        if os.path.exists(IPV6):
            say("table", family=6, routes=_ip("-6", "route", "show"))
        return
    address = order["address"] or resolve(order["name"], order["family"])
    say("target", address=address)
    host, _, zone = address.partition("%")
    say("route", **_ip("route", "get", host, *(["dev", zone] if zone else []))[0])
    with Echo(address, SIZE) as echo:
        for ttl in range(1, order["hops"] + 1):
            if _hop(echo, ttl, order["timeout"]):
                return


def _hop(echo: Echo, ttl: int, timeout: float) -> bool:
    """Asks once; whether the path ends here."""
    echo.set_ttl(ttl)
    try:
        sent = echo.send(ttl)
    except OSError as problem:
        error, reason = words(problem.errno)
        raise Refused(error, reason) from None
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        for heard in echo.hear(left):
            if heard.seq == ttl:  # else a late word about an earlier hop
                return _tell(heard, ttl, sent, echo.six)
    say("hop", hop=ttl)
    return False


def _tell(heard: Heard, ttl: int, sent: int, six: bool) -> bool:
    if heard.kind is not None and heard.kind < 0:
        error, reason = words(heard.code)
        raise Refused(error, reason)
    fields = {"hop": ttl, "from": heard.source, "rtt_ns": max(0, heard.received - sent)}
    if heard.kind is None:
        say("hop", **fields, reached=True)
        return True
    say("hop", **fields, type=heard.kind, code=heard.code)
    return heard.kind != (3 if six else 11)  # time exceeded: RFC 792, RFC 4443


def _ip(*command: str) -> list[Fields]:
    """What ip-route(8) prints. Raises Refused where it has nothing but an error."""
    done = subprocess.run(["ip", "-json", *command], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1].removeprefix("RTNETLINK answers: ")
        raise Refused("ENETUNREACH" if "unreachable" in last else "EINVAL", last)
    found: list[Fields] = json.loads(done.stdout or "[]")
    return found
