"""One small look from a node's place in the network: `reach_probe.py '{"do": "ping", ...}'`. Prints what it sees.

Runs in a probe, in the node's network namespace, and ends by itself: `labctl ping`, `labctl route`, `labctl dns`.
"""

import json
import sys

from labreach import names, path, ping
from labreach.output import Refused, say

LOOKS = {"ping": ping.run, "route": path.run, "dns": names.run}


def main() -> None:
    order = json.loads(sys.argv[1])
    try:
        LOOKS[order["do"]](order)
    except Refused as problem:
        say("refused", error=problem.error, reason=problem.reason)


if __name__ == "__main__":
    main()
