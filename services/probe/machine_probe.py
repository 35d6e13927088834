"""What passes between machines: `machine_probe.py PORTS`, with the network of the machine, or one that is to be tried.

PORTS are those to be looked at, `tcp/2377,udp/4789`. Each is listened on where it is free. Orders are lines of JSON on
standard input, each answered by a line on standard output; `labctl hosts check` gives them. It ends with its input, and
after two minutes in any case.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys

from labmachine.listening import Listeners
from labmachine.trying import Trial
from labmachine.watching import Watch
from labreach.output import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LIFE = 120  # seconds


def main() -> None:
    signal.alarm(LIFE)
    ports = [(proto, int(port)) for proto, port in (text.split("/") for text in sys.argv[1].split(","))]
    selector = selectors.DefaultSelector()
    listeners = Listeners(selector, ports)
    for line in lines(selector):
        order = json.loads(line)
        if order["do"] == "tell":
            say("told", held=[f"{proto}/{port}" for proto, port in listeners.held], address=own_address())
        elif order["do"] == "try":
            watch = Watch(selector, order["watched"], order["watch"])
            watch.begin()
            found = Trial(selector, order["peers"], ports, order["silent"], watch).run(order["seconds"])
            say("tried", found=found, watched=watch.found)
            watch.close()


def lines(selector: selectors.BaseSelector) -> Iterator[bytes]:
    """What is typed; meanwhile, whoever comes to the listeners is served."""
    waiting = b""
    selector.register(0, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data:
                key.data()
                continue
            data = os.read(0, 1 << 16)
            if not data:
                return
            *whole, waiting = (waiting + data).split(b"\n")
            selector.unregister(0)  # the orders themselves serve whoever comes
            yield from whole
            selector.register(0, selectors.EVENT_READ, None)


def own_address() -> str:
    """The one that its own name stands for: in a network of Docker's the container's, elsewhere no matter."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return ""


if __name__ == "__main__":
    main()
