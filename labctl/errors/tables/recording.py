"""Errors of recorders, captures and ladders."""

from __future__ import annotations

from labctl.errors.family import (
    BadFilter,
    CaptureError,
    InvalidArgument,
    NotRecorded,
    ProbeError,
)
from labctl.errors.kind import Kind, Table

RECORDING: Table = {
    "several-ladders": Kind(
        InvalidArgument,
        "the command caused traffic between {pairs}, and {form} shows two nodes",
        "name two nodes: `labctl trace --node alice --node bob ...`, or take text or JSON",
        "A picture of a trace was asked for, and there would be several.",
    ),
    "bad-filter": Kind(
        BadFilter,
        "the filter {filter!r} is none: {why}",
        "filters are those of tcpdump, such as `tcp port 7` or `host 10.77.0.5 and not arp` (man pcap-filter)",
        "tcpdump could not make sense of what --filter was given.",
    ),
    "recorder-gone": Kind(
        ProbeError,
        "{node} can't be recorded: {why}",
        "`labctl capture --stop {node}` and then the command again starts a new recorder",
        "The helper container that records a node's packets ended, or did not answer.",
    ),
    "none-recorded": Kind(
        NotRecorded,
        "no node of {lab} is being recorded",
        "`labctl capture --start` begins to record, and then there is a newest packet",
        "`labctl packet last` shows what the recorders hold, and there are none.",
    ),
    "not-recorded": Kind(
        NotRecorded,
        "nothing was recorded at {nodes} until now; from now on it is",
        "cause some traffic and ask again, or let `labctl trace -- chat send alice hi` do both",
        "Packets are recorded from when somebody first asks (or from `labctl up --record`). This was the first time.",
    ),
    "no-recording": Kind(
        NotRecorded,
        "nothing is recorded at {nodes}",
        "begin to record (`lab.record()`, `labctl capture --start`), then cause what is to be seen",
        "A program asked for what was recorded, where nothing is. A function that only looks begins no recording.",
    ),
    "recording-begins": Kind(
        NotRecorded,
        "nothing was recorded at {node} until now; from now on it is",
        "do what you want to see, then `labctl syscalls {node}` again; `labctl syscalls {node} --stop` ends it",
        "System calls are recorded once somebody has asked for them, as that slows the node's programs down.",
    ),
    "fell-behind": Kind(
        NotRecorded,
        "{node} had more to tell than was read: {count} events are left out, and what would follow them",
        "write it to a file (`... > FILE`), or look at fewer nodes; `labctl syscalls NODE` has what is recorded",
        "What follows a node's sockets or calls stood still, or was slower than they; the probe keeps 16 MiB for it.",
    ),
    "capture-unreadable": Kind(
        CaptureError,
        "{file} can't be read: {why}",
        "name a pcap or pcapng file, or - for standard input",
        "The file with captured packets isn't there, or may not be read.",
    ),
    "capture-broken": Kind(
        CaptureError,
        "{file}: {why}",
        "what was whole before is shown",
        "The file is no capture, is empty, or ends in the middle of a packet.",
    ),
    "capture-large": Kind(
        CaptureError,
        "{file}: it has more than {most} packets",
        "the first {most} are shown; cut it (`editcap`, `tcpdump -r FILE -w PART 'host ...'`) to see others",
        "What is put together of a capture, ladders and pages, is held in memory. `labctl packet FILE` isn't: it reads "
        "packet by packet, of as many as there are.",
    ),
    "nothing-in-common": Kind(
        CaptureError,
        "{first} and {second} have no packet in common",
        "take both while the same packets pass, with offload off (`ethtool -K IFACE tso off gso off gro off`)",
        "Two captures are put together by packets that both have: the same addresses or, behind a router that "
        "translates these, the same numbers and contents. Segments that a network card merges or cuts differ at both "
        "ends.",
    ),
    "no-such-flow": Kind(
        CaptureError,
        "{file} has no conversation {flow}; it has {has}",
        "--flow takes one of these numbers, an end (HOST or HOST:PORT), or both ends with a dash between",
        "The conversation that is to be drawn isn't in the capture.",
    ),
    "no-conversation": Kind(
        CaptureError,
        "{file} has no conversation to draw: it has {has}, none of them of IP or ARP",
        "`labctl packet {file}` lists what is there",
        "A ladder shows packets between two addresses.",
    ),
    "no-such-packet": Kind(
        CaptureError,
        "{file} has no packet {number}: {has}",
        "`labctl packet {file}` lists them; a negative number counts from the end",
        "The number of a packet lies outside the capture.",
    ),
}
