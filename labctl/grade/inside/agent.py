"""Does one check: `agent.py SUBJECT CHECK HOST PORT SEED`, and prints what came of it as one line of JSON.

For somebody's own protocol SUBJECT is `steps`, and the steps come as JSON on standard input.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback

from peer import PATIENCE, Place, Wrong


def main(subject: str, check: str, host: str, port: str, seed: str) -> dict[str, object]:
    place = Place(host, int(port), seed)
    module = importlib.import_module(subject)
    try:
        if subject == "steps":
            module.play(place, json.load(sys.stdin))
        else:
            getattr(module, check.replace("-", "_"))(place)
    except Wrong as wrong:
        return {"passed": False, "expected": wrong.expected, "actual": wrong.actual, "help": wrong.help}
    except TimeoutError:
        return {"passed": False, "expected": "an answer", "actual": f"none within {PATIENCE:g} s", "help": ""}
    except OSError as problem:
        said = problem.strerror or str(problem)
        return {"passed": False, "expected": "a connection that lives", "actual": said, "help": ""}
    except Exception:  # noqa: BLE001 - a mistake of ours is no mark of theirs
        return {"error": traceback.format_exc()[-2000:]}
    return {"passed": True}


def hold(*arguments: str) -> None:
    """`hold` goes on by itself once its connection is there: the program is to end while it has one."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        print(os.read(reader, 1 << 16).decode().strip() or json.dumps({"error": "nothing could be held"}), flush=True)
        return
    os.dup2(writer, 1)  # what it prints first is that it holds one, or why not
    os.close(2)
    found = main(*arguments)
    if not found.get("passed"):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    if sys.argv[2] == "hold":
        hold(*sys.argv[1:6])
    else:
        print(json.dumps(main(*sys.argv[1:6])), flush=True)
