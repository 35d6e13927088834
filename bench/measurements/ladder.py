"""How long `labctl ladder` takes with 10,000 packets between two nodes: the whole command, as it is typed; and what it
costs to match a pattern of all of them, read from its text."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import labctl as library
from bench.commands import Failed, labctl, run
from bench.model import Result, Setting, Target
from bench.project import ROOT, default_lab, project
from labctl.packets.pattern import match, parse, seen_of, write

PACKETS, RATE = 10_000, 5000  # datagrams, a second
LONGEST = Target(2.0, absolute=True)
DEAREST = Target(1.0, absolute=True)


def measure(setting: Setting) -> Iterator[Result]:
    with project("ladder", default_lab(), links={"services": ROOT / "services"}) as lab:
        run([labctl(), "up", str(lab.file), "--lab", lab.name], 300)
        try:
            yield _measured(setting, lab.name)
            yield _matched(setting, lab.name)
        finally:
            run([labctl(), "down", lab.name], 120)


def _measured(setting: Setting, lab: str) -> Result:
    ladder = [labctl(), "ladder", "udp1", "udp2", "--lab", lab, "--last", "10m"]
    with contextlib.suppress(Failed):  # the first one starts the recorders, and says that there was none
        run(ladder, 300)
    train = ["udp", "send", "udp1", "udp2", "--count", str(PACKETS), "--rate", str(RATE), "--timeout", "30"]
    run([labctl(), *train, "--lab", lab], 120)
    found = json.loads(run([*ladder, "--port", "5005", "--limit", "0", "--format", "json"], 120).out)
    if len(found["arrows"]) != PACKETS:
        raise Failed(f"the ladder has {len(found['arrows'])} arrows, not {PACKETS}")
    [drawn] = setting.alternate("ladder of 10,000 packets, s", lambda: run(ladder, 120).seconds)
    whole = run([*ladder, "--limit", "0", "--format", "json"], 120).seconds
    note = f"{whole:.2f} s for all arrows as JSON; as text, the 500 that are drawn unless told otherwise"
    return Result("ladder", f"labctl ladder, {PACKETS:,} packets", "s", drawn, (), "", LONGEST, (note,))


def _matched(setting: Setting, lab: str) -> Result:
    """Of the packets that `_measured` has sent."""
    ladders = library.find(lab).wire("udp1", "udp2").ladders
    packets = [one for one in seen_of(ladder.drawn for ladder in ladders) if one.protocol == "udp"]
    text = write(packets)

    def ours() -> float:
        begun = time.process_time()
        if not match(parse(text), packets).fits:
            raise Failed("the pattern of what the wire has shown does not fit it")
        return time.process_time() - begun

    [took] = setting.alternate("pattern of 10,000 packets, s of a core", ours)
    note = f"{len(packets):,} lines, of {len(text) / 1e6:.1f} MB"
    return Result(
        "pattern", f"a pattern read, and matched on {len(packets):,} packets", "s", took, (), "", DEAREST, (note,)
    )
