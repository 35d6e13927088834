"""What a role is to labctl: its words, its commands, its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.lab.keyboard.delivery import Delivery
    from labctl.lab.model import Lab

# An event's way between the node's own address and the other end's; "" where it has none.
Arrow = Literal["->", "<-", ""]
# `act(engine, lab, node, text, timeout)`, in seconds: types a text at a node and gives what came of it.
Typing = Callable[["Engine", "Lab", str, str, float], "Delivery"]


@dataclass(frozen=True)
class Command:
    """`labctl GROUP NAME NODE TEXT`, of which labctl needs no more than what it calls."""

    name: str
    help: str
    act: Typing


@dataclass(frozen=True)
class Role:
    """`word` is the role in labels, tables and JSON; `called` what a sentence says of such a node.

    `events` are those that its program writes beside all nodes' (labctl.lab.roles.EVENTS). One of `outcomes` says what
    came of a typed line. `commands` are written by hand in labctl/cli, or made of `typing` where there is no more to it
    than that.
    """

    word: str
    called: str
    commands: tuple[str, ...] = ()
    events: Mapping[str, Arrow] = field(default_factory=dict, hash=False)
    outcomes: tuple[str, ...] = ()
    typing: Command | None = None
