"""Errors of somebody's own programs as nodes (`labctl run`)."""

from __future__ import annotations

from labctl.errors.family import FileError, InvalidArgument, LabNotFound, LabTimeout, NodeError, NodeFailed
from labctl.errors.kind import Kind, Table

PROGRAMS: Table = {
    "bad-node-name": Kind(
        InvalidArgument,
        "{name!r} is no name for a host",
        "--name takes lower-case letters, digits and -, as in `labctl run --name srv -- python3 server.py`",
        "A host's name is also what the others look up (RFC 1123).",
    ),
    "name-taken": Kind(
        NodeError,
        "{node} is there already: {what}",
        "{mend}",
        "Each name is one host's. A program that has ended gives its name to the next one.",
    ),
    "program-in-the-way": Kind(
        NodeError,
        "the topology has a node {node}, and so is the name of a program that `labctl run` made a host of {lab}",
        "`labctl rm {node}` removes the program's",
        "`up` leaves programs alone, and two hosts can't have one name.",
    ),
    "not-a-program": Kind(
        NodeError,
        "{node} is a node of the topology, and no program that `labctl run` made",
        "`labctl stop {node}` stops it; `labctl down` removes the lab",
        "`labctl rm` and `--watch` are for what `labctl run` has made.",
    ),
    "folder-missing": Kind(
        FileError,
        "the folder {folder} can't be had: {why}",
        "--folder names the folder that the program is in; without it that is the current one",
        "The program's folder is mounted into its host.",
    ),
    "folder-too-wide": Kind(
        FileError,
        "{folder} is not to be seen by a host: the whole machine, or the engine's own socket, is in it",
        "put the program into a folder of its own; --folder names it",
        "A program of a lab is to see its own files, and not the machine's.",
    ),
    "folder-closed": Kind(
        FileError,
        "the host can't read {what} (mode {mode}): it is not you, nor root, but a user of its own",
        "{mend}",
        "Hosts run as user 10001, without privileges: they read what everybody may.",
    ),
    "folder-not-sent": Kind(
        FileError,
        "the folder {folder} can't be sent to {machine}, where the engine is: {why}",
        "--folder names a smaller one that has all that the program needs, or give it an image of its own (--image)",
        "On this machine a folder is mounted; an engine on another one sees its own folders alone, and gets the files.",
    ),
    "program-unfit": Kind(
        NodeError,
        "{program} can't run: {why}",
        "{mend}",
        "The program's file isn't there, is not executable, or is not for this system.",
    ),
    "program-failed": Kind(
        NodeFailed,
        "{node} ended {how}{lines}",
        "{mend}",
        "A program without a contract has ended, and not with exit status 0. Its host is still there for a look.",
    ),
    "program-silent": Kind(
        LabTimeout,
        "{node} is not ready within {seconds:g} s: {why}{lines}",
        "it goes on; `labctl logs {node}` shows what it prints, --timeout waits longer, --no-wait not at all",
        "A program was expected to listen, or to print a text, and did not in the time given.",
    ),
    "which-network": Kind(
        InvalidArgument,
        "{lab} has {count}: {networks}",
        "choose one by --network",
        "A program's host is on one network; where there are several, that is to be said.",
    ),
    "bad-address": Kind(
        InvalidArgument,
        "{address} is no address for a host of {network}: {why}",
        "without --address labctl takes a free one",
        "An address has to be in the network's subnet, and free.",
    ),
    "network-full": Kind(
        NodeError,
        "no address of {network} ({subnets}) is free",
        "`labctl ps` shows who has them; `labctl rm` removes a program's host",
        "All addresses of the subnet are given.",
    ),
    "image-not-here": Kind(
        InvalidArgument,
        "there is no image {image} on this engine",
        "`docker images` lists those that are there; `docker pull {image}` gets it from a registry",
        "`labctl run --image` takes an image that is there.",
    ),
    "port-taken": Kind(
        NodeError,
        "{ports} of this machine can't be published: {why}",
        "choose another, as in --publish 18000:9000 (this machine's port first)",
        "Somebody else has that port of the machine.",
    ),
    "no-empty-lab": Kind(
        LabNotFound,
        "no empty lab can be made: {why}",
        "`labctl up` brings up one with nodes",
        "`labctl run` makes a lab where there is none, and found no place for it.",
    ),
}
