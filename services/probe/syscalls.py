"""Asks the process probe, in whose container it runs; labctl starts it, and it ends with labctl.

    python3 /opt/probe/syscalls.py '{"do": "read", "kinds": ["calls"], "since": 0, "follow": true}'

What comes back is printed as it comes.
"""

import sys

from labprocess import asking

if __name__ == "__main__":
    asking.ask(sys.argv[1])
