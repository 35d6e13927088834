"""Errors of runs in files: saving, reading, replaying and comparing them."""

from __future__ import annotations

from labctl.errors.family import FileError, NotRecorded, RunError
from labctl.errors.kind import Kind, Table

RUNS: Table = {
    "run-broken": Kind(
        RunError,
        "{file} can't be read as a run: {why}",
        "take the file as `labctl save` wrote it: it was left as it is",
        "The file is no run, or was damaged or changed since it was saved. Nothing of it is believed then.",
    ),
    "run-version": Kind(
        RunError,
        "{file} is a run of version {version}, by labctl {by}; this one reads versions up to {known}",
        "install a labctl as new as that one",
        "The form of run files has changed since this labctl was made.",
    ),
    "run-too-large": Kind(
        FileError,
        "the run is too large for one file: {part} of {size}, and {limit} are the most",
        "`labctl save --last 5m FILE` saves the end of it; `--no-payload` leaves the bytes out",
        "What a run file may hold is limited, so that reading a stranger's one is safe.",
    ),
    "not-in-run": Kind(
        NotRecorded,
        "the run has no {what} of {nodes}",
        "`labctl capture --start` begins to record packets in a lab, `labctl xray` system calls, too; then save it",
        "A saved run holds what was recorded in the lab when it was saved, and nothing else.",
    ),
    "no-replay": Kind(
        RunError,
        "{file} can't be replayed: {why}",
        "{mend}",
        "A replay needs the Compose file that the lab was made from, and the texts that were typed.",
    ),
    "replay-untrusted": Kind(
        RunError,
        "{file} would start what a run file may not start by itself:\n{why}",
        "look at it (`unzip -p FILE compose.yaml`); `--trust` starts it all the same",
        "A run file may be a stranger's. Without --trust a replay starts nothing but images that are here already, "
        "without mounts, privileges or ports for other machines.",
    ),
    "replay-refused": Kind(
        RunError,
        "nothing was started: nobody said yes",
        "answer y, or give --yes",
        "A replay asks first for what it would start.",
    ),
}
