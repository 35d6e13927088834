"""The lines that are typed most, read without typer: to import that takes as long as all the rest of such a command.

Only what is plainly of one of these forms is read here. All else (help, completion, mistakes, options that are given
twice) is left to typer, which has the last word on each; a test holds the two together.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from labctl.cli.output import Settings

FLAGS = {"--json": "as_json", "--force": "force"}
VALUED = {"--lab": "lab", "-L": "lab", "--timeout": "timeout"}
SHORTEST, LONGEST = 0.01, 86400.0  # seconds of --timeout


class Form(NamedTuple):
    """A function of labctl/cli/node/typing.py, the names of its `arguments`, and what is waited where nothing is
    said, in seconds."""

    function: str
    arguments: tuple[str, ...]
    timeout: float


FORMS = {
    ("send",): Form("send", ("node", "line"), 5.0),
    ("chat", "send"): Form("chat_send", ("node", "text"), 5.0),
    ("echo", "send"): Form("echo_send", ("node", "text"), 5.0),
}


def found(words: Sequence[str]) -> Callable[[], None] | None:
    """What a line does; None where typer has to read it."""
    count = next((count for count in (1, 2) if tuple(words[:count]) in FORMS), 0)
    if not count or os.environ.get("_LABCTL_COMPLETE"):
        return None
    form = FORMS[tuple(words[:count])]
    values = read(form, words[count:])
    if values is None:
        return None

    def act() -> None:
        Settings.changes, Settings.force, Settings.json = True, values.pop("force"), values["as_json"]
        getattr(importlib.import_module("labctl.cli.node.typing"), form.function)(**values)

    return act


def read(form: Form, words: Sequence[str]) -> dict[str, Any] | None:
    """The values of a form's arguments and options; None where they are not plainly these."""
    values: dict[str, Any] = {}
    places = list(form.arguments)
    rest = iter(words)
    for word in rest:
        if word in FLAGS:
            name = FLAGS[word]
        elif word in VALUED:
            name, word = VALUED[word], next(rest, "")
        elif places:
            name = places.pop(0)
        else:
            return None
        if name in values or not (word in FLAGS or _is_plain(word)):
            return None
        values[name] = word in FLAGS or word
    if places:
        return None
    try:
        values["timeout"] = float(values.get("timeout", form.timeout))
    except ValueError:
        return None
    if not SHORTEST <= values["timeout"] <= LONGEST:
        return None
    return {"lab": None, "as_json": False, "force": False, **values}


def _is_plain(word: str) -> bool:
    """Whether it is a value, and can't be an option: one dash is standard input."""
    return word == "-" or (word != "" and not word.startswith("-"))
