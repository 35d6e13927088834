"""Projects that labctl makes itself, beside what `docker compose create` makes of the same files."""

from __future__ import annotations

import re
import tempfile
import textwrap
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from compat import made
from compat.compose import Input, inputs
from compat.model import Section, each
from labctl.engine import connect
from labctl.engine.making.known import unknown
from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.topology import builtin
from labctl.topology.builtin import Options
from labctl.topology.normalised import load

IMAGE = "labctl/http-hello"
_numbers = count(1)
_lock = threading.Lock()


@dataclass(frozen=True)
class Verdict:
    """What came of one input: `alike`, `other` (with the fields), `compose` (labctl leaves it to Compose, by a field),
    `refused` by both, or `unreadable`."""

    about: Input
    group: str
    said: tuple[str, ...] = ()


def trial(folder: Path) -> Section:
    """The section about what is made. Raises LabError where there is no engine, or not the image for it."""
    engine = connect()
    if engine.image(IMAGE) is None:
        raise LabError("image-missing", image=IMAGE, node="each service", why="`labctl build` builds it")
    verdicts = list(each(partial(judged, engine), list(inputs(folder)), "making"))
    version = ".".join(map(str, engine.compose_version()))
    return Section("making", text(verdicts, version), sum(one.group == "other" for one in verdicts))


def judged(engine: Engine, one: Input) -> Verdict:
    try:
        source = builtin.find(str(one.folder) if one.folder else None, Options(tuple(map(str, one.files)), ("*",)))
        config = load(engine.read(source).text)
    except LabError:
        return Verdict(one, "unreadable")
    if not isinstance(config, Mapping) or not config.get("services"):
        return Verdict(one, "unreadable")
    with _lock:
        name = f"labctl-oracle-{next(_numbers)}"
    with tempfile.TemporaryDirectory() as folder:
        prepared = made.prepared(config, name, IMAGE, Path(folder))
        field = unknown(prepared)
        if field:
            return Verdict(one, "compose", (re.sub(r"^(\w+)\.[^.]+(\.|$)", r"\1\2", field),))
        asked = made.Trial(prepared, Path(folder))
        theirs, ours = made.by_compose(asked), made.by_labctl(asked)
    if theirs.refusal and ours.refusal:
        return Verdict(one, "refused", (theirs.refusal,))
    differences = made.differences(theirs, ours)
    return Verdict(one, "other" if differences else "alike", tuple(differences))


def text(verdicts: list[Verdict], version: str) -> str:
    """The section, as Markdown."""
    read = [one for one in verdicts if one.group != "unreadable"]
    groups = {"alike": "alike", "other": "not alike", "compose": "left to Compose", "refused": "refused by both"}
    by_project: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in read:
        by_project[one.about.project][one.group] += 1
    total = Counter(one.group for one in read)
    rows = [(name, by_project[name]) for name in sorted(by_project)] + [("all", total)]
    fields = Counter(one.said[0] for one in read if one.group == "compose")
    return "\n".join(
        [
            f"## What is made, beside Compose {version}",
            "",
            textwrap.fill(f"{len(read)} {_COMPARED}", 118),
            "",
            f"| project | inputs | {' | '.join(groups.values())} |",
            f"| --- | --- |{' --- |' * len(groups)}",
            *(
                f"| {name} | {sum(found.values())} | {' | '.join(str(found[group]) for group in groups)} |"
                for name, found in rows
            ),
            "",
            "Left to Compose, by the field for which labctl does so:",
            "",
            *(f"- `{name}`, {number}" for name, number in fields.most_common()),
            "",
            *(f"- {one.about.name}: {line}" for one in read if one.group == "other" for line in one.said),
        ]
    )


_COMPARED = (
    "inputs that Compose reads, each made by `docker compose create` and by labctl, and compared as the engine "
    "shows it: each field of each container, network and volume, labels and digests among them. All services run "
    "one image, mounted files stand in an empty folder, and nothing is started. Not compared: ids, times, what "
    "the engine chooses by itself (subnets, names of volumes without one), the order of lists that Compose has "
    "from mappings, and the digest of what shares another container's network, which has that one's id in it."
)
