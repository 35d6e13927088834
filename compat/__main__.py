"""python -m compat CORPUS [--only NAME]: see --help."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from compat import captures, compose, document, making
from compat.model import Section, tell
from labctl.errors import LabError

TRIALS: Mapping[str, Callable[[Path], Section]] = {
    "compose": compose.trial,
    "making": making.trial,
    "captures": captures.trial,
}


def main() -> int:
    options = _options()
    left = 0
    for name in options.only or TRIALS:
        began = time.monotonic()
        try:
            section = TRIALS[name](options.corpus)
        except LabError as problem:
            tell(f"compat: {problem}")
            return 1
        document.put(section, options.out)
        left += section.unexplained
        tell(f"{name}: {time.monotonic() - began:.0f} s, differences that no document names: {section.unexplained}")
    return 1 if left else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m compat",
        description="Compares labctl with docker compose and tshark, file by file, and writes what differs into "
        "docs/compatibility.md. Exit status 0: every difference is named there with its reason.",
    )
    parser.add_argument("corpus", metavar="CORPUS", type=Path, help="a folder of projects, each a folder of its own")
    parser.add_argument("--only", action="append", choices=list(TRIALS), help="this kind of files; again for more")
    parser.add_argument("--out", type=Path, default=document.FILE, metavar="FILE", help="the document to write into")
    options = parser.parse_args()
    if not options.corpus.is_dir():
        parser.error(f"{options.corpus} is no folder")
    return options


if __name__ == "__main__":
    sys.exit(main())
