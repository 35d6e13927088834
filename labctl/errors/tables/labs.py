"""Errors of labs: which one is meant, whose it is, and whether it is ready."""

from __future__ import annotations

from labctl.errors.family import (
    Cancelled,
    FileError,
    ForeignLab,
    InvalidArgument,
    LabNotFound,
    LabTimeout,
)
from labctl.errors.kind import Kind, Table

LABS: Table = {
    "lab-not-ours": Kind(
        ForeignLab,
        "a Compose project named {name} is there already, and labctl did not make it",
        "`labctl ps --lab {name}`: what looks, types and breaks works on it as it is; for a lab of labctl's own take "
        "another name (`labctl up --lab NAME`), or end that project (`docker compose -p {name} down`)",
        "labctl makes anew, and removes, only what carries its own labels. All else it does on any project that plain "
        "Compose made.",
    ),
    "lab-of-another": Kind(
        ForeignLab,
        "the lab {lab} is another one's: {owner}{made}",
        "{mend}",
        "Several people share the engine. What one of them made, another one changes or removes only on purpose.",
    ),
    "lab-from-another-file": Kind(
        ForeignLab,
        "the lab {lab} was made from {there}, and this is {file}",
        "give this one another name (`--lab NAME`), or let it take that one's place (`--take-over`)",
        "Two topologies of one name, or of folders of one name, would otherwise take each other's nodes away.",
    ),
    "lab-busy": Kind(
        LabTimeout,
        "another labctl is at work on {lab} and did not finish within {seconds:g} s",
        "let it finish, or end it (^C where it runs)",
        "One labctl at a time brings a lab up or down.",
    ),
    "labs-there": Kind(
        InvalidArgument,
        "images stay while labs are there: {labs}",
        "`labctl down` removes a lab (`labctl ls` shows whose each is); --force removes what none of them is made of",
        "`labctl clean --images` is for when all labs are gone: what is removed has to be built again.",
    ),
    "lab-removed": Kind(
        LabNotFound,
        "{lab} was removed while labctl waited for its nodes",
        "",
        "Another `labctl down` came before all nodes were ready.",
    ),
    "network-in-use": Kind(
        ForeignLab,
        "the network {network} of {lab} can't be removed: others' containers are on it ({containers})",
        "all else of the lab is removed; end those or take them off (`docker network disconnect`), then again",
        "labctl removes only what carries its own labels, so it lets those containers be.",
    ),
    "lock-failed": Kind(
        FileError,
        "{file} can't be locked: {why}",
        "XDG_RUNTIME_DIR, or else TMPDIR, names the folder that it stands in",
        "Locks between several labctl are files.",
    ),
    "no-lab": Kind(
        LabNotFound, "no lab is there", "`labctl up` starts one", "No container on the engine carries labctl's label."
    ),
    "no-lab-of-yours": Kind(
        LabNotFound,
        "no lab of yours is there; others' are: {names}",
        "`labctl up` starts one of your own; `--lab NAME` is for looking at another's",
        "Without --lab, labctl takes the only lab that the user has made.",
    ),
    "unknown-lab": Kind(
        LabNotFound, "there is no lab {name}{near}", "`labctl ls` lists the labs", "No lab has that name."
    ),
    "ambiguous-lab": Kind(
        LabNotFound,
        "several labs are there: {names}",
        "choose one by --lab NAME, or set LABCTL_LAB",
        "Without --lab, labctl takes the only lab of the user's; beside it, those that lessons left don't count.",
    ),
    "bad-lab-name": Kind(
        InvalidArgument,
        "{name!r} is not a lab's name{near}",
        "lower-case letters, digits, - and _, beginning with a letter or digit (a Compose project name)",
        "Compose takes only such names for a project.",
    ),
    "not-ready": Kind(
        LabTimeout,
        "not ready within {seconds:g} s: {nodes}",
        "`labctl logs NODE` shows why; a longer --timeout waits longer; `labctl down` removes the lab",
        "`labctl up` waits for each node's `ready` event.",
    ),
    "cancelled": Kind(
        Cancelled,
        "it was cancelled",
        "",
        "A Python program cancelled what it had begun in another thread (docs/api.md).",
    ),
    "not-yet": Kind(
        LabTimeout,
        "not within {seconds:g} s: {what}",
        "`labctl ps` and `labctl logs` show what is there; a longer --timeout waits longer",
        "`labctl wait` has a limit, and what it waited for did not come true in it.",
    ),
}
