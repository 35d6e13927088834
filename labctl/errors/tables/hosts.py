"""Errors of machines that have an engine each, and of the swarm that they make."""

from __future__ import annotations

from labctl.errors.family import FileError, InvalidArgument, LabNotFound
from labctl.errors.kind import Kind, Table

HOSTS: Table = {
    "host-name": Kind(
        InvalidArgument,
        "{name!r} can't be a machine's name",
        "small letters, digits and hyphens, at most 63, neither first nor last a hyphen: `rack-1`",
        "Names of machines stand in lists with commas and before an equals sign, so they are as simple as a host's.",
    ),
    "host-address": Kind(
        InvalidArgument,
        "an engine can't be reached at {address}: {why}",
        "`ssh://user@machine`, `tcp://machine:2376` with --tls-ca, --tls-cert and --tls-key, or `context:NAME`",
        "Where a machine's engine is has to be said in one of these ways.",
    ),
    "host-there": Kind(
        InvalidArgument,
        "there is a machine {name} already, at {address}",
        "`labctl hosts rm {name}` first, or --replace",
        "Each machine has a name of its own.",
    ),
    "host-unknown": Kind(
        LabNotFound,
        "there is no machine {name}{near}",
        "`labctl hosts ls` lists those that there are, `labctl hosts add NAME ADDRESS` adds one",
        "The name is none of those that `labctl hosts add` was given.",
    ),
    "no-hosts": Kind(
        LabNotFound,
        "no machines are known",
        "`labctl hosts add NAME ssh://user@machine` adds one",
        "Nothing was said of other machines yet: there is only the engine in use.",
    ),
    "hosts-file": Kind(
        FileError,
        "the list of machines {file} can't be used: {why}",
        "mend it, or move it away and add the machines again (`labctl hosts add`)",
        "It can't be read or written, or isn't one.",
    ),
}
