"""Commands that type at nodes: send, attach, chat, echo, udp; and http."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.api.roles import groups
from labctl.cli import output
from labctl.cli.context import text_of
from labctl.cli.node import typing
from labctl.cli.options import Json, LabName, Local, NodeName, Since, Text, Timeout, complete_nodes

if TYPE_CHECKING:
    from labctl.api.parts.keyboard import Keyboard

FOR = groups()
chat = typer.Typer(help=FOR["chat"], no_args_is_help=True, suggest_commands=False)
echo = typer.Typer(help=FOR["echo"], no_args_is_help=True, suggest_commands=False)
udp = typer.Typer(help=FOR["udp"], no_args_is_help=True, suggest_commands=False)
http = typer.Typer(help=FOR["http"], no_args_is_help=True, suggest_commands=False)


def send(node: NodeName, line: Text, lab: LabName = None, timeout: Timeout = 5.0, as_json: Json = False) -> None:
    """Type one line at any node."""
    typing.send(node, line, lab, timeout, as_json)


def attach(node: NodeName, lab: LabName = None) -> None:
    """Sit down at a node: type lines, see its journal. Ctrl-D or ^C leaves; the node goes on."""
    from labctl.cli.chosen import keyboard_of
    from labctl.render.timeline import Timeline

    timeline = Timeline([node], columns=output.columns(), colour=output.colour())

    def seated() -> None:
        if sys.stdin.isatty():
            output.talk(f"at {node}'s keyboard; Ctrl-D leaves")

    there = keyboard_of(lab, node)
    there.attach(sys.stdin.buffer, lambda event: output.data(timeline.line(event)), ready=seated)


@chat.command("send")
def chat_send(node: NodeName, text: Text, lab: LabName = None, timeout: Timeout = 5.0, as_json: Json = False) -> None:
    """Say something at a chat node, and see it arrive at its partner."""
    typing.chat_send(node, text, lab, timeout, as_json)


@chat.command("log")
def chat_log(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    since: Since = None,
    local: Local = False,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show the conversation: who said what to whom."""
    from labctl.cli.chosen import lab_of
    from labctl.cli.context import moment
    from labctl.events.codec import stamp_of
    from labctl.render import chat_log

    start = stamp_of(moment("--since", since)) if since else None
    for item in lab_of(lab).chat_log(follow=follow, since=start):
        if as_json:
            output.json_line(item.as_json())
        else:
            output.data(chat_log.line(item, columns=output.columns(), colour=output.colour(), local=local))


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
    typing.echo_send(node, text, lab, timeout, as_json, to)


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
    from labctl.cli.chosen import keyboard_of
    from labctl.render import sending

    said = text_of(text)
    there = keyboard_of(lab, source)
    if count is None:
        if size or rate != 100.0:
            raise typer.BadParameter("--size and --rate are for trains: give --count as well")
        if ":" in target:
            _datagram(there, target, said, timeout, as_json)
            return
        delivery = there.send(said, to=target, role="udp", timeout=timeout)
        if as_json:
            output.document(delivery.as_json())
        else:
            output.data(sending.delivery(delivery))
        return
    if ":" in target:
        raise typer.BadParameter("a train goes to a UDP peer, which counts it: name the node alone")
    train = there.send_train(target, text=said, count=count, size=size, rate=rate, timeout=timeout)
    if as_json:
        output.document(train.as_json())
    else:
        output.data(sending.train(train))


def _datagram(node: Keyboard, target: str, text: str, timeout: float, as_json: bool) -> None:
    from labctl.render import sending

    done = node.send_datagram(target, text, timeout=timeout)
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
    from labctl.cli.chosen import keyboard_of
    from labctl.render.text import address, for_terminal, printable

    result = keyboard_of(lab, node).get(url, source=source, timeout=timeout)
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
