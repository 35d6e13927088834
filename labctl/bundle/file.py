"""A run to a file's bytes, and back: what each part of the file is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labctl.bundle import checked, container, garbage, nodes, packets
from labctl.bundle.model import Input, Mark, Run
from labctl.errors import LabError
from labctl.events.codec import encode
from labctl.events.model import Event
from labctl.lab.faults.rules import Fault
from labctl.lab.processes.sockets import Socket
from labctl.lab.processes.syscalls import Recording
from labctl.packets.model import CaptureError
from labctl.render.graph import document

MOST_EVENTS = 1_000_000


def write(run: Run, path: Path) -> int:
    """Saves a run; how many bytes the file has. Raises LabError `run-too-large`, `file-unwritable`."""
    content = packed(run)
    container.write(path, content)
    return len(content)


def packed(run: Run) -> bytes:
    """A run as the content of a file. Raises LabError `run-too-large`."""
    if (count := sum(len(side.sent) + len(side.arrived) for side in run.sides)) > packets.MOST:
        raise LabError("run-too-large", part=f"{count} packets", size=count, limit=packets.MOST)
    about = {
        "lab": run.lab.name,
        "saved": run.saved,
        "since": run.since,
        "payload": run.payload,
        "versions": dict(run.versions),
        "notes": list(run.notes),
    }
    topology = {
        "nodes": [nodes.node_document(node) for node in run.lab.nodes],
        "picture": document.document(run.picture),
    }
    parts = {
        "topology.json": _document(topology),
        "journal.jsonl": _lines(map(encode, run.events)),
        "packets.pcapng": packets.packed(run.sides, payload=run.payload),
        "recorders.json": _document({"recorders": [packets.told_of(side) for side in run.sides]}),
        "faults.json": _document(
            {
                "faults": [{**fault.as_json(), "reason": fault.reason} for fault in run.faults],
                "verdicts": [encode(event) for event in run.events if event.name == "fault"],
            }
        ),
        "inputs.jsonl": _lines(map(_input_document, run.inputs)),
        "sockets.json": _document({"sockets": [one.as_json() for one in run.sockets]}),
    }
    if run.compose:
        parts["compose.yaml"] = run.compose.encode()
    if run.recordings:
        parts["syscalls.jsonl"] = _lines(_recorded(run.recordings))
    for name, content in parts.items():
        if name.endswith((".json", ".jsonl")) and (count := checked.values_in(content)) > checked.MOST_VALUES:
            raise LabError("run-too-large", part=f"{count} values in {name}", size=count, limit=checked.MOST_VALUES)
    return container.pack(parts, about)


def read(path: str | Path) -> Run:
    """A run from a file, which may be anybody's: nothing is started, and nothing is written.

    Raises LabError `file-unreadable`, `run-broken`, `run-version`.
    """
    manifest, parts = container.unpack(path)
    at = _At()
    try:
        with garbage.left_alone():
            return _run(manifest, parts, at)
    except (checked.Malformed, CaptureError, KeyError, TypeError, ValueError, RecursionError) as problem:
        why = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
        raise container.broken(path, f"its {at.part} is not that of a run: {why[:200]}") from None


class _At:
    """Which part is being read, for what is said where it can't be."""

    part = container.MANIFEST

    def __call__(self, part: str, parts: Mapping[str, bytes]) -> bytes:
        self.part = part
        return parts.get(part, b"")


def _run(manifest: Mapping[str, Any], parts: Mapping[str, bytes], at: _At) -> Run:
    name, head = checked.name(manifest.get("lab")), _head(manifest)
    topology = checked.document(at("topology.json", parts))
    lab, picture = nodes.lab_of(name, topology["nodes"]), nodes.picture_of(name, checked.record(topology["picture"]))
    told = _recorders(at("recorders.json", parts))
    known = {node.name for node in (*lab.nodes, *lab.hosts)}
    if strangers := {str(one["node"]) for one in told} - known:
        raise checked.Malformed(f"{min(strangers)} is none of its nodes")
    return Run(
        lab,
        picture,
        compose=at("compose.yaml", parts).decode(),
        events=_events(at("journal.jsonl", parts)),
        sides=packets.unpacked(at("packets.pcapng", parts), told),
        faults=_faults(at("faults.json", parts)),
        inputs=_inputs(at("inputs.jsonl", parts)),
        sockets=_sockets(at("sockets.json", parts)),
        recordings=_recordings(at("syscalls.jsonl", parts)),
        **head,
    )


def _head(manifest: Mapping[str, Any]) -> dict[str, Any]:
    since = manifest.get("since")
    versions = checked.record(manifest.get("versions", {}))
    return {
        "saved": checked.time(manifest.get("saved")),
        "since": None if since is None else checked.time(since),
        "payload": checked.yes(manifest.get("payload")),
        "versions": {checked.text(key, 99): checked.text(value, 999) for key, value in versions.items()},
        "notes": checked.texts(manifest.get("notes", [])),
    }


def _document(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def _lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    made = (json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values)
    return "".join(f"{line}\n" for line in made).encode("utf-8", "replace")


def _event(told: dict[str, Any]) -> Event:
    ts, node, name = checked.time(told.pop("ts")), checked.name(told.pop("node")), checked.text(told.pop("event"), 999)
    local, peer = checked.end(told.pop("local", None)), checked.end(told.pop("peer", None))
    if name in checked.FIELDS:  # labctl reckons with these; all else is only shown
        checked.fields(name, told)
    return Event(ts, node, name, local, peer, told)


def _events(content: bytes) -> tuple[Event, ...]:
    return tuple(map(_event, checked.lines(content, MOST_EVENTS)))


def _recorders(content: bytes) -> list[dict[str, Any]]:
    return [
        {
            "node": checked.name(one["node"]),
            "addresses": [checked.address(item) for item in checked.array(one["addresses"])],
            "kernel_drops": checked.number(one["kernel_drops"]),
            "since_ns": checked.some_number(one["since_ns"]),
            "until_ns": checked.some_number(one["until_ns"]),
            "clock": checked.text(one.get("clock", ""), 99),
            "clock_error_ns": checked.number(one.get("clock_error_ns", 0)),
        }
        for one in map(checked.record, checked.array(checked.document(content)["recorders"]))
    ]


def _faults(content: bytes) -> tuple[Fault, ...]:
    return tuple(
        Fault(
            id=checked.text(one["id"], 99),
            link=checked.text(one["link"], 999),
            node=checked.name(one["node"]),
            what=checked.text(one["what"]),
            kind=checked.text(one["kind"], 99),
            seed=checked.number(one["seed"]),
            matched=checked.some_number(one["matched"]),
            done=checked.counts(one["done"]),
            state=checked.text(one["state"], 99),
            reason=checked.text(one.get("reason", "")),
            answers=False,
        )
        for one in map(checked.record, checked.array(checked.document(content)["faults"]))
    )


def _input_document(one: Input) -> dict[str, Any]:
    marks = [{"node": m.node, "event": m.event, "text": m.text, "nth": m.nth} for m in one.followed]
    head = {"ts": one.ts, "node": one.node, "text": one.text}
    to = {"to": one.to, "to_node": one.to_node} if one.to else {}
    return {**head, **to, "followed": marks}


def _inputs(content: bytes) -> tuple[Input, ...]:
    return tuple(
        Input(
            checked.time(one["ts"]),
            checked.name(one["node"]),
            None if one["text"] is None else checked.text(one["text"], 4 << 20),
            checked.text(one.get("to", ""), 999),
            checked.text(one.get("to_node", ""), 999),
            tuple(map(_mark, checked.array(one["followed"]))),
        )
        for one in checked.lines(content, MOST_EVENTS)
    )


def _mark(value: object) -> Mark:
    told = checked.record(value)
    return Mark(
        checked.name(told["node"]),
        checked.text(told["event"], 999),
        checked.text(told["text"]),
        checked.number(told["nth"]),
    )


def _sockets(content: bytes) -> tuple[Socket, ...]:
    if not content:
        return ()
    return tuple(
        Socket(
            checked.name(one["node"]),
            checked.text(one["proto"], 99),
            checked.text(one["state"], 99),
            checked.end(one["local"]) or ("", 0),
            checked.end(one["peer"]),
            checked.number(one["receive_queue"]),
            checked.number(one["send_queue"]),
            checked.some_text(one["program"]),
            checked.some_number(one["pid"]),
            checked.some_number(one["uid"]),
        )
        for one in map(checked.record, checked.array(checked.document(content)["sockets"]))
    )


def _recorded(found: Mapping[str, Recording]) -> Iterable[dict[str, Any]]:
    """A line for each node, and behind it what was recorded there."""
    for node, one in found.items():
        yield {"recording": node, "since": one.since, "begin": one.begin, "cut": one.cut}
        yield from map(encode, one.events)


def _recordings(content: bytes) -> dict[str, Recording]:
    found: dict[str, Recording] = {}
    last: Recording | None = None
    for told in checked.lines(content, MOST_EVENTS):
        if "recording" in told:
            begin, since = told.get("begin"), told.get("since")
            last = found[checked.name(told["recording"])] = Recording(
                None if since is None else checked.time(since),
                None if begin is None else checked.time(begin),
                checked.number(told.get("cut")),
            )
        elif last is None:
            raise checked.Malformed("it does not begin with a node")
        else:
            last.events.append(_event(told))
    return found
