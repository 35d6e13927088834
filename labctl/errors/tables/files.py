"""Errors of options and of the files that labctl writes."""

from __future__ import annotations

from labctl.errors.family import (
    FileError,
    InvalidArgument,
)
from labctl.errors.kind import Kind, Table

FILES: Table = {
    "bad-option": Kind(InvalidArgument, "{option}: {why}", "", "An option's value is out of its range."),
    "completion-failed": Kind(
        FileError,
        "the completion can't be installed: {why}",
        "`labctl --show-completion` prints it: put that where your shell reads it",
        "The shell's start-up file is in a home directory that isn't there, or that this user may not write to.",
    ),
    "output-failed": Kind(
        FileError,
        "the output can't be written: {why}",
        "",
        "Standard output leads to a full disk, or to a terminal that is gone.",
    ),
    "file-unwritable": Kind(
        FileError,
        "{file} can't be written: {why}",
        "name a file in a folder that is there, that you may write to and that has space left",
        "labctl was asked to write a file, and the system would not have it.",
    ),
    "file-unreadable": Kind(
        FileError,
        "{file} can't be read: {why}",
        "name a file that is there and that you may read; - is standard input",
        "labctl was asked to read a file, and the system would not have it.",
    ),
    "extcap-taken": Kind(
        FileError,
        "{file} is there already, and labctl did not put it there",
        "move it away and ask again",
        "`labctl capture --install-extcap` replaces only what it made itself.",
    ),
}
