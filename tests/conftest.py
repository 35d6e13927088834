"""What all tests share: the nodes' own packages (labnode, chat, labfault) can be imported, as in their images; and of
tests that have turns, those whose turn it isn't are left out."""

import os
import signal
import sys
from pathlib import Path

import pytest
from sampling import out_of_turn, seed

for folder in ("base", "probe"):
    sys.path.insert(0, str(Path(__file__).parents[1] / "services" / folder))

# The machines that this user has told labctl of are none of the tests' business.
os.environ["XDG_CONFIG_HOME"] = str(Path(__file__).parent / "out" / "config")

# A shell that starts us in the background has SIGINT ignored, nohup(1) SIGHUP, and what is ignored stays so in every
# child: neither could be tried. A signal that has a handler is a default one in a child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marked = [
        (item.nodeid, item.nodeid.split("::")[0], marker.args[0])
        for item in items
        if (marker := item.get_closest_marker("turn"))
    ]
    waiting = out_of_turn(marked, seed())
    left_out = [item for item in items if item.nodeid in waiting]
    if left_out:
        items[:] = [item for item in items if item.nodeid not in waiting]
        config.hook.pytest_deselected(items=left_out)
