"""Commands that break links: fault, partition, heal."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import starmap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli import output
from labctl.cli.options import Json, LabName, complete_faults, complete_links, complete_nodes
from labctl.faults.kinds import KINDS, SWITCHES, TYPED, kind_with
from labctl.faults.kinds.kind import FaultKind, Parameter, Switch

if TYPE_CHECKING:
    from labctl import Fault
    from labctl.api.link import RuleSpec

fault = typer.Typer(help="Break links, on purpose and repeatably.", no_args_is_help=True, suggest_commands=False)

Link = Annotated[
    str,
    typer.Argument(
        metavar="LINK",
        help="alice:bob is one way, alice-bob both, a node alone all its traffic.",
        autocompletion=complete_links,
    ),
]
Match = Annotated[str, typer.Argument(metavar="MATCH", help="Which packets: 'tcp data 1', 'tcp syn', 'udp every 10'.")]
For = Annotated[str | None, typer.Option("--for", metavar="TIME", help="Take it back after 30s, 5m ...")]
Seed = Annotated[int | None, typer.Option(help="Of the rule's generator; the same gives the same run.", min=0)]
OnStart = Annotated[
    str | None,
    typer.Option(
        metavar="NODE", help="From the node's next start on, before its first packet.", autocompletion=complete_nodes
    ),
]
Times = Annotated[int | None, typer.Option(help="How many packets (1; every one where the match says `every`).", min=1)]


def _value(word: str, one: Parameter) -> inspect.Parameter:
    """Each word is an option of its own, so that what is said of its value is said of what was typed."""
    help_ = f"{one.help.removesuffix('.')} (or --{', --'.join(one.also)})." if one.also else one.help
    option = typer.Option(metavar=one.measure.metavar, help=help_, hidden=word != one.name)
    return _option(word, Annotated[str | None, option], None)


def _switch(one: Switch) -> inspect.Parameter:
    return _option(one.name, Annotated[bool, typer.Option(f"--{one.word}", help=one.help)], False)


def _option(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _with(*options: inspect.Parameter) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command options of which the table of kinds knows, in the place of its `**given`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        named = [one for one in own.parameters.values() if one.kind != inspect.Parameter.VAR_KEYWORD]
        first = [one for one in named if one.default is inspect.Parameter.empty]
        all_ = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*first, *options, *named[len(first) :])]
        command.__signature__ = own.replace(parameters=all_)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in all_}
        return command

    return decorate


@fault.command()
@_with(*starmap(_value, TYPED.items()), *map(_switch, SWITCHES.values()))
def add(
    link: Link,
    duration: For = None,
    seed: Seed = None,
    on_start: OnStart = None,
    lab: LabName = None,
    as_json: Json = False,
    **given: Any,
) -> None:
    """Put conditions on a link; all that are given hold together."""
    from labctl.api import link as rules

    found = {word: given[word] for word in TYPED if given[word] is not None}
    if not found:
        raise typer.BadParameter("give at least one condition, such as --delay 100ms or --drop 10%")
    switches = [name for name in SWITCHES if given[name]]
    for name in switches:
        if kind_with(name) not in {TYPED[word].name for word in found}:
            raise typer.BadParameter(f"--{SWITCHES[name].word} goes with --{kind_with(name)}")
    wanted = rules.conditions(found, switches, lasting=duration, seed=seed)
    _set(link, wanted, on_start, lab, as_json)


def _verb(kind: FaultKind) -> None:
    """Adds the command that does one thing to the packets that a match picks."""
    verb = kind.verb
    assert verb
    options = [_option("times", Times, None), *map(_switch, kind.switches), _option("duration", For, None)]
    if verb.by_chance:
        options.append(_option("seed", Seed, None))
    if verb.by:
        by = Annotated[str, typer.Option(metavar=verb.by.measure.metavar, help=verb.by_help)]
        options.insert(0, _option("by", by, verb.by_usually))

    @fault.command(kind.name, help=verb.help)
    @_with(*options)
    def command(
        link: Link, match: Match, on_start: OnStart = None, lab: LabName = None, as_json: Json = False, **given: Any
    ) -> None:
        from labctl.api import link as rules

        switches = [one.name for one in kind.switches if given.pop(one.name)]
        wanted = rules.pick(kind.name, match, switches, lasting=given.pop("duration"), **given)
        _set(link, wanted, on_start, lab, as_json)


for _kind in KINDS.values():
    if _kind.verb:
        _verb(_kind)


@fault.command("ls")
def ls(lab: LabName = None, as_json: Json = False) -> None:
    """List the rules, with what they have done."""
    from labctl.cli.chosen import lab_of
    from labctl.render.faults import table

    found = lab_of(lab)
    rules = found.faults()
    if as_json:
        output.document({"lab": found.name, "faults": [rule.as_json() for rule in rules]})
    elif rules:
        output.data(table(rules, columns=output.columns(), colour=output.colour()))
    else:
        output.talk(f"no rule is on any link of {found.name}")


@fault.command()
def clear(
    which: Annotated[
        str | None,
        typer.Argument(metavar="[ID|LINK]", help="A rule, or all of a link.", autocompletion=complete_faults),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All rules of the lab.")] = False,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Take rules back; the links are as they were."""
    from labctl.cli.chosen import lab_of

    if (which is None) == (not everything):
        raise typer.BadParameter("name a rule or a link, or give --all")
    _tell_cleared(lab_of(lab).clear_faults(which), as_json, "no rule was there")


def partition(
    left: Annotated[
        str, typer.Argument(metavar="NODES", help="One side: alice, or alice,web.", autocompletion=complete_nodes)
    ],
    right: Annotated[str, typer.Argument(metavar="NODES", help="The other side.", autocompletion=complete_nodes)],
    duration: For = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Cut nodes off from others, both ways, until `labctl heal`."""
    from labctl.cli.chosen import lab_of

    done = lab_of(lab).partition(left, right, lasting=duration)
    if as_json:
        output.document(done.as_json())
    else:
        output.data(f"{done.id}  {left} and {right} are cut off from each other ({', '.join(done.links)})")


def heal(lab: LabName = None, as_json: Json = False) -> None:
    """End all partitions."""
    from labctl.cli.chosen import lab_of

    found = lab_of(lab)
    _tell_cleared(found.heal(), as_json, "there is no partition")
    if as_json:
        return
    left = {rule.id for rule in found.faults() if rule.state != "gone"}
    if left:
        output.talk(f"other rules stay: {', '.join(sorted(left))} (`labctl fault clear --all` takes them back)")


def _tell_cleared(cleared: tuple[Fault, ...], as_json: bool, nothing: str) -> None:
    from labctl.render.faults import taken_back

    if as_json:
        output.document({"cleared": [rule.as_json() for rule in cleared]})
        return
    for rule in cleared:
        output.talk(taken_back(rule))
    if not cleared:
        output.talk(nothing)


def _set(link: str, wanted: RuleSpec, on_start: str | None, lab: str | None, as_json: bool) -> None:
    from labctl.cli.chosen import lab_of
    from labctl.render.faults import applied

    rule = lab_of(lab).link(link).add(wanted, on_start=on_start)
    if as_json:
        output.document(rule.as_json())
        return
    for line in applied(rule.applied):
        output.data(line)
