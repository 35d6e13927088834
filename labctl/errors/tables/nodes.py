"""Errors of one node: whether it is there, runs, and can do what it is asked."""

from __future__ import annotations

from labctl.errors.family import (
    CommandLeft,
    NodeError,
    NodeFailed,
    NodeNotFound,
    NodeStopped,
    NotRunning,
    ProgramNotFound,
)
from labctl.errors.kind import Kind, Table

NODES: Table = {
    "unknown-node": Kind(
        NodeNotFound,
        "there is no node {name} in the lab {lab}{near}",
        "`labctl ps` lists the nodes",
        "No node of the lab has that name.",
    ),
    "not-running": Kind(
        NotRunning,
        "{node} {state}, so {action}",
        "{mend}",
        "The node has no running process, or it is frozen.",
    ),
    "none-running": Kind(
        NotRunning,
        "no node of {lab} runs, and there is nothing to record",
        "`labctl start NODE` starts one, `labctl up` all",
        "A command needs a running node, and the lab has none.",
    ),
    "host-namespace": Kind(
        NodeError,
        "{node} has no {what} of its own, but this machine's ({mode})",
        "labctl does nothing to the machine itself; take `{mode}` out of its Compose file",
        "The container shares a namespace with the machine, where a helper would act on all of it.",
    ),
    "no-program": Kind(
        ProgramNotFound,
        "{node} can't run {program}: {why}",
        "`labctl exec {node} -- ls /bin /usr/bin` shows what the image has, if it has `ls`",
        "The command isn't in the node's image, or is no program. Exit status 127 where it isn't there, else 126.",
    ),
    "no-shell": Kind(
        NodeError,
        "{node} has no shell: its image {image} has neither bash nor sh",
        "`labctl exec {node} PROGRAM` runs a program that it has; `labctl top {node}` shows those that run",
        "A small image may hold its program alone.",
    ),
    "copy-failed": Kind(
        NodeError,
        "it can't be copied: {why}",
        "{mend}",
        "A file of a node or of this machine can't be read or written, or an archive holds what it must not.",
    ),
    "command-left": Kind(
        CommandLeft,
        "what was started in {node} may still run: {why}",
        "`labctl top {node}` shows its processes; `labctl restart {node}` ends them all",
        "labctl was interrupted, and could not end the command that it had started in a node.",
    ),
    "wrong-role": Kind(
        NodeError,
        "{node} is {actual}, and `{command}` needs {wanted}",
        "{fitting}",
        "The node's role (the label on its image) is another one.",
    ),
    "no-keyboard": Kind(
        NodeError,
        "{node} has no keyboard: its container was started without stdin_open",
        "`labctl exec {node} -- COMMAND` runs a command in it instead",
        "Input can be typed only where the container's stdin is open.",
    ),
    "no-link": Kind(
        NodeError,
        "{a} has no link to {b}: they share no network ({networks})",
        "`labctl ps` shows the networks of every node",
        "Two nodes that share no network can't reach each other directly.",
    ),
    "no-address": Kind(
        NodeError,
        "{name} has no {family} address (it has: {has})",
        "`labctl ps` shows the addresses",
        "An address of a family was asked for that isn't there.",
    ),
    "not-published": Kind(
        NodeError,
        "{node} publishes no port to this machine",
        "ask from another node: `labctl http get {node} {path} --from NODE`",
        "Only published ports can be reached from outside the lab.",
    ),
    "node-stopped": Kind(
        NodeStopped,
        "{node} stopped while labctl waited for it",
        "`labctl logs {node}` shows its last words",
        "The node's journal ended.",
    ),
    "node-failed": Kind(
        NodeFailed,
        "{node} failed: {why}",
        "what came up is still there for a look (`labctl logs {node}`); `labctl down` removes it",
        "A node ended before it was ready.",
    ),
    "never-healthy": Kind(
        NodeError,
        "{node} won't get healthy: {why}",
        "`labctl ps` shows its state; a `healthcheck:` in its Compose file, or in its image, says what healthy means",
        "Only a running container with a healthcheck can become healthy.",
    ),
    "no-interface": Kind(
        NodeNotFound,
        "no running lab has the interface {name}",
        "let Wireshark look again (F5): the lab may be down, or the node may have stopped",
        "Wireshark asked for a node that was there when it last looked.",
    ),
}
