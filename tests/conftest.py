"""What all tests share: the nodes' own packages (labnode, chat) can be imported, as in their images."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "services" / "base"))
