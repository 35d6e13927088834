"""Errors of links, rules and probes."""

from __future__ import annotations

from labctl.errors.family import (
    FaultError,
    FaultRefused,
    InvalidArgument,
    ProbeError,
)
from labctl.errors.kind import Kind, Table

FAULTS: Table = {
    "bad-link-name": Kind(
        InvalidArgument,
        "{why}",
        "{mend}",
        "What was given is no link: two nodes, or one.",
    ),
    "bad-condition": Kind(
        InvalidArgument,
        "{why}",
        "{mend}",
        "A condition of a link, or the expression that picks packets, can't be understood.",
    ),
    "on-start-elsewhere": Kind(
        InvalidArgument,
        "--on-start {node} holds for what {node} sends, and this rule is about what {others} sends",
        "name a link from {node} to another node, such as {node}:OTHER",
        "A rule from a node's first packet on can only be one on what that node sends.",
    ),
    "fault-twice": Kind(
        FaultError,
        "{link} has that rule already: {id}, {what}",
        "`labctl fault clear {id}` takes it back",
        "The same rule on the same link would do everything twice.",
    ),
    "no-such-fault": Kind(
        FaultError,
        "there is no rule {name}{near}",
        "`labctl fault ls` shows all that there are",
        "No rule has that id, and no rule is on that link.",
    ),
    "fault-refused": Kind(
        FaultRefused,
        "the probe at {node} can't do that: {why} ({error})",
        "`labctl doctor` tells whether this kernel has NFQUEUE and nftables, which faults need",
        "The program that would have to put the rule in force answered with an error.",
    ),
    "probe-paused": Kind(
        FaultError,
        "the probe at {node} is paused",
        "`docker unpause {probe}` lets it go on; its rules are out of force until then",
        "Somebody froze the helper container.",
    ),
    "probe-silent": Kind(
        ProbeError,
        "the probe at {nodes} did not answer in time",
        "`labctl fault clear --all` starts it again; the links are whole while it stands still",
        "The helper container runs, and said nothing.",
    ),
    "probe-failed": Kind(
        ProbeError,
        "a probe could not do its work (`{command}` ended with {status}): {why}",
        "`labctl doctor` looks at what the kernel can do",
        "A helper container in a node's network ended with an error.",
    ),
    "processes-failed": Kind(
        ProbeError,
        "the probe at {node} can't do that: {why} ({error})",
        "`labctl doctor` looks at this machine; sockets need a kernel with sock_diag",
        "The program in the node's probe answered with an error.",
    ),
    "not-traceable": Kind(
        ProbeError,
        "the processes of {node} can't be traced: {why}",
        "{mend}",
        "The kernel lets one process trace another only once, and only with the right to.",
    ),
}
