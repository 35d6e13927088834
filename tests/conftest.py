"""What all tests share: the nodes' own packages (labnode, chat, labfault) can be imported, as in their images."""

import signal
import sys
from pathlib import Path

for folder in ("base", "probe"):
    sys.path.insert(0, str(Path(__file__).parents[1] / "services" / folder))

# A shell that starts us in the background has SIGINT ignored, and what is ignored stays so in every child: ^C could
# not be tried. A signal that has a handler is a default one in a child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
