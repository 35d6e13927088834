"""Seeded mixes of faults on chat, echo and UDP: whether the ladder names exactly the packets that the journal names."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.commands import Failed, labctl, run
from bench.model import Result, Setting, Target
from bench.project import ROOT, default_lab, project
from labctl.engine.docker import DockerEngine
from labctl.engine.model import Container
from labctl.faults import match
from labctl.faults.conditions import parse
from labctl.lab import probes
from labctl.lab.faults.commit import Change, apply
from labctl.lab.keyboard.typed import Typed
from labctl.lab.links import ways
from labctl.lab.model import Lab, find
from labctl.lab.roles import chat, echo

COUNT = 200
PAIRS = (("alice", "bob"), ("client", "echo"), ("udp1", "udp2"))
EXACT = Target(0, absolute=True)
# What a rule is about: link conditions and picked packets, as they are typed.
CONDITIONS = {"drop": (2, 20), "duplicate": (2, 25), "reorder": (2, 25)}  # per cent, from and to
PICKED = ("any data 1", "any data 2", "any data 3", "any every 2", "any every 3", "any size 60-", "tcp ack", "any data")
TRAIN, RATE, LINES = 30, 1500.0, 4  # datagrams, a second; lines typed at a node of TCP
LIMIT = 30.0  # seconds for one line to be answered
SLACK = 60.0  # seconds: `--last` counts from when the recorders are asked, and a busy machine takes its time for that

Rule = dict[str, Any]
Fact = tuple[object, ...]


@dataclass
class Taken:
    """What was done: from when on, and of which seed each rule was."""

    began: float
    seeds: dict[str, int] = field(default_factory=dict)


@dataclass
class Compared:
    """`differences`: a sentence each, with the seed of the mix. `late`: how many packets were late, or overtaken,
    though no rule did that: on a busy machine a rule's probe takes its time, and two processors may carry a flow."""

    packets: int = 0
    verdicts: int = 0
    late: int = 0
    differences: list[str] = field(default_factory=list)


def measure(setting: Setting) -> Iterator[Result]:
    with project("mixes", default_lab(), links={"services": ROOT / "services"}) as lab:
        run([labctl(), "up", str(lab.file), "--lab", lab.name], 300)
        try:
            found = compared(lab.name, range(COUNT), setting.tell)
        finally:
            run([labctl(), "down", lab.name], 120)
    for text in found.differences[:20]:
        setting.tell(text)
    what = "packets that ladder and journal of faults name differently"
    note = f"{COUNT} mixes, {found.packets:,} packets, {found.verdicts:,} things done to them; {found.late} late anyway"
    yield Result("mixes", what, "packets", (float(len(found.differences)),), (), "", EXACT, (note,))


def compared(name: str, seeds: range, tell: Any = lambda text: None) -> Compared:
    """Runs the mixes in a default lab that is up, and compares the ladder of each pair with the journal."""
    engine = DockerEngine()
    lab = find(engine, name)
    for one, other in PAIRS:  # starts the recorders and the probes of faults; the first call of each ladder says no
        for command in (["ladder", one, other], ["fault", "drop", f"{one}-{other}", "tcp port 1"]):
            try:
                run([labctl(), *command, "--lab", name], 300)
            except Failed:
                if command[0] != "ladder":
                    raise
    run([labctl(), "fault", "clear", "--all", "--lab", name], 60)
    taken = _taken(engine, lab, seeds, tell)
    done = json.loads(run([labctl(), "fault", "ls", "--json", "--lab", name], 60).out)["faults"]
    if done:
        raise Failed(f"rules are left: {done}")
    logs = run([labctl(), "logs", *(node for pair in PAIRS for node in pair), "--json", "--lab", name], 120).out
    events = [
        event for line in logs.split("\n") if '"event":"fault"' in line.replace(" ", "") for event in [json.loads(line)]
    ]
    out = Compared()
    for one, other in PAIRS:
        span = f"{time.time() - taken.began + SLACK:.0f}s"
        command = [labctl(), "ladder", one, other, "--last", span, "--format", "json", "--limit", "0", "--lab", name]
        ladder = json.loads(run(command, 120).out)
        mine = [event for event in events if event["node"] in (one, other)]
        ladder["arrows"] = [arrow for arrow in ladder["arrows"] if _at(arrow) >= taken.began * 1e9]
        _compare(ladder, [event for event in mine if event["rule"] in taken.seeds], taken.seeds, out)
    return out


# -- what is done


def _taken(engine: DockerEngine, lab: Lab, seeds: range, tell: Any) -> Taken:
    """Three mixes at once, one on each pair; then the next three."""
    running = probes.all_of(engine, lab.name)
    taken = Taken(time.time())
    before: dict[str, Change] = {}
    first = int(taken.began * 100)  # no rule of this lab had that number yet
    with ThreadPoolExecutor(len(PAIRS)) as pool:
        for start in range(seeds.start, seeds.stop, len(PAIRS)):
            chosen = [seed for seed in range(start, start + len(PAIRS)) if seed in seeds]
            changes: dict[str, Change] = {node: {"set": [], "clear": []} for pair in PAIRS for node in pair}
            for node, change in before.items():
                changes[node]["clear"] = [[rule["id"], rule["link"]] for rule in change["set"]]
            for seed in chosen:
                _add_rules(lab, seed, first, changes, taken)
                first += 10
            apply(engine, running, changes, 20)
            before = changes
            for done in [pool.submit(_speak, engine, lab, seed) for seed in chosen]:
                done.result()
            tell(f"mixes {chosen[0]} to {chosen[-1]}")
    _clear(engine, running, before)
    for pair in range(len(PAIRS)):  # what was lost is there, what was held has left
        _speak(engine, lab, pair)
    time.sleep(1)
    return taken


def _clear(engine: DockerEngine, running: Mapping[str, Container], before: Mapping[str, Change]) -> None:
    gone = {node: {"clear": [[rule["id"], rule["link"]] for rule in change["set"]]} for node, change in before.items()}
    apply(engine, running, gone, 20)


def _add_rules(lab: Lab, seed: int, first: int, changes: dict[str, Change], taken: Taken) -> None:
    chance = Random(seed)
    one, other = PAIRS[seed % len(PAIRS)]
    for number in range(chance.randint(1, 3)):
        ident = f"f{first + number}"
        taken.seeds[ident] = seed
        fields, what = _condition(chance) if chance.random() < 0.6 else _picked(chance)
        link = chance.choice((f"{one}:{other}", f"{other}:{one}", f"{one}-{other}"))
        for way in ways(lab, link):
            head = {"id": ident, "link": way.link, "peers": list(way.peers or ()), "kind": "condition", "what": what}
            changes[way.sender.name]["set"].append({**head, "seed": seed, **fields})


def _condition(chance: Random) -> tuple[Rule, str]:
    kinds = chance.sample([*CONDITIONS, "delay"], chance.randint(1, 4))
    given = {kind: f"{chance.randint(*CONDITIONS[kind])}%" for kind in kinds if kind != "delay"}
    if "delay" in kinds:
        delay = chance.randint(5, 80)
        given |= {"delay": f"{delay}ms", "jitter": f"{chance.randint(0, delay)}ms"}
    found = parse(given)
    return dict(found.as_json()), str(found)


def _picked(chance: Random) -> tuple[Rule, str]:
    text, verb = chance.choice(PICKED), chance.choice(("drop", "delay", "duplicate"))
    # A match that isn't counted picks at most three: else nothing would ever arrive.
    fields: Rule = {"match": match.parse(text), "times": chance.randint(1, 3)}
    fields |= {"delay": chance.randint(5, 80) / 1000} if verb == "delay" else {verb: 1.0}
    return fields, f"{verb} {text!r}"


def _speak(engine: DockerEngine, lab: Lab, seed: int) -> None:
    """Traffic on the pair of a seed, both ways."""
    chance = Random(f"{seed} traffic")
    one, other = PAIRS[seed % len(PAIRS)]
    if one == "udp1":
        for sender, receiver in ((one, other), (other, one)):
            _train(engine, lab, sender, receiver, chance.randint(60, 460))
    elif one == "alice":
        for number in range(LINES):
            sender = chance.choice((one, other))
            chat.send(engine, lab, sender, f"{seed} {number} " + "x" * chance.choice((0, 10, 3000)), timeout=LIMIT)
    else:
        for number in range(LINES):
            echo.send(engine, lab, one, f"{seed} {number} " + "y" * chance.choice((0, 10, 3000)), timeout=LIMIT)
        if chance.random() < 0.25:
            echo.send(engine, lab, one, "exit")


def _train(engine: DockerEngine, lab: Lab, sender: str, receiver: str, size: int) -> None:
    node, to = lab.node(sender), f"{lab.node(receiver).addresses[0]}:5005"
    options = {"count": TRAIN, "size": size, "rate": RATE}
    with Typed(engine, lab, node, "mix", to=to, options=options, timeout=LIMIT) as typed:
        for event in typed.events():
            if event.name == "train" and event.id == typed.id:
                return
    raise Failed(f"{sender} did not send its train")


# -- what came of it


def _compare(ladder: dict[str, Any], events: list[dict[str, Any]], seeds: Mapping[str, int], out: Compared) -> None:
    told: Counter[Fact] = Counter()
    for event in events:
        local, peer = (tuple(event[key]) for key in ("local", "peer"))
        told[(event["rule"], event["action"], event["proto"], local, peer, event["ip_id"], event.get("seq"))] += 1
    drawn: Counter[Fact] = Counter()
    copies = Counter(id_of(arrow) for arrow in ladder["arrows"] if arrow["copy"])
    for arrow in ladder["arrows"]:
        if arrow["copy"]:
            continue
        out.packets += 1
        packet = arrow["packet"]
        ends = tuple(packet["source"]), tuple(packet["target"])
        for fault in arrow["faults"]:
            seq = packet.get("tcp", {}).get("seq")
            drawn[(fault["rule"], fault["action"], packet["protocol"], *ends, packet["ip_id"], seq)] += 1
        out.late += _is_late(arrow)
        for problem in _problems(arrow, copies[id_of(arrow)]):
            rules = sorted({fault["rule"] for fault in arrow["faults"]})
            mix = ", ".join(f"mix {seeds.get(rule, '?')}" for rule in rules) or "no mix"
            out.differences.append(
                f"{mix}: {problem}: {arrow['flow']} {arrow['head']} {arrow['parts']} {arrow['marks']}"
            )
    out.verdicts += told.total()
    for fact in told - drawn:
        out.differences.append(f"mix {seeds[str(fact[0])]}: in the journal alone: {fact}")
    for fact in drawn - told:
        out.differences.append(f"mix {seeds.get(str(fact[0]), '?')}: in the ladder alone: {fact}")
    out.differences += [f"note: {note}" for note in ladder["notes"] if not note.startswith("Delayed:")]


def _at(arrow: dict[str, Any]) -> int:
    return int(arrow["arrived_ns"] if arrow["sent_ns"] is None else arrow["sent_ns"])


def id_of(arrow: dict[str, Any]) -> Fact:
    return arrow["packet"]["node"], arrow["packet"]["index"], arrow["from"], arrow["to"]


def _is_late(arrow: dict[str, Any]) -> bool:
    """Without a rule that did it. What one holds is overtaken when it has gone, or by what another doesn't hold."""
    actions = {fault["action"] for fault in arrow["faults"]}
    return (arrow["delayed_ns"] is not None or arrow["reordered"]) and not actions & {"delay", "reorder"}


def _problems(arrow: dict[str, Any], copies: int) -> list[str]:
    """What the arrow says of its packet beyond, or short of, what was done to it."""
    said = {mark["word"]: mark["detail"] for mark in arrow["marks"]}
    is_open = said.get("not captured", "").startswith("the capture had ended")
    if is_open and said.keys() & {"keep-alive", "answer to keep-alive"}:
        return []  # a kernel's own, which was under way as all else had come
    actions = Counter(fault["action"] for fault in arrow["faults"])
    out = []
    if (arrow["fate"] == "lost") != bool(actions["drop"]) or arrow["fate"] not in ("lost", "delivered"):
        out.append(f"its fate is {arrow['fate']}")
    if arrow["fate"] == "delivered":
        if copies != actions["duplicate"]:
            out.append(f"{copies} copies, {actions['duplicate']} duplications")
        if actions["delay"] and arrow["delayed_ns"] is None:
            out.append("not delayed")
        if actions["reorder"] and not arrow["reordered"]:
            out.append("not reordered")
    elif copies:
        out.append("lost, with copies")
    if arrow["corrupted"]:
        out.append("corrupted")
    return out
