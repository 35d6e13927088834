"""One small look from a node's place in the network: `reach_probe.py '{"do": "ping", ...}'`. Prints what it sees.

Runs in a probe, in the node's network namespace, and ends by itself: `labctl ping`, `route`, `dns`, `udp send`, `wait
--answers`, `speed`.
"""

import importlib
import json
import sys

from labreach.output import Refused, say

# Where each look stands; imported when it is asked for, as all of them together take a while.
LOOKS = {
    "ping": ("labreach.ping", "run"),
    "route": ("labreach.path", "run"),
    "dns": ("labreach.names", "run"),
    "datagram": ("labreach.datagram", "run"),
    "knock": ("labreach.knock", "run"),
    "speed-server": ("labreach.speed.server", "serve"),
    "speed-client": ("labreach.speed.client", "measure"),
}


def main() -> None:
    order = json.loads(sys.argv[1])
    try:
        module, attribute = LOOKS[order["do"]]
        getattr(importlib.import_module(module), attribute)(order)
    except Refused as problem:
        say("refused", error=problem.error, reason=problem.reason)


if __name__ == "__main__":
    main()
