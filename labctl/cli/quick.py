"""The lines that are typed most, read without typer: to import that takes as long as all the rest of such a command.

Only what is plainly of one of these forms is read here. All else (help, completion, mistakes, options that are given
twice) is left to typer, which has the last word on each; a test holds the two together.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence

from labctl.cli.output import Settings
from labctl.named import NamedTuple

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from typing import Any

FLAGS = {"--json": "as_json", "--force": "force"}
VALUED = {"--lab": "lab", "-L": "lab", "--timeout": "timeout", "--name": "name", "-n": "name"}
VALUED |= {"--output": "into", "-o": "into"}
# Of `run`; those of SEVERAL may be given again, and then typer reads them.
VALUED |= {"--folder": "folder", "-C": "folder", "--image": "image", "--network": "network", "--address": "address"}
VALUED |= {"--memory": "memory", "--ready": "ready"}
SEVERAL = {"--publish": "publish", "-p": "publish", "--env": "variables", "-e": "variables"}
VALUED |= SEVERAL
SHORTEST, LONGEST = 0.01, 86400.0  # seconds of --timeout


class Form(NamedTuple):
    """A function in a module of labctl.cli, the `arguments` that it must and `may` have, and which of the options
    above it knows. `timeout` is what is waited where nothing is said, in seconds; None where there is no such option.
    `environment`: a variable that is an option, too. `rest`: what all is that comes after `--`, of which there is
    some."""

    module: str
    function: str
    arguments: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    options: frozenset[str] = frozenset({*FLAGS.values(), "lab", "timeout"})
    timeout: float | None = None
    environment: str = ""
    rest: str = ""


LOOKING = frozenset({"as_json", "lab"})
RUNNING = frozenset({"force", "timeout", "name", "folder", "image", "network", "address", "memory", "ready"})
RUNNING |= frozenset(SEVERAL.values())
FORMS = {
    ("send",): Form("node.typing", "send", ("node", "line"), timeout=5.0),
    ("chat", "send"): Form("node.typing", "chat_send", ("node", "text"), timeout=5.0),
    ("echo", "send"): Form("node.typing", "echo_send", ("node", "text"), timeout=5.0),
    ("up",): Form(
        "lab.plain",
        "up",
        may=("topology",),
        options=LOOKING | {"timeout"},
        timeout=120.0,
        environment="LABCTL_HOSTS",
    ),
    ("down",): Form("lab.plain", "down", may=("lab",), options=LOOKING | {"force"}),
    ("run",): Form("node.starting", "run", options=LOOKING | RUNNING, timeout=30.0, rest="command"),
    ("ps",): Form("lab.plain", "ps", options=LOOKING),
    ("ls",): Form("lab.plain", "ls", options=LOOKING - {"lab"}),
    ("open",): Form("saved_runs.opening", "open_file", ("file",), options=frozenset({"into"})),
}


def found(words: Sequence[str]) -> Callable[[], None] | None:
    """What a line does; None where typer has to read it."""
    count = next((count for count in (1, 2) if tuple(words[:count]) in FORMS), 0)
    if not count or os.environ.get("_LABCTL_COMPLETE"):
        return None
    form = FORMS[tuple(words[:count])]
    values = read(form, words[count:])
    if values is None or os.environ.get(form.environment):
        return None

    def act() -> None:
        # What has a --force does something to a lab, which may be another's.
        Settings.changes, Settings.force = "force" in form.options, values.pop("force", False)
        Settings.json = values.get("as_json", False)
        getattr(importlib.import_module(f"labctl.cli.{form.module}"), form.function)(**values)

    return act


def read(form: Form, words: Sequence[str]) -> dict[str, Any] | None:
    """The values of a form's arguments and options; None where they are not plainly these."""
    values: dict[str, Any] = {}
    places = [*form.arguments, *form.may]
    if form.rest:
        at = words.index("--") if "--" in words else len(words)
        words, values[form.rest] = words[:at], list(words[at + 1 :])
        if not values[form.rest]:
            return None
    rest = iter(words)
    for word in rest:
        name, value = FLAGS.get(word) or VALUED.get(word), word
        if word in VALUED:
            value = next(rest, "")
        elif name is None and places:
            name = places.pop(0)
        if name is None or name in values or not (word in FLAGS or _is_plain(value)):
            return None
        values[name] = word in FLAGS or ((value,) if word in SEVERAL else value)
    known = {*form.arguments, *form.may, *form.options, form.rest}
    if len(places) > len(form.may) or not values.keys() <= known:
        return None
    values = {**dict.fromkeys(form.may), **_unsaid(form), **values}
    return values if form.timeout is None or _is_time(values) else None


def _unsaid(form: Form) -> dict[str, Any]:
    unsaid = {"lab": None, "name": None, "into": None, "as_json": False, "force": False, "timeout": form.timeout}
    return {name: value for name, value in unsaid.items() if name in form.options}


def _is_time(values: dict[str, Any]) -> bool:
    """Whether the timeout is one; it is a number from then on."""
    try:
        seconds = float(values["timeout"])
    except ValueError:
        return False
    values["timeout"] = seconds
    return SHORTEST <= seconds <= LONGEST


def _is_plain(word: str) -> bool:
    """Whether it is a value, and can't be an option: one dash is standard input."""
    return word == "-" or (word != "" and not word.startswith("-"))
