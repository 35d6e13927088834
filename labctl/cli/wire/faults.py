"""Commands that break links: fault, partition, heal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from labctl.cli import output
from labctl.cli.context import engine_and_lab, prepare_probe
from labctl.cli.options import Json, LabName, complete_faults, complete_links, complete_nodes

if TYPE_CHECKING:
    from labctl.lab.faults.rules import Wanted

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
FixChecksum = Annotated[bool, typer.Option("--fix-checksum", help="Let what is corrupt reach the program.")]


@fault.command()
def add(
    link: Link,
    delay: Annotated[str | None, typer.Option(metavar="TIME", help="Hold each packet, for 100ms.")] = None,
    jitter: Annotated[str | None, typer.Option(metavar="TIME", help="Vary the delay by up to 20ms.")] = None,
    loss: Annotated[str | None, typer.Option(metavar="SHARE", help="Lose 10% of the packets.")] = None,
    duplicate: Annotated[str | None, typer.Option(metavar="SHARE", help="Deliver 1% twice.")] = None,
    reorder: Annotated[str | None, typer.Option(metavar="SHARE", help="Let 5% be overtaken by the next.")] = None,
    corrupt: Annotated[str | None, typer.Option(metavar="SHARE", help="Flip a bit in 1%.")] = None,
    rate: Annotated[str | None, typer.Option(metavar="RATE", help="Send no faster than 1mbit.")] = None,
    fix_checksum: FixChecksum = False,
    duration: For = None,
    seed: Seed = None,
    on_start: OnStart = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Put conditions on a link; all that are given hold together."""
    from labctl.faults.conditions import parse
    from labctl.lab.faults.rules import Wanted

    names = ("delay", "jitter", "loss", "duplicate", "reorder", "corrupt", "rate")
    values = (delay, jitter, loss, duplicate, reorder, corrupt, rate)
    given = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    with _checked():
        found = parse(given)
    if not found:
        raise typer.BadParameter("give at least one condition, such as --delay 100ms or --loss 10%")
    if fix_checksum and not found.corrupt:
        raise typer.BadParameter("--fix-checksum goes with --corrupt")
    fields: dict[str, Any] = {**found.as_json(), **({"fix_checksum": True} if fix_checksum else {})}
    what = str(found) + (" fix-checksum" if fix_checksum else "")
    _set(link, Wanted("condition", what, {**fields, **_duration(duration)}, seed), on_start, lab, as_json)


class _Rest(NamedTuple):
    """What all rules for picked packets can be given."""

    duration: str | None
    on_start: str | None
    lab: str | None
    as_json: bool
    seed: int | None = 0  # nothing is left to chance


def _pick(
    verb: str, condition: str, link: str, match: str, times: int | None, extra: dict[str, Any], rest: _Rest
) -> None:
    """A rule for picked packets: the condition holds for all of them."""
    from labctl.faults.match import is_counted, parse
    from labctl.lab.faults.rules import Wanted
    from labctl.render.text import printable

    with _checked():
        found = parse(match)
    if times is None and not is_counted(found):
        times = 1
    often = "" if times is None else " once" if times == 1 else f" {times} times"
    fields = {condition: True if condition == "reset" else 1.0, **extra, "match": found, "times": times}
    shown = f"{verb} '{printable(match.strip())}'{often}"
    if "delay" in extra:
        from labctl.faults.conditions import shown as value

        shown += f" by {value('delay', extra['delay'])}"
    if extra.get("fix_checksum"):
        shown += " fix-checksum"
    wanted = Wanted("pick", shown, {**fields, **_duration(rest.duration)}, rest.seed)
    _set(link, wanted, rest.on_start, rest.lab, rest.as_json)


def _plain(verb: str, condition: str, help_: str) -> None:
    """Adds a command that does one thing to the packets that a match picks, and has no options of its own."""

    @fault.command(verb, help=help_)
    def command(
        link: Link,
        match: Match,
        times: Times = None,
        duration: For = None,
        on_start: OnStart = None,
        lab: LabName = None,
        as_json: Json = False,
    ) -> None:
        _pick(verb, condition, link, match, times, {}, _Rest(duration, on_start, lab, as_json))


_plain("drop", "loss", "Lose the packets that a match picks.")


@fault.command()
def delay(
    link: Link,
    match: Match,
    by: Annotated[str, typer.Option(metavar="TIME", help="How long to hold them.")] = "200ms",
    times: Times = None,
    duration: For = None,
    on_start: OnStart = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Hold the packets that a match picks."""
    from labctl.faults.conditions import seconds

    with _checked():
        held = seconds("--by", by)
    rest = _Rest(duration, on_start, lab, as_json)
    _pick("delay", "delay", link, match, times, {"delay": held}, rest)


_plain("duplicate", "duplicate", "Deliver the packets that a match picks twice.")


@fault.command()
def corrupt(
    link: Link,
    match: Match,
    times: Times = None,
    fix_checksum: FixChecksum = False,
    duration: For = None,
    seed: Seed = None,
    on_start: OnStart = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Flip a bit in the packets that a match picks."""
    rest = _Rest(duration, on_start, lab, as_json, seed)
    _pick("corrupt", "corrupt", link, match, times, {"fix_checksum": True} if fix_checksum else {}, rest)


_plain("reset", "reset", "Cut the TCP connections of the packets that a match picks.")


@fault.command("ls")
def ls(lab: LabName = None, as_json: Json = False) -> None:
    """List the rules, with what they have done."""
    from labctl.lab.faults.rules import listing
    from labctl.render.faults import table

    engine, found = engine_and_lab(lab)
    rules = listing(engine, found)
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
    from labctl.lab.faults import rules

    if (which is None) == (not everything):
        raise typer.BadParameter("name a rule or a link, or give --all")
    engine, found = engine_and_lab(lab)
    known = rules.listing(engine, found)
    cleared = rules.clear(engine, found, rules.pick(found, known, which, everything))
    _tell_cleared(cleared, as_json, "no rule was there")


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
    from labctl.lab.faults import rules
    from labctl.lab.links import between

    engine, found = engine_and_lab(lab)
    prepare_probe(engine)
    wanted = rules.Wanted("partition", "partition", {"loss": 1.0, **_duration(duration)}, 0)
    done = rules.add(engine, found, between(found, left, right), wanted)
    if as_json:
        output.document(done.as_json())
    else:
        output.data(f"{done.id}  {left} and {right} are cut off from each other ({', '.join(done.links)})")


def heal(lab: LabName = None, as_json: Json = False) -> None:
    """End all partitions."""
    from labctl.lab.faults import rules

    engine, found = engine_and_lab(lab)
    known = rules.listing(engine, found)
    cleared = rules.clear(engine, found, [rule for rule in known if rule.kind == "partition"])
    left = {rule.id for rule in known if rule.kind != "partition" and rule.state != "gone"}
    _tell_cleared(cleared, as_json, "there is no partition")
    if left and not as_json:
        output.talk(f"other rules stay: {', '.join(sorted(left))} (`labctl fault clear --all` takes them back)")


def _tell_cleared(cleared: list[Any], as_json: bool, nothing: str) -> None:
    if as_json:
        output.document({"cleared": [rule.as_json() for rule in cleared]})
        return
    from labctl.render.faults import counted

    for rule in cleared:
        counts = "what it did isn't known" if rule.done is None else counted(rule.done) or "did nothing"
        output.talk(f"{rule.id}  {rule.link}  {rule.what}: taken back ({counts})")
    if not cleared:
        output.talk(nothing)


def _set(link: str, wanted: Wanted, on_start: str | None, lab: str | None, as_json: bool) -> None:
    from labctl.lab.faults import rules
    from labctl.lab.links import ways, ways_from

    engine, found = engine_and_lab(lab)
    prepare_probe(engine)
    if on_start:
        node = found.node(on_start)
        done = rules.add_on_start(engine, found, node, ways_from(found, node, link), wanted)
    else:
        done = rules.add(engine, found, ways(found, link), wanted)
    if as_json:
        output.document(done.as_json())
        return
    chance = any(name in wanted.fields for name in ("jitter", "loss", "duplicate", "reorder", "corrupt"))
    seed = f"  seed {done.seed}" if chance and wanted.kind == "condition" else ""
    when = f"  from the next start of {on_start} on" if on_start else ""
    for each in done.links:
        output.data(f"{done.id}  {each}  {done.what}{seed}{when}")


def _duration(text: str | None) -> dict[str, float]:
    from labctl.faults.conditions import span

    if text is None:
        return {}
    with _checked():
        return {"for": span("--for", text)}


class _checked:
    """Gives a word that can't be understood as an error of labctl's."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, problem: BaseException | None, trace: Any) -> None:
        from labctl.errors import LabError
        from labctl.faults.conditions import Malformed

        if isinstance(problem, Malformed):
            raise LabError("bad-condition", why=problem, mend=problem.hint) from None
