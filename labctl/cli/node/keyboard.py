"""Commands that type at nodes: send, attach, chat, echo, udp; and http."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.context import engine_and_lab, prepare_probe, text_of
from labctl.cli.options import Json, LabName, Local, NodeName, Text, Timeout, complete_nodes
from labctl.lab.roles import FILES

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.lab.model import Lab

chat = typer.Typer(help=FILES["chat"], no_args_is_help=True, suggest_commands=False)
echo = typer.Typer(help=FILES["echo"], no_args_is_help=True, suggest_commands=False)
udp = typer.Typer(help=FILES["udp"], no_args_is_help=True, suggest_commands=False)
http = typer.Typer(help=FILES["http"], no_args_is_help=True, suggest_commands=False)


def send(node: NodeName, line: Text, lab: LabName = None, timeout: Timeout = 5.0, as_json: Json = False) -> None:
    """Type one line at any node."""
    from labctl.lab.keyboard.send import send
    from labctl.render.text import quoted
    from labctl.render.timeline import Timeline

    text = text_of(line)
    engine, found = engine_and_lab(lab)
    sent = send(engine, found, node, text, timeout=timeout)
    if as_json:
        output.document(sent.as_json())
        return
    taken = f"{node} took the line" if sent.confirmed else f"typed at {node}, which keeps no journal to confirm it"
    output.talk(f"{taken} ({len(quoted(text)) - 2} characters)" if len(text) > 200 else f"{taken} {quoted(text)}")
    timeline = Timeline([node], columns=output.columns(), colour=output.colour())
    for event in sent.events:
        output.data(timeline.line(event))


def attach(node: NodeName, lab: LabName = None) -> None:
    """Sit down at a node: type lines, see its journal. Ctrl-D or ^C leaves; the node goes on."""
    from labctl.lab.keyboard.attach import attach
    from labctl.lab.keyboard.typed import need_keyboard
    from labctl.render.timeline import Timeline

    engine, found = engine_and_lab(lab)
    need_keyboard(engine, found.running(node, "nothing can be typed at it"))  # before anything is said of it
    timeline = Timeline([node], columns=output.columns(), colour=output.colour())
    if sys.stdin.isatty():
        output.talk(f"at {node}'s keyboard; Ctrl-D leaves")
    attach(engine, found, node, sys.stdin.buffer, lambda event: output.data(timeline.line(event)))


@chat.command("send")
def chat_send(node: NodeName, text: Text, lab: LabName = None, timeout: Timeout = 5.0, as_json: Json = False) -> None:
    """Say something at a chat node, and see it arrive at its partner."""
    from labctl.lab.roles.chat import send
    from labctl.render import sending

    said = text_of(text)
    engine, found = engine_and_lab(lab)
    delivery = send(engine, found, node, said, timeout=timeout)
    if as_json:
        output.document(delivery.as_json())
    else:
        output.data(sending.delivery(delivery))


@chat.command("log")
def chat_log(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    local: Local = False,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show the conversation: who said what to whom."""
    from labctl.lab.roles.chat_log import lines
    from labctl.render.chat_log import line as rendered

    engine, found = engine_and_lab(lab)
    for item in lines(engine, found, follow=follow):
        if as_json:
            output.json_line(item.as_json())
        else:
            output.data(rendered(item, columns=output.columns(), colour=output.colour(), local=local))


@echo.command("send")
def echo_send(
    node: NodeName,
    text: Text,
    to: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Another server than the node's own.")] = None,
    lab: LabName = None,
    timeout: Timeout = 5.0,
    as_json: Json = False,
) -> None:
    """Send a line from an echo client, and see the line that comes back."""
    from labctl.lab.roles.echo import send
    from labctl.render import sending

    said = text_of(text)
    engine, found = engine_and_lab(lab)
    delivery = send(engine, found, node, said, to=to, timeout=timeout)
    if delivery is None:
        output.talk(f"{node} took the command")
    elif as_json:
        output.document(delivery.as_json())
    else:
        output.data(sending.delivery(delivery))


@udp.command("send")
def udp_send(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The sending node.", autocompletion=complete_nodes)],
    target: Annotated[
        str,
        typer.Argument(metavar="TO", help="The receiving peer; or any HOST:PORT.", autocompletion=complete_nodes),
    ],
    text: Text = "",
    count: Annotated[int | None, typer.Option(help="Send a numbered train of so many datagrams.")] = None,
    size: Annotated[int, typer.Option(help="Bytes of each datagram of a train (0: as few as possible).")] = 0,
    rate: Annotated[float, typer.Option(help="Datagrams a second of a train (0: no limit).")] = 100.0,
    lab: LabName = None,
    timeout: Timeout = 2.0,
    as_json: Json = False,
) -> None:
    """Send a datagram, or a numbered train of them, and see what arrives; to a HOST:PORT, and see what comes back."""
    from labctl.lab.roles import udp
    from labctl.render import sending

    said = text_of(text)
    engine, found = engine_and_lab(lab)
    if count is None:
        if size or rate != 100.0:
            raise typer.BadParameter("--size and --rate are for trains: give --count as well")
        if ":" in target:
            _datagram(engine, found, source, target, said, timeout, as_json)
            return
        delivery = udp.send(engine, found, source, target, said, timeout=timeout)
        if as_json:
            output.document(delivery.as_json())
        else:
            output.data(sending.delivery(delivery))
        return
    if ":" in target:
        raise typer.BadParameter("a train goes to a UDP peer, which counts it: name the node alone")
    train = udp.send_train(engine, found, source, target, said, count=count, size=size, rate=rate, timeout=timeout)
    if as_json:
        output.document(train.as_json())
    else:
        output.data(sending.train(train))


def _datagram(engine: Engine, lab: Lab, source: str, target: str, text: str, timeout: float, as_json: bool) -> None:
    from labctl.lab.reach import datagram
    from labctl.render import sending

    if lab.node(source).role != "udp":
        prepare_probe(engine)
    done = datagram.send(engine, lab, source, target, text, timeout=timeout)
    if as_json:
        output.document(done.as_json())
    else:
        output.data(sending.datagram(done))


@http.command("get")
def http_get(
    node: NodeName,
    url: Annotated[str, typer.Argument(metavar="URL", help="A path, or a whole http:// URL.")] = "/",
    source: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="Ask from this node.", autocompletion=complete_nodes)
    ] = None,
    lab: LabName = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> None:
    """Ask an HTTP server for a page, from this machine or from another node."""
    from labctl.lab.roles.http import get
    from labctl.render.text import address, for_terminal, printable

    engine, found = engine_and_lab(lab)
    if source:
        prepare_probe(engine)  # what asks there is ended by one
    result = get(engine, found, node, url, source=source, timeout=timeout)
    if as_json:
        output.document(result.as_json())
        return
    seen = result.seen
    ends = f"{address(tuple(seen['local']))} -> {address(tuple(seen['peer']))}"
    took = f"{seen['bytes']} B in {seen['seconds'] * 1000:.1f} ms"
    output.talk(printable(f"GET {result.url}  {seen['status']} {seen['reason']}  {ends}  {took}"))
    if not sys.stdout.isatty():
        output.write_bytes(result.content)  # into a file or a pipe, as it came
    elif result.is_text:
        output.write(for_terminal(seen["body"]))
    else:
        output.talk("what came is no text, and isn't shown on a terminal; send it to a file")
    if seen["status"] >= 400:
        raise typer.Exit(1)
