"""What labctl can do with the nodes of a role. A role stands in a file, whose ROLES say all that labctl knows of it.

Sentences about nodes, `need_role`, how a timeline draws events and the commands of roles come from here; a test holds
the labels of images and the events of programs to it. CONTRIBUTING.md shows how one is added.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from labctl.errors import LabError
from labctl.lab.roles.role import Arrow, Role

if TYPE_CHECKING:
    from labctl.lab.model import Lab, Node

# Each file, and what the commands are for that go by its name; "" where it has none. None is read before it is needed.
FILES = {
    "chat": "Talk through the chat nodes.",
    "echo": "Send lines from an echo client.",
    "udp": "Send datagrams between UDP peers.",
    "http": "Ask the HTTP servers of the lab.",
    "router": "",
}
# What all nodes' programs write.
EVENTS: Mapping[str, Arrow] = {
    **dict.fromkeys(("bind", "listen", "shutdown", "close", "ready", "input", "error", "exit"), ""),
    **{"connect": "->", "accept": "<-", "send": "->", "recv": "<-"},
}


def in_file(name: str) -> tuple[Role, ...]:
    found: tuple[Role, ...] = importlib.import_module(f"labctl.lab.roles.{name}").ROLES
    return found


@lru_cache(maxsize=1)
def table() -> dict[str, Role]:
    """All roles by their words."""
    return {role.word: role for name in FILES for role in in_file(name)}


@lru_cache(maxsize=1)
def arrows() -> dict[str, Arrow]:
    """The way of each event that has one."""
    known = {name: arrow for role in table().values() for name, arrow in role.events.items()}
    return {name: arrow for name, arrow in {**EVENTS, **known}.items() if arrow}


@lru_cache(maxsize=1)
def outcomes() -> frozenset[str]:
    """The events that say what came of a typed line."""
    return frozenset(["send", *(name for role in table().values() for name in role.outcomes)])


def known(word: str) -> Role | None:
    """The role of a word; None where no table has it. Most stand in a file that has their name: then no other is read,
    which would take longer than many a command."""
    mine = in_file(word) if word in FILES else ()
    return next((role for role in mine if role.word == word), None) or table().get(word)


def forwards(role: str | None) -> bool:
    """Whether a node of a role passes on what others send."""
    found = known(role) if role else None
    return found is not None and found.forwards


def senders() -> dict[str, Role]:
    """The roles whose nodes can be told to send a text, by their words."""
    return {word: role for word, role in table().items() if role.sending}


def called(role: str | None) -> str:
    """What a sentence says of a node of a role: `a chat node`. A role that no table has is told by its word."""
    if not role:
        return "somebody's own image"
    found = known(role)
    return found.called if found else f"of the role {role}, which this labctl does not know"


def need_role(lab: Lab, node: Node, role: str, command: str) -> None:
    """Raises LabError `wrong-role` that names the nodes that would do."""
    if node.role == role:
        return
    fitting = [other.name for other in lab.nodes if other.role == role]
    word = called(role)
    raise LabError(
        "wrong-role",
        node=node.name,
        actual=called(node.role),
        command=command,
        wanted=word,
        fitting=f"{word} here: {', '.join(fitting)}" if fitting else f"this lab has none that is {word}",
    )
