"""What is typed at a node, and shown of it. No typer here: labctl/cli/quick.py comes without."""

from __future__ import annotations

from labctl.cli import output
from labctl.cli.chosen import keyboard_of
from labctl.cli.context import text_of


def send(node: str, line: str, lab: str | None, timeout: float, as_json: bool) -> None:
    from labctl.render.text import quoted
    from labctl.render.timeline import Timeline

    text = text_of(line)
    sent = keyboard_of(lab, node).type(text, timeout=timeout)
    if as_json:
        output.document(sent.as_json())
        return
    taken = f"{node} took the line" if sent.confirmed else f"typed at {node}, which keeps no journal to confirm it"
    output.talk(f"{taken} ({len(quoted(text)) - 2} characters)" if len(text) > 200 else f"{taken} {quoted(text)}")
    timeline = Timeline([node], columns=output.columns(), colour=output.colour())
    for event in sent.events:
        output.data(timeline.line(event))


def chat_send(node: str, text: str, lab: str | None, timeout: float, as_json: bool) -> None:
    from labctl.render import sending

    said = text_of(text)
    delivery = keyboard_of(lab, node).send(said, role="chat", timeout=timeout)
    if as_json:
        output.document(delivery.as_json())
    else:
        output.data(sending.delivery(delivery))


def echo_send(node: str, text: str, lab: str | None, timeout: float, as_json: bool, to: str | None = None) -> None:
    from labctl.render import sending

    said = text_of(text)
    delivery = keyboard_of(lab, node).echo(said, to=to, timeout=timeout)
    if delivery is None:
        output.talk(f"{node} took the command")
    elif as_json:
        output.document(delivery.as_json())
    else:
        output.data(sending.delivery(delivery))
