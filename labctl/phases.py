"""The named moments of a command at which a test may stop it, to see what a signal leaves behind just there.

Where the environment variable LABCTL_STOP_AT holds a phase's name, the process stops itself there (SIGSTOP), once:
whoever started it sees that by waitpid(2) with WUNTRACED, may send a signal, and lets it go on by SIGCONT. Else a phase
costs one look into a dictionary. docs/kill-matrix.md shows what is tested with it.
"""

from __future__ import annotations

import os
import signal

PHASES: dict[str, str] = {
    "up:begun": "nothing is done yet",
    "up:images-present": "all images are there",
    "up:lab-locked": "no other labctl brings this lab up or down",
    "up:subnet-chosen": "free subnets and ports are found, and not taken yet",
    "up:making": "what isn't there yet is about to be made",
    "up:network-created": "the first network is there",
    "up:container-created": "the first container is there",
    "up:container-started": "the first container runs",
    "up:made": "all containers are made and started",
    "up:routes-set": "the nodes have their routes",
    "up:ready-awaited": "the nodes are watched for their word that they are ready",
    "up:done": "all nodes are ready",
    "run:created": "a program's host is there, and not started",
    "run:started": "a program's host runs",
    "run:ready": "a program's host is ready",
    "run:watching": "a program's files are watched",
    "probe:running": "a probe runs in a node's network (during `up`: it sets routes)",
    "keyboard:attached": "a node's journal is followed, and its keyboard is connected",
    "keyboard:locked": "no other labctl types at this node",
    "keyboard:typed": "the line is handed over to be written",
    "keyboard:input-seen": "the node has said that it has the line",
    "logs:following": "the journals are followed",
    "udp:train-under-way": "the sender has the order for a train of datagrams",
    "exec:running": "a command is started in a node",
    "fault:probe-started": "the first probe runs in a sender's network",
    "fault:prepared": "all probes have their part of the rules, and none has put it in force",
    "fault:committed": "the rules are in force",
    "capture:probe-started": "the first recorder runs at a node",
    "capture:listening": "the recorders tell what comes",
    "processes:probe-started": "the first probe runs in a node's processes",
    "down:listed": "all that is to be removed is known",
    "down:container-stopped": "the first container is stopped",
    "down:container-removed": "the first container is removed",
    "down:containers-removed": "all containers are removed",
    "down:network-removed": "the first network is removed",
}


def reached(name: str) -> None:
    """Stops this process here where it was told to stop at this phase."""
    if os.environ.get("LABCTL_STOP_AT") == name:
        del os.environ["LABCTL_STOP_AT"]  # not again, and not in our children
        os.kill(os.getpid(), signal.SIGSTOP)
