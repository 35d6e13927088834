"""Errors of lines that are typed at nodes, and of what comes of them."""

from __future__ import annotations

from labctl.errors.family import (
    InvalidArgument,
    LabTimeout,
    LineRefused,
    NoAnswer,
    NoPartner,
    NotConfirmed,
    NotTaken,
)
from labctl.errors.kind import Kind, Table

LINES: Table = {
    "newline-in-line": Kind(
        InvalidArgument,
        "the text holds a newline, and here one line is one input",
        "send it line by line",
        "A newline ends a line, so it can't be part of one.",
    ),
    "not-utf8": Kind(
        InvalidArgument,
        "{what} is not {encoding}",
        "",
        "Text that is typed must be in the encoding of the locale (LC_ALL, LC_CTYPE, LANG), which mostly is UTF-8.",
    ),
    "text-too-long": Kind(
        InvalidArgument,
        "the text has {size} bytes, and {what} takes at most {limit}",
        "",
        "The node would refuse it, so it was not sent.",
    ),
    "keyboard-busy": Kind(
        LabTimeout,
        "another labctl types at {node} and did not finish within {seconds:g} s",
        "try again, or give a longer --timeout",
        "Lines are typed one after the other, so that they never mix.",
    ),
    "not-taken": Kind(
        NotTaken,
        "{node} did not take the line within {seconds:g} s",
        "`labctl logs {node}` shows what it does; `labctl ps` its state",
        "The node's keyboard takes nothing: not all of the line could be written to it, so it won't go out later.",
    ),
    "maybe-taken": Kind(
        NotConfirmed,
        "{node} did not show within {seconds:g} s that it took the line, which may still go out",
        "typed again, it may go out twice: `labctl logs {node}` shows what becomes of it; `labctl ps` its state",
        "The line is on its way to the node's keyboard, where a node that is slow, paused or stopped reads it later. "
        "Under `--json`, each error of a line that was typed says by `may_go_out` whether it may go out, or has.",
    ),
    "node-refused": Kind(
        LineRefused,
        "{node} refused the line: {reason} ({error})",
        "",
        "The node's journal answered the line with an `error` event.",
    ),
    "no-partner": Kind(
        NoPartner,
        "{node} has no partner: {reason}, and {seconds:g} s have passed",
        "the line waits at {node} and is sent when it can be; `labctl chat log` shows the conversation",
        "A chat node keeps lines until somebody is there, and nobody came.",
    ),
    "not-confirmed": Kind(
        NotConfirmed,
        "sent, not confirmed: {why}",
        "{mend}",
        "The line left the node, and no journal shows that it arrived.",
    ),
    "not-shown": Kind(
        NotConfirmed,
        "{why}",
        "typed again, it may go out twice: `labctl logs {node}` shows what becomes of it",
        "The node took the line, and its journal shows neither that it was sent nor why not.",
    ),
    "no-answer": Kind(
        NoAnswer,
        "sent, but {peer} did not answer within {seconds:g} s",
        "{mend}",
        "A line left the node and no whole line came back; or no packet of `labctl ping` or `route` was answered.",
    ),
}
