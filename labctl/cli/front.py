"""What `labctl --help` prints, out of a table: to ask every command for its line would mean to import all of them.

The table is labctl/cli/summaries.py. `python -m labctl.cli.front` writes it anew, and a test compares it with the
commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labctl.cli.summaries import ABOUT, OPTIONS, SUMMARIES

WIDEST = 100  # columns: longer lines are hard to read


def text(columns: int | None) -> str:
    """The page, at most so many columns wide; as for a terminal of 80 where there is none."""
    width = max(20, min(columns or 80, WIDEST)) - 1
    lines = ["Usage: labctl [OPTIONS] COMMAND [ARGS]...", "", *_wrapped(ABOUT, width, "  "), "", "Options:"]
    lines += _listed(OPTIONS.items(), width)
    lines += ["", "Commands:", *_listed(SUMMARIES.items(), width)]
    return "\n".join(lines)


def _listed(items: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    """Names and what they are, in two columns; below each other where that leaves no room."""
    found = list(items)
    indent = max(len(name) for name, _ in found) + 4
    for name, what in found:
        if width - indent < 24:
            yield f"  {name}"
            yield from _wrapped(what, width, "      ")
            continue
        first, *rest = _wrapped(what, width, " " * indent)
        yield f"  {name}".ljust(indent) + first[indent:]
        yield from rest


def _wrapped(words: str, width: int, indent: str) -> list[str]:
    lines = [indent]
    for word in words.split():
        if lines[-1] != indent and len(lines[-1]) + 1 + len(word) > width:
            lines.append(indent)
        lines[-1] += word if lines[-1] == indent else f" {word}"
    return lines


def collected() -> tuple[str, dict[str, str], dict[str, str]]:
    """What the commands themselves say: the sentence about labctl, its options, and each command's first sentence."""
    import click

    from labctl.cli.app import COMMANDS, command_line

    command = command_line()
    assert isinstance(command, click.Group)
    context = click.Context(command, info_name="labctl", **command.context_settings)
    options = dict(filter(None, (parameter.get_help_record(context) for parameter in command.get_params(context))))
    commands = {name: command.commands[name].get_short_help_str(10_000) for name in COMMANDS}
    return command.help or "", options, {name: what for name, what in commands.items() if what}


def _module() -> str:
    """labctl/cli/summaries.py as it should be."""
    about, options, commands = collected()
    parts = ['"""What `labctl --help` prints; written by `python -m labctl.cli.front`."""', ""]
    parts += [f"ABOUT = {_literal(about)}", ""]
    for name, table in (("OPTIONS", options), ("SUMMARIES", commands)):
        parts += [f"{name} = {{", *(f"    {_literal(key)}: {_literal(what)}," for key, what in table.items()), "}"]
    return "\n".join(parts)


def _literal(words: str) -> str:
    import json

    return json.dumps(" ".join(words.split()), ensure_ascii=False)


if __name__ == "__main__":
    from pathlib import Path

    (Path(__file__).parent / "summaries.py").write_text(_module() + "\n", encoding="utf-8")
