"""Asks for a TCP connection until somebody takes it."""

from __future__ import annotations

import os
import socket
import time

from labreach.output import Refused, say
from labreach.targets import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

AGAIN = 0.1  # seconds from one try to the next
ONE_TRY = 2.0  # seconds


def run(order: Fields) -> None:
    """`address`, or `name` with `family`; `port`, `timeout` for all of it (seconds)."""
    deadline, tries, why = time.monotonic() + order["timeout"], 0, "no time was left"
    while (left := deadline - time.monotonic()) > 0:
        tries += 1
        begun = time.monotonic_ns()
        try:
            # A name may be there only once its node is.
            address = order["address"] or resolve(order["name"], order["family"])
            with socket.create_connection((address, order["port"]), timeout=min(left, ONE_TRY)) as sock:
                rtt = time.monotonic_ns() - begun
                local, peer = sock.getsockname()[:2], sock.getpeername()[:2]
            say("answered", local=local, peer=peer, rtt_ns=rtt, tries=tries)
            return
        except Refused as problem:
            why = problem.reason
        except TimeoutError:
            why = "nothing came back"
        except OSError as problem:
            why = os.strerror(problem.errno) if problem.errno else str(problem)
        time.sleep(max(0.0, min(AGAIN, deadline - time.monotonic())))
    say("silent", tries=tries, reason=why)
