"""What the page does to a lab: a table of verbs, each a function of labctl.api and nothing besides."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.api.lab import Lab

Given = Mapping[str, Any]
Done = dict[str, Any]
LONGEST_FILE = 1 << 20  # characters of a program that is run
LIMIT = 60.0  # seconds for such a program
CONDITIONS = ("delay", "jitter", "loss", "duplicate", "reorder", "corrupt", "rate")
PICKS = ("drop", "delay", "duplicate", "corrupt", "reset")
LIVES = ("start", "stop", "restart", "pause", "unpause", "kill")


def text(given: Given, key: str, *, longest: int = 65_536) -> str:
    """A text of a request. Raises InvalidArgument (`bad-option`) where it is none."""
    found = given.get(key)
    if not isinstance(found, str) or len(found) > longest:
        raise LabError("bad-option", option=key, why=f"it is to be a text of at most {longest} characters")
    return found


def _type(lab: Lab, given: Given) -> Done:
    sent = lab.node(text(given, "node")).type(text(given, "text"))
    return {"node": sent.node, "confirmed": sent.confirmed}


def _life(verb: str) -> Callable[[Lab, Given], Done]:
    def act(lab: Lab, given: Given) -> Done:
        also = getattr(lab.node(text(given, "node")), verb)()
        return {"also": list(also)}

    return act


def _fault(lab: Lab, given: Given) -> Done:
    """Conditions on a link: texts as `labctl fault add` takes them."""
    wanted = {name: text(given, name) for name in CONDITIONS if given.get(name)}
    return _rule(lab.link(text(given, "link")).fault(**wanted))  # type: ignore[arg-type]


def _pick(lab: Lab, given: Given) -> Done:
    """Single packets of a link: `what` becomes of those that `match` picks."""
    what = text(given, "what")
    if what not in PICKS:
        raise LabError("bad-option", option="what", why=f"one of {', '.join(PICKS)}")
    return _rule(getattr(lab.link(text(given, "link")), what)(text(given, "match")))


def _rule(rule: Any) -> Done:
    return {"id": rule.id, "what": rule.what, "links": list(rule.links), "seed": rule.seed}


def _clear(lab: Lab, given: Given) -> Done:
    which = text(given, "which") if given.get("which") else None
    return {"cleared": [fault.id for fault in lab.clear_faults(which)]}


def _partition(lab: Lab, given: Given) -> Done:
    return _rule(lab.partition(text(given, "left"), text(given, "right")))


def _heal(lab: Lab, given: Given) -> Done:
    return {"cleared": [fault.id for fault in lab.heal()]}


def _run(lab: Lab, given: Given) -> Done:
    """A file of Python of one's own in a node: what it printed, once it has ended."""
    name = Path(text(given, "name", longest=100)).name
    if not name or name.startswith("."):
        raise LabError("bad-option", option="name", why="it is to be the name of a file")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text(given, "program", longest=LONGEST_FILE))
        file.chmod(0o644)
        node = lab.node(text(given, "node"))
        node.copy_in(file, f"/dev/shm/{name}")
    done = node.exec("python3", "-u", f"/dev/shm/{name}", timeout=LIMIT)
    errors = done.errors.decode(errors="replace")
    return {"status": done.status, "output": done.text, "errors": errors}


def _sockets(lab: Lab, given: Given) -> Done:
    return {"sockets": [socket.as_json() for socket in lab.node(text(given, "node")).sockets()]}


ACTS: dict[str, Callable[[Lab, Given], Done]] = {
    "type": _type,
    **{verb: _life(verb) for verb in LIVES},
    "fault": _fault,
    "pick": _pick,
    "clear": _clear,
    "partition": _partition,
    "heal": _heal,
    "run": _run,
    "sockets": _sockets,
}


def act(lab: Lab, verb: str, given: Given) -> Done:
    """Does it. Raises LabError; InvalidArgument (`bad-option`) for what isn't in the table."""
    found = ACTS.get(verb)
    if found is None:
        raise LabError("bad-option", option="verb", why=f"one of {', '.join(ACTS)}")
    return found(lab, given)
