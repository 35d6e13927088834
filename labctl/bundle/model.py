"""A run as data: all that was to be seen of a lab, wherever it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl.events.model import Event
from labctl.lab.drawing.picture import Picture
from labctl.lab.faults.rules import Fault
from labctl.lab.model import Lab
from labctl.lab.processes.sockets import Socket
from labctl.lab.processes.syscalls import Recording
from labctl.packets.crossings import Side

SUFFIX = ".labrun"


@dataclass(frozen=True)
class Mark:
    """An event by what it says and not by when: the `nth` of that name and text in a node's journal, from 1 on."""

    node: str
    event: str
    text: str = ""
    nth: int = 1


@dataclass(frozen=True)
class Input:
    """A line that was typed at a node at `ts`, after what it `followed`: the last that each node had shown by then.

    `to` is the `host:port` that it was for, empty where it was for the node's own peer; `to_node` whose address that
    was. `text` is None where the run was saved without payloads.
    """

    ts: str
    node: str
    text: str | None
    to: str = ""
    to_node: str = ""
    followed: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Run:
    """What was saved of a lab. `lab` is as it was then: its containers' ids are nobody's any more.

    `compose` is the Compose file that it was made from, resolved, as JSON; empty where that wasn't to be found.
    `recordings` are system calls and states of sockets, by node, where these were recorded; `versions` are those of
    what made the run, by what. `saved` is when; `payload` is False where bytes and texts were left out. `since` is
    from when on it was saved, None: all that there was. `notes` are sentences of what is missing.
    """

    lab: Lab
    picture: Picture
    saved: str
    compose: str = ""
    events: tuple[Event, ...] = ()
    sides: tuple[Side, ...] = ()
    faults: tuple[Fault, ...] = ()
    inputs: tuple[Input, ...] = ()
    sockets: tuple[Socket, ...] = ()
    recordings: Mapping[str, Recording] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    since: str | None = None
    payload: bool = True
    notes: tuple[str, ...] = ()
